"""What is packed and how: the source, the plan, and whether to store pixels or JPEG files."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.journal import JOURNAL, read_lines
from alexnet.data.packs.pack import Store
from alexnet.data.packs.unreadable import UnreadablePolicy
from alexnet.errors import RecipeError
from alexnet.recipe import LARGEST_PX, ResizeMode
from alexnet.text import format_bytes

__all__ = ["PackableSource", "PackingPlan", "StoreChoice", "choose_store", "free_bytes"]

_log = logging.getLogger(__name__)

StoreChoice = Literal["auto", "pixels", "jpeg"]

MAX_PIXEL_BYTES = 32 << 30
"""More than that fits into few memories, so that each epoch would wait for the disk."""

_JPEG_FACTOR = 10  # a photograph's pixels to its JPEG file
_JPEG_OVERHEAD = 2560  # bytes: tables of the file, headers and whole blocks of its two members


class PackableSource(Protocol):
    """What a packing needs of a source."""

    @property
    def where(self) -> Path:
        """The source as it was named."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        ...

    @property
    def class_words(self) -> Mapping[str, str]:
        """What classes mean whose names are codes."""
        ...

    @property
    def paths(self) -> Sequence[str]:
        """Relative path of each image."""
        ...

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each image."""
        ...

    @property
    def splits(self) -> NDArray[np.uint8]:
        """Split of each image."""
        ...

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each image file."""
        ...

    @property
    def times(self) -> NDArray[np.int64] | None:
        """Milliseconds since 1970 when each file was last written, 0 unknown; None: not known."""
        ...

    @property
    def excluded(self) -> tuple[str, ...]:
        """Paths of the images that were left out on purpose."""
        ...

    @property
    def signature(self) -> str:
        """Stands for paths, labels, splits and sizes."""
        ...

    @property
    def stat_signature(self) -> str:
        """The same with the files' times."""
        ...

    def read(self, index: int) -> bytes:
        """Return the bytes of an image file; SourceError where it is gone."""
        ...


@dataclass(frozen=True)
class PackingPlan:
    """How images are stored.

    Raises:
        RecipeError: a size or a resize mode out of range.
    """

    image_px: int
    resize_mode: ResizeMode
    unreadable: UnreadablePolicy
    workers: int | None = None
    store: Store = "pixels"

    def __post_init__(self) -> None:
        if not 1 <= self.image_px <= LARGEST_PX:
            raise RecipeError(
                f"image_px must be between 1 and {LARGEST_PX} pixels; got {self.image_px}."
            )
        if self.resize_mode not in get_args(ResizeMode):
            raise RecipeError(
                f'resize_mode must be "crop", "squash" or "pad"; got "{self.resize_mode}".'
            )
        if self.workers is not None and self.workers < 1:
            raise RecipeError(f"workers must be at least 1; got {self.workers}.")

    @property
    def image_bytes(self) -> int:
        """Bytes of the pixels of one image."""
        return 3 * self.image_px**2

    @property
    def stored_bytes(self) -> int:
        """Bytes of one image as it is stored; for JPEG files about what photographs take."""
        if self.store == "pixels":
            return self.image_bytes
        return self.image_bytes // _JPEG_FACTOR + _JPEG_OVERHEAD


def choose_store(
    source: PackableSource, folder: Path, plan: PackingPlan, choice: StoreChoice
) -> PackingPlan:
    """Return the plan with the chosen store, or the one that suits this source and this disk.

    A packing that was interrupted goes on as it began, whatever is free by now.

    Args:
        source: what is to be packed.
        folder: of the pack.
        plan: everything else.
        choice: "pixels", "jpeg", or "auto": pixels, as long as they take at most a third of what
            is free, and 32 GiB, or JPEG files would not be half of it (under 60 pixels).

    Raises:
        RecipeError: the choice is unknown.
    """
    if choice not in get_args(StoreChoice):
        raise RecipeError(f'store must be "auto", "pixels" or "jpeg"; got "{choice}".')
    if choice != "auto":
        return replace(plan, store=choice)
    lines = read_lines(folder / JOURNAL)
    if lines and lines[0].get("store") in ("pixels", "jpeg"):
        return replace(plan, store=lines[0]["store"])
    jpeg = replace(plan, store="jpeg")
    needed, free = len(source.paths) * plan.image_bytes, free_bytes(folder)
    saving = 2 * jpeg.stored_bytes < plan.image_bytes  # small images are mostly headers then
    if needed <= min(free // 3, MAX_PIXEL_BYTES) or not saving:
        return plan
    _log.warning(
        "The pixels of %s would take %s, and %s are free in %s: keeping JPEG files of them, about "
        "%s, which are decoded again in each epoch. To keep pixels: alexnet pack "
        "SOURCE FOLDER --store pixels",
        source.where,
        format_bytes(needed),
        format_bytes(free),
        folder,
        format_bytes(len(source.paths) * jpeg.stored_bytes),
    )
    return jpeg


def free_bytes(folder: Path) -> int:
    """Return what is free where a folder lies or will lie."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free
