"""The cache of packs: a source is packed once, and every later run uses what is there.

A pack lies in the cache folder under a name made of its source's signature (paths, labels, splits
and sizes of the files), the pictures' size and the fit. Where only the files' times differ, their
contents decide.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, get_args

from alexnet.data.packs.changes import changes, differences, with_times_of
from alexnet.data.packs.journal import JOURNAL, read_lines
from alexnet.data.packs.pack import FORMAT, HEADER, Pack, open_pack, read_header
from alexnet.data.packs.plan import Packable, PackingPlan, settled
from alexnet.data.packs.unreadable import Unreadable, UnreadablePolicy
from alexnet.data.packs.writer import fill_folder, pack_in_memory, take_skipped
from alexnet.errors import RecipeError, SourceError, did_you_mean
from alexnet.files import cache_folder, disk_errors
from alexnet.locks import locked
from alexnet.recipe import Fit
from alexnet.records import CachedPack
from alexnet.text import bytes_in_words, counted

__all__ = [
    "Cache",
    "cached_packs",
    "clear_cache",
    "empty_entry",
    "locks_folder",
    "pack_of",
    "packs_folder",
]


def packs_folder() -> Path:
    """Return the folder that holds one folder for each cached pack."""
    return cache_folder() / "packs"


def locks_folder() -> Path:
    """Return the folder of the locks; they outlive the packs, so that nobody locks a ghost."""
    return cache_folder() / "locks"


def cached_packs() -> list[CachedPack]:
    """Return what the cache holds, last used first."""
    root = packs_folder()
    found = [_look(path) for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    return sorted(found, key=lambda each: each.last_used, reverse=True)


def clear_cache(name: str) -> list[CachedPack]:
    """Remove one pack of the cache, or all; return what was removed.

    A training that reads a removed pack goes on where the system allows it (not on Windows).

    Args:
        name: as `cached_packs` names it, or "all".

    Raises:
        SourceError: no such pack, it is being packed, or the disk refuses.
    """
    there = cached_packs()
    chosen = [each for each in there if name in (each.name, "all")]
    if not chosen and name != "all":
        names = [each.name for each in there]
        listed = f" It holds: {', '.join(names)}." if names else " It is empty."
        raise SourceError(
            f'The cache {packs_folder()} has no pack "{name}".{did_you_mean(name, names)}{listed}'
        )
    for each in chosen:
        folder = Path(each.folder)
        with locked(locks_folder(), name=f"{each.name}.lock", error=SourceError):
            empty_entry(folder)
            with disk_errors(folder, SourceError):
                folder.rmdir()
    return chosen


def empty_entry(folder: Path) -> None:
    """Remove the files of a pack, the header first: what is left is never taken for a pack."""
    if not folder.is_dir():
        return
    with disk_errors(folder, SourceError):
        (folder / HEADER).unlink(missing_ok=True)
        for path in folder.iterdir():
            path.unlink(missing_ok=True)


def _look(folder: Path) -> CachedPack:
    """Describe one folder of the cache, whatever its state."""
    files = [path for path in folder.iterdir() if path.is_file()]
    newest = folder.stat().st_mtime
    with contextlib.suppress(OSError):
        newest = (folder / HEADER).stat().st_mtime
    source = pictures = image_px = fit = None
    with contextlib.suppress(SourceError):
        header = read_header(folder)
        source, pictures = str(header.where), header.pictures
        image_px, fit = header.image_px, header.fit
    if pictures is None:
        lines = read_lines(folder / JOURNAL)
        if lines:
            source, image_px, fit = lines[0]["source"], lines[0]["image_px"], lines[0]["fit"]
    return CachedPack(
        name=folder.name,
        folder=str(folder),
        source=source,
        pictures=pictures or 0,
        image_px=image_px,
        fit=fit,
        bytes=sum(_size(path) for path in files),
        last_used=newest,
        whole=pictures is not None,
    )


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):  # renamed or removed meanwhile
        return path.stat().st_size
    return 0


_log = logging.getLogger(__name__)

Cache = Literal["auto", "none"]

_TURN_S = 0.5  # between two looks at an entry that another process is filling


def pack_of(
    source: Packable,
    *,
    image_px: int,
    fit: Fit = "crop",
    cache: Cache = "auto",
    unreadable: Unreadable = "skip",
    quarantine: Path | None = None,
    workers: int | None = None,
) -> Pack:
    """Return the pack of a source: out of the cache, or packed now and kept there.

    Args:
        source: labelled pictures.
        image_px: side of a stored picture.
        fit: how a picture becomes square.
        cache: "auto" keeps the pack in the cache folder; "none" keeps it in memory only.
        unreadable: as in `write_pack`.
        quarantine: as in `write_pack`.
        workers: as in `write_pack`.

    Raises:
        SourceError: the pictures cannot be used, or the disk has no room.
        RecipeError: a setting is out of range.
    """
    plan = PackingPlan(image_px, fit, UnreadablePolicy(unreadable, quarantine), workers)
    if cache not in get_args(Cache):
        raise RecipeError(f'cache must be "auto" or "none"; got "{cache}".')
    if cache == "none":
        return pack_in_memory(source, plan)
    folder = packs_folder() / entry_name(source, plan)
    pack = _kept(source, folder, writable=False)
    if pack is None:
        with _turn(folder):
            pack = _kept(source, folder, writable=True)
            if pack is None:
                return _packed(source, folder, plan)
    take_skipped(source, pack, plan.unreadable)
    _log.info("Using the pack in %s (%s).", folder, bytes_in_words(pack.header.stored_bytes))
    return pack


def entry_name(source: Packable, plan: PackingPlan) -> str:
    """Return the name under which the cache keeps the pack of a source."""
    return f"{source.signature[:16]}-{plan.image_px}-{plan.fit}-v{FORMAT}"


def _packed(source: Packable, folder: Path, plan: PackingPlan) -> Pack:
    """Pack into the cache, going on with a beginning of the same pack."""
    lines = read_lines(folder / JOURNAL)
    if lines and lines[0].get("stat_signature") != source.stat_signature:
        empty_entry(folder)
    if not lines:
        _say_what_changed(source, plan)
    pack = fill_folder(source, folder, settled(source, folder, plan, "auto"))
    _log.info(
        "Packed %s into %s (%s); the next run uses it.",
        counted(len(pack), "picture"),
        folder,
        bytes_in_words(pack.header.stored_bytes),
    )
    return pack


def _kept(source: Packable, folder: Path, *, writable: bool) -> Pack | None:
    """Open the pack of the cache where it is whole and still true.

    Args:
        source: what it should be of.
        folder: the entry.
        writable: whether this process has the entry for itself: then a pack that is damaged or no
            longer true is cleared away. Else only a pack that needs no further look is opened.
    """
    if not (folder / HEADER).is_file():
        return None
    try:
        pack = open_pack(folder)
    except SourceError as error:
        if writable:
            _log.warning("%s It lies in the cache, so this is done now.", error)
            empty_entry(folder)
        return None
    if pack.header.stat_signature != source.stat_signature:
        if not writable:
            return None
        if _changed(source, pack):
            empty_entry(folder)
            return None
        pack = with_times_of(source, pack)
    with contextlib.suppress(OSError):
        os.utime(folder / HEADER)  # its time says when the pack was used last
    return pack


def _changed(source: Packable, pack: Pack) -> bool:
    """Whether contents differ from what was packed; says which."""
    what = changes(source, pack)
    if what:
        _log.warning("%s has changed since it was packed: %s. Packing again.", source.where, what)
    return bool(what)


def _say_what_changed(source: Packable, plan: PackingPlan) -> None:
    """Where an older state of the same source is in the cache, say how this one differs."""
    for each in cached_packs():
        same = (each.source, each.image_px, each.fit)
        if not each.whole or same != (str(source.where), plan.image_px, plan.fit):
            continue
        with contextlib.suppress(SourceError):
            old = open_pack(Path(each.folder), verify=False)
            what = differences(source, old)
            if what:
                _log.warning(
                    "%s has changed since it was packed: %s. Packing it again; the old pack (%s) "
                    "can be removed: alexnet cache --clear %s",
                    source.where,
                    what,
                    bytes_in_words(each.bytes),
                    each.name,
                )
            return


@contextmanager
def _turn(folder: Path) -> Generator[None]:
    """Wait until no other process packs into this entry, and keep others out meanwhile."""
    with ExitStack() as stack:
        said = False
        while True:
            try:
                stack.enter_context(
                    locked(locks_folder(), name=f"{folder.name}.lock", error=_BusyError)
                )
                break
            except _BusyError as busy:
                if busy.__cause__ is not None:  # the disk refuses: waiting would not help
                    raise SourceError(f"{busy} Or keep the pack in memory: --cache none.") from busy
                if not said:
                    _log.info("Waiting for a pack that another process is making: %s", busy)
                said = True
                time.sleep(_TURN_S)
        yield


class _BusyError(SourceError):
    """Another process holds the entry."""
