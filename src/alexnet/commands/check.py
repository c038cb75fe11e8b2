"""`alexnet check`: what is wrong with the pictures of a source, before anything is learnt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alexnet.commands.signature import Place, optional_path
from alexnet.errors import RecipeError, SourceError
from alexnet.records import CheckReport

if TYPE_CHECKING:
    from alexnet.data import Source

__all__ = ["check"]


def check(
    source: Place,
    *,
    exclude_to: Place | None = None,
    report: Place | None = None,
    mirrored: bool = False,
    workers: int | None = None,
) -> CheckReport:
    """Look at every picture of a source and say what is broken, twice there or missing.

    Every picture is decoded in full. Nothing in the source is changed, and findings are no error:
    the exit code is 0 with any number of them.

    The list of `exclude_to` follows a rule. What cannot be read and what is blank is out. Copies
    and near copies in different classes are all out, for nobody knows which is right. Of copies in
    different splits test keeps its own, before val, before train. Within a split the first stays.

    Args:
        source: folder, archive or table of labelled pictures, as for train.
        exclude_to: file to write the pictures to that are better left out (CSV: path, reason);
            train, pack and evaluate take it with --exclude.
        report: folder for the page (index.html) and all findings (check.json); none:
            checks/<source>.
        mirrored: take a picture and another's mirror image for near copies, too.
        workers: decoding threads; none: one for each core.

    Returns:
        What was found.

    Raises:
        SourceError: nothing can be looked at, or a file would be written into the source.
        RecipeError: a setting cannot work.
        RunError: the disk refuses.
    """
    import time
    from dataclasses import replace

    from alexnet.data import Pack, check_source, open_source, write_skipped_csv
    from alexnet.devices import peak_memory_mb
    from alexnet.reporting import refuse_other, write_check

    start = time.perf_counter()
    if workers is not None and workers < 1:
        raise RecipeError(f"workers must be at least 1; got {workers}.")
    opened = open_source(Path(source), as_found=True)
    if isinstance(opened, Pack):
        raise SourceError(
            f"{source} is a pack: its pictures are decoded and square already. Check what it was "
            f"made of, {opened.where}."
        )
    listed, folder = optional_path(exclude_to), optional_path(report) or _folder_for(Path(source))
    for place in filter(None, (listed, folder)):
        _refuse_inside(place, opened)
    refuse_other(folder)
    found = check_source(opened, mirrored=mirrored, workers=workers)
    if listed is not None:
        write_skipped_csv(listed, found.exclude)
    seconds = time.perf_counter() - start
    found = replace(
        found,
        exclude_to=None if listed is None else str(listed),
        report=str(folder / "index.html"),
        seconds=seconds,
        images_per_s=found.pictures / seconds,
        peak_memory_mb=peak_memory_mb(),
    )
    write_check(folder, found, opened)
    return found


def _folder_for(source: Path) -> Path:
    return Path("checks") / (source.resolve().name.split(".")[0] or "pictures")


def _refuse_inside(place: Path, source: Source) -> None:
    """Refuse to write over a source or among its pictures."""
    there, where = place.resolve(), source.where.resolve()
    if there == where or where in there.parents:
        raise SourceError(
            f"{place} lies in the source {source.where}, and a check changes nothing there. Name "
            "another place with --report or --exclude-to."
        )
    pictures = where.parent
    if where.is_file() and pictures in there.parents:
        beside = there.relative_to(pictures).as_posix()
        if beside in source.paths or str(place) in source.paths:
            raise SourceError(f"{place} is a picture of {source.where}. Name another file.")
