"""What every packing does, into a folder or into memory: decode portions, then sum them up.

Legend: n pictures of a portion, S side of a stored picture.
"""

from __future__ import annotations

import logging
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from alexnet.data.loading.decoding import decoded
from alexnet.data.packs.index import DIGEST_BYTES, PackIndex, Paths, content_digest
from alexnet.data.packs.journal import JOURNAL, FinishedShard, read_lines
from alexnet.data.packs.pack import PackHeader, Store
from alexnet.data.packs.unreadable import UnreadablePolicy
from alexnet.data.sources.errors import nothing_readable
from alexnet.errors import RecipeError
from alexnet.images import encoded, read_picture
from alexnet.recipe import LARGEST_PX, Fit
from alexnet.text import bytes_in_words

__all__ = [
    "Packable",
    "PackingPlan",
    "Portion",
    "StoreChoice",
    "free_bytes",
    "headed",
    "portions",
    "settled",
]

_PORTION_BYTES = 16 << 20
_MOST_PICTURES = 256
_NUMBER_BYTES = 4
_KNOWN_BY = _NUMBER_BYTES + DIGEST_BYTES + _NUMBER_BYTES  # checksum, digest, length
_MOST_JPEG_HEADER = 4096
_JPEG_SMALLER = 10  # times, than the pixels of a photograph
_JPEG_BESIDES = 2560  # tables of the file, and headers and whole blocks of its two members


class Packable(Protocol):
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
        """Relative path of each picture."""
        ...

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each picture."""
        ...

    @property
    def splits(self) -> NDArray[np.uint8]:
        """Split of each picture."""
        ...

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each picture file."""
        ...

    @property
    def excluded(self) -> tuple[str, ...]:
        """Paths of the pictures that were left out on purpose."""
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
        """Return the bytes of a picture file; SourceError where it is gone."""
        ...


@dataclass(frozen=True)
class PackingPlan:
    """How pictures are stored.

    Raises:
        RecipeError: a size or a fit out of range.
    """

    image_px: int
    fit: Fit
    unreadable: UnreadablePolicy
    workers: int | None = None
    store: Store = "pixels"

    def __post_init__(self) -> None:
        if not 1 <= self.image_px <= LARGEST_PX:
            raise RecipeError(
                f"image_px must be between 1 and {LARGEST_PX} pixels; got {self.image_px}."
            )
        if self.fit not in get_args(Fit):
            raise RecipeError(f'fit must be "crop", "squash" or "pad"; got "{self.fit}".')
        if self.workers is not None and self.workers < 1:
            raise RecipeError(f"workers must be at least 1; got {self.workers}.")

    @property
    def picture_bytes(self) -> int:
        """Bytes of the pixels of one picture."""
        return 3 * self.image_px**2

    @property
    def stored_bytes(self) -> int:
        """Bytes of one picture as it is stored; for JPEG files about what photographs take."""
        if self.store == "pixels":
            return self.picture_bytes
        return self.picture_bytes // _JPEG_SMALLER + _JPEG_BESIDES


@dataclass(frozen=True)
class Portion:
    """Some decoded pictures."""

    indices: NDArray[np.int64]  # (n,) in the source
    pictures: NDArray[np.uint8]  # (n, S, S, 3), each of them without gaps
    digests: NDArray[np.uint8]  # (n, 16)
    checksums: NDArray[np.uint32]  # (n,)
    failures: list[tuple[int, str]]  # index and reason of what could not be read
    files: list[bytes] | None = None  # n JPEG files, where those are stored instead of `pictures`
    lengths: NDArray[np.uint32] | None = None  # (n,) their bytes

    @property
    def count(self) -> int:
        """Pictures that were dealt with."""
        return len(self.indices) + len(self.failures)

    def without_pictures(self) -> Portion:
        """Return the rest, for when the pictures are written."""
        return replace(self, pictures=self.pictures[:0].copy(), files=None)


