"""`alexnet pack`: decode the pictures of a source once, for every training to come."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from alexnet.commands.signature import Place, optional_path
from alexnet.recipe import Fit
from alexnet.records import PackReport

__all__ = ["pack"]


def pack(
    source: Place,
    folder: Place,
    *,
    image_px: int = 256,
    fit: Fit = "crop",
    unreadable: Literal["skip", "fail"] = "skip",
    quarantine: Place | None = None,
    exclude: Place | None = None,
    workers: int | None = None,
    store: Literal["auto", "pixels", "jpeg"] = "auto",
) -> PackReport:
    """Decode and resize every picture once, into a folder that trainings map into memory.

    The same call again continues a packing that was stopped or killed.

    Args:
        source: one folder per class (with or without train/val/test above), a .tar, .tar.gz or
            .zip of that, or a CSV or Parquet table (path, label, optional split).
        folder: of the pack; new or empty.
        image_px: side of the stored pictures; 256 for the paper's network, 64 or 32 for small ones.
        fit: how a picture becomes square: centre crop (the paper), squash (Caffe), or pad.
        unreadable: skip names unreadable pictures (an error above 5 %), fail stops at the first.
        quarantine: folder to copy unreadable pictures to; then any number of them is skipped.
        exclude: list of pictures to leave out: a path a line, or what check --exclude-to wrote.
        workers: decoding threads; none: one for each core.
        store: pixels as they are, jpeg a tenth of the size in tar shards that WebDataset reads;
            auto is pixels, up to a third of the free disk and 32 GiB.

    Returns:
        What was packed, and what could not be read.

    Raises:
        SourceError: the pictures cannot be used, or the folder cannot.
        RecipeError: a setting cannot work.
    """
    import time

    from alexnet.data import SPLITS, leave_out, open_source, write_pack

    start = time.perf_counter()
    made = write_pack(
        leave_out(open_source(Path(source)), optional_path(exclude)),
        Path(folder),
        image_px=image_px,
        fit=fit,
        unreadable=unreadable,
        quarantine=optional_path(quarantine),
        workers=workers,
        store=store,
    )
    counts = {name: int((made.splits == code).sum()) for code, name in enumerate(SPLITS) if name}
    return PackReport(
        source=str(source),
        folder=str(folder),
        pictures=len(made),
        classes=list(made.classes),
        splits={name: count for name, count in counts.items() if count},
        image_px=made.image_px,
        fit=made.fit,
        store=made.header.store,
        bytes=made.header.stored_bytes,
        shards=len(made.header.shards),
        fingerprint=made.fingerprint,
        unreadable=made.skipped,
        quarantine=None if quarantine is None else str(quarantine),
        seconds=time.perf_counter() - start,
    )
