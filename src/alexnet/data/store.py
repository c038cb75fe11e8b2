"""How the pictures of a pack are stored: raw pixels, or JPEG files where those would be too large.

Raw pixels are cut and fed without any work; JPEG files take a tenth of the room and are decoded
again whenever they are read.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from alexnet.data.journal import JOURNAL, read_lines
from alexnet.data.packing_plan import Packable, PackingPlan
from alexnet.errors import RecipeError
from alexnet.words import bytes_in_words

__all__ = ["StoreChoice", "free_bytes", "settled"]

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