def portions(source: Packable, indices: NDArray[np.int64], plan: PackingPlan) -> Iterator[Portion]:
    """Decode some pictures of a source in parallel, in order; memory is bounded by a portion.

    Raises:
        SourceError: a picture cannot be read and the plan is to fail.
    """
    jpeg = plan.store == "jpeg"

    def read(data: bytes, name: str) -> tuple[NDArray[np.uint8], ...]:
        """Return checksum, digest, length; content; and what JPEG files leave of the row."""
        picture = read_picture(data, name=name, image_px=plan.image_px, how=plan.fit)
        content = np.frombuffer(encoded(picture), np.uint8) if jpeg else picture.ravel()
        checksum = zlib.crc32(content.data).to_bytes(_NUMBER_BYTES, "little")
        length = len(content).to_bytes(_NUMBER_BYTES, "little")
        known_by = np.frombuffer(checksum + content_digest(data) + length, dtype=np.uint8)
        return known_by, content, np.zeros(most - len(content), dtype=np.uint8)

    most = plan.picture_bytes + (_MOST_JPEG_HEADER if jpeg else 0)
    batch = max(1, min(_MOST_PICTURES, _PORTION_BYTES // plan.picture_bytes))
    for found, flat, failures in decoded(source, indices, read, batch=batch, workers=plan.workers):
        plan.unreadable.take(source, failures)
        rows = flat.reshape(len(found), _KNOWN_BY + most)
        yield _portion(np.asarray(found, dtype=np.int64), rows, failures, plan)


def _portion(
    indices: NDArray[np.int64],
    rows: NDArray[np.uint8],
    failures: list[tuple[int, str]],
    plan: PackingPlan,
) -> Portion:
    """Take the rows of a portion apart."""
    checksums = rows[:, :_NUMBER_BYTES].copy().view("<u4")[:, 0].astype(np.uint32)
    lengths = rows[:, _KNOWN_BY - _NUMBER_BYTES : _KNOWN_BY].copy().view("<u4")[:, 0]
    digests = rows[:, _NUMBER_BYTES : _NUMBER_BYTES + DIGEST_BYTES].copy()
    side, content = plan.image_px, rows[:, _KNOWN_BY:]
    if plan.store == "pixels":
        pictures = content.reshape(-1, side, side, 3)
        return Portion(indices, pictures, digests, checksums, failures)
    files = [row[:n].tobytes() for row, n in zip(content, lengths.tolist(), strict=True)]
    none = np.empty((0, side, side, 3), dtype=np.uint8)
    return Portion(indices, none, digests, checksums, failures, files, lengths.astype(np.uint32))


def headed(
    source: Packable, plan: PackingPlan, finished: Sequence[FinishedShard]
) -> tuple[PackHeader, PackIndex]:
    """Return header and index of what was packed; the index's own checksum is still 0.

    Raises:
        SourceError: not one picture could be read, or too few of them.
    """
    skipped = [each for shard in finished for each in shard.skipped]
    plan.unreadable.check_share(source, skipped)
    kept = np.concatenate([np.zeros(0, dtype=np.int64), *(each.indices for each in finished)])
    if not len(kept):
        raise nothing_readable(source.where, [(source.paths[i], why) for i, why in skipped])
    places: list[int] = kept.tolist()
    lengths = [each.lengths for each in finished if each.lengths is not None]
    index = PackIndex(
        Paths.of(source.paths[i] for i in places),
        np.asarray(source.labels[kept], dtype=np.int64),
        np.asarray(source.splits[kept], dtype=np.uint8),
        np.asarray(source.sizes[kept], dtype=np.int64),
        np.concatenate([each.digests for each in finished]),
        np.concatenate([each.checksums for each in finished]),
        np.concatenate(lengths) if plan.store == "jpeg" else None,
    )
    header = PackHeader(
        classes=tuple(source.classes),
        class_words=dict(source.class_words),
        image_px=plan.image_px,
        fit=plan.fit,
        where=Path(source.where),
        signature=source.signature,
        stat_signature=source.stat_signature,
        skipped=tuple((source.paths[i], reason) for i, reason in skipped),
        shards=tuple(each.shard for each in finished if each.shard is not None),
        index_checksum=0,
        fingerprint="",
        excluded=tuple(source.excluded),
        store=plan.store,
        jpeg_bytes=sum(int(each.sum()) for each in lengths),
    )
    return replace(header, fingerprint=index.fingerprint(header.identity())), index


_log = logging.getLogger(__name__)

StoreChoice = Literal["auto", "pixels", "jpeg"]

MOST_PIXEL_BYTES = 32 << 30
"""More than that fits into few memories, so that each epoch would wait for the disk."""


def settled(source: Packable, folder: Path, plan: PackingPlan, choice: StoreChoice) -> PackingPlan:
    """Return the plan with the store that was chosen, or that suits this source and this disk.

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
    needed, free = len(source.paths) * plan.picture_bytes, free_bytes(folder)
    saving = 2 * jpeg.stored_bytes < plan.picture_bytes  # small pictures are mostly headers then
    if needed <= min(free // 3, MOST_PIXEL_BYTES) or not saving:
        return plan
    _log.warning(
        "The pixels of %s would take %s, and %s are free in %s: keeping JPEG files of them, about "
        "%s, which are decoded again in each epoch. To keep pixels: alexnet pack "
        "SOURCE FOLDER --store pixels",
        source.where,
        bytes_in_words(needed),
        bytes_in_words(free),
        folder,
        bytes_in_words(len(source.paths) * jpeg.stored_bytes),
    )
    return jpeg


def free_bytes(folder: Path) -> int:
    """Return what is free where a folder lies or will lie."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free
