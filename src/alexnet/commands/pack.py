"""`alexnet pack`: decode the images of a source once, for every training to come."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from alexnet.commands.arguments import local_path, optional_path
from alexnet.recipe import ResizeMode
from alexnet.records import PackReport

__all__ = ["pack"]


def pack(
    source: Path | str,
    folder: Path | str,
    *,
    image_px: int = 256,
    resize_mode: ResizeMode = "crop",
    unreadable: Literal["skip", "fail"] = "skip",
    quarantine: Path | str | None = None,
    exclude: Path | str | None = None,
    class_depth: int | None = None,
    join_classes: bool = False,
    name_encoding: str | None = None,
    workers: int | None = None,
    store: Literal["auto", "pixels", "jpeg"] = "auto",
    cluster: str | None = None,
) -> PackReport:
    """Decode and resize every image once, into a folder that trainings map into memory.

    The same call again continues a packing that was stopped or killed.

    Args:
        source: one folder per class (with or without train/val/test above), a .tar, .tar.gz or
            .zip of that, or a CSV or Parquet table (path, label, optional split).
        folder: of the pack; new or empty.
        image_px: side of the stored images; 256 for the paper's network, 64 or 32 for small ones.
        resize_mode: how an image becomes square: center crop (the paper), squash (Caffe), or pad.
        unreadable: skip names unreadable images (an error above 5 %), fail stops at the first.
        quarantine: folder to copy unreadable images to; then any number of them is skipped.
        exclude: list of images to leave out: a path a line, or what check --exclude-to wrote.
        class_depth: level of the class folders, 1 for the top ones; none: told by names and
            structure.
        join_classes: take classes for one whose names look alike (Cat, cat; 1, 1.0).
        name_encoding: of names in a zip or tar that does not say it; none: told by their bytes.
        workers: decoding threads; none: one for each core.
        store: pixels as they are, jpeg a tenth of the size in tar shards that WebDataset reads;
            auto is pixels, up to a third of the free disk and 32 GiB.
        cluster: pack on a Ray cluster: auto is the one that RAY_ADDRESS names, else this
            machine alone; or the address of its head. Workers are then the threads of a shard.

    Returns:
        What was packed, and what could not be read.

    Raises:
        SourceError: the images cannot be used, or the folder cannot.
        RecipeError: an invalid setting.
    """
    import time

    from alexnet.data import SPLITS, exclude_listed, open_source, write_pack

    start = time.perf_counter()
    opened = open_source(
        source,
        class_depth=class_depth,
        join_classes=join_classes,
        name_encoding=name_encoding,
    )
    written = write_pack(
        exclude_listed(opened, optional_path(exclude)),
        local_path(folder),
        image_px=image_px,
        resize_mode=resize_mode,
        unreadable=unreadable,
        quarantine=optional_path(quarantine),
        workers=workers,
        store=store,
        cluster=cluster,
    )
    counts = {name: int((written.splits == code).sum()) for code, name in enumerate(SPLITS) if name}
    return PackReport(
        source=str(source),
        folder=str(folder),
        images=len(written),
        classes=list(written.classes),
        splits={name: count for name, count in counts.items() if count},
        image_px=written.image_px,
        resize_mode=written.resize_mode,
        store=written.header.store,
        bytes=written.header.stored_bytes,
        shards=len(written.header.shards),
        fingerprint=written.fingerprint,
        unreadable=written.skipped,
        quarantine=None if quarantine is None else str(quarantine),
        seconds=time.perf_counter() - start,
    )
