"""`alexnet check`: issues and duplicates among the images of a source, before training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alexnet.commands.arguments import optional_path
from alexnet.errors import RecipeError, SourceError
from alexnet.records import CheckReport

if TYPE_CHECKING:
    from alexnet.data import Source

__all__ = ["check"]


def check(
    source: Path | str,
    *,
    exclude_to: Path | str | None = None,
    report: Path | str | None = None,
    mirrored: bool = False,
    workers: int | None = None,
    class_depth: int | None = None,
    join_classes: bool = False,
    name_encoding: str | None = None,
    cluster: str | None = None,
) -> CheckReport:
    """Find broken images, duplicates and missing classes in a source.

    Every image is decoded in full. Nothing in the source is changed, and issues are no error: the
    exit code is 0 with any number of them.

    The list of `exclude_to` follows a rule. Unreadable and blank images are excluded. Duplicates
    and near duplicates in different classes are all excluded, since any label may be wrong. Of
    duplicates in different splits test keeps its own, before val, before train. Within a split
    the first one stays.

    Args:
        source: folder, archive or table of labeled images, as for train.
        exclude_to: file to write the images to that are better left out (CSV: path, reason);
            train, finetune, pack and evaluate take it with --exclude.
        report: folder for the page (index.html) and all issues (check.json); none:
            checks/<source>.
        mirrored: take an image and another's mirror image for near duplicates, too.
        workers: decoding threads; none: one for each core.
        class_depth: level of the class folders, 1 for the top ones; none: told by names and
            structure.
        join_classes: take classes for one whose names look alike (Cat, cat; 1, 1.0).
        name_encoding: of names in a zip or tar that does not say it; none: told by their bytes.
        cluster: decode on a Ray cluster: auto is the one that RAY_ADDRESS names, else this
            machine alone; or the address of its head. Workers are then the threads of a shard.

    Returns:
        Counts, sizes, issues, duplicates, and the images to exclude.

    Raises:
        SourceError: no image can be read, or a file would be written into the source.
        RecipeError: an invalid setting.
        RunError: the disk refuses.
    """
    import time
    from dataclasses import replace

    from alexnet.data import Pack, check_source, open_source, write_skipped_csv
    from alexnet.devices import peak_memory_mb
    from alexnet.reporting import require_check_folder, write_check_report

    start = time.perf_counter()
    if workers is not None and workers < 1:
        raise RecipeError(f"workers must be at least 1; got {workers}.")
    opened = open_source(
        source,
        as_found=True,
        class_depth=class_depth,
        join_classes=join_classes,
        name_encoding=name_encoding,
    )
    if isinstance(opened, Pack):
        raise SourceError(
            f"{source} is a pack: its images are decoded and square already. Check what it was "
            f"made of, {opened.where}."
        )
    listed, folder = (
        optional_path(exclude_to),
        optional_path(report) or _default_folder(Path(source)),
    )
    for path in filter(None, (listed, folder)):
        _require_outside(path, opened)
    require_check_folder(folder)
    checked = check_source(
        opened, mirrored=mirrored, workers=workers, cluster=cluster, output=folder
    )
    if listed is not None:
        write_skipped_csv(listed, checked.exclude)
    seconds = time.perf_counter() - start
    checked = replace(
        checked,
        exclude_to=None if listed is None else str(listed),
        report=str(folder / "index.html"),
        seconds=seconds,
        images_per_s=checked.images / seconds,
        peak_memory_mb=peak_memory_mb(),
    )
    write_check_report(folder, checked, opened)
    return checked


def _default_folder(source: Path) -> Path:
    return Path("checks") / (source.resolve().name.split(".")[0] or "images")


def _require_outside(path: Path, source: Source) -> None:
    """Raise SourceError for a path that is a source, one of its images, or inside of it."""
    target, where = path.resolve(), source.where.resolve()
    if target == where or where in target.parents:
        raise SourceError(
            f"{path} lies in the source {source.where}, and a check changes nothing there. Name "
            "another place with --report or --exclude-to."
        )
    images = where.parent  # of a table, whose paths are relative to its folder
    if where.is_file() and images in target.parents:
        relative = target.relative_to(images).as_posix()
        if relative in source.paths or str(path) in source.paths:
            raise SourceError(f"{path} is an image of {source.where}. Name another file.")
