"""The cache of packs: a source is packed once, and every later run uses what is there.

A pack lies in the cache folder under a name made of its source's signature (paths, labels, splits
and sizes of the files), the images' size and the resize mode. Where only the files' times differ,
their contents decide.
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

from alexnet.data.packs.changes import describe_changes, describe_listing_changes, update_times
from alexnet.data.packs.journal import JOURNAL, read_lines
from alexnet.data.packs.pack import FORMAT, HEADER, Pack, open_pack, read_header
from alexnet.data.packs.plan import PackableSource, PackingPlan, choose_store
from alexnet.data.packs.unreadable import UnreadableMode, UnreadablePolicy
from alexnet.data.packs.writer import fill_folder, handle_skipped, pack_in_memory
from alexnet.errors import RecipeError, RunError, SourceError, did_you_mean
from alexnet.files import cache_folder, clear_unfinished, disk_errors, is_unfinished
from alexnet.locks import locked
from alexnet.recipe import ResizeMode
from alexnet.records import CachedPack
from alexnet.text import format_bytes, format_count

__all__ = [
    "CacheMode",
    "cached_packs",
    "clear_cache",
    "empty_entry",
    "load_pack",
    "locks_folder",
    "packs_folder",
]

_log = logging.getLogger(__name__)

CacheMode = Literal["auto", "none"]

_WAIT_S = 0.5  # between two attempts at an entry that another process is filling


def packs_folder() -> Path:
    """Return the folder that holds one folder for each cached pack."""
    return cache_folder() / "packs"


def locks_folder() -> Path:
    """Return the folder of the locks.

    They are no part of the packs: a lock file that is removed with its folder would let a second
    process lock a new file of the same name while the first holds the old one.
    """
    return cache_folder() / "locks"


def cached_packs() -> list[CachedPack]:
    """Return what the cache holds, last used first."""
    root = packs_folder()
    packs = [_describe(path) for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    return sorted(packs, key=lambda pack: pack.last_used, reverse=True)


def clear_cache(name: str) -> list[CachedPack]:
    """Remove one pack of the cache, or all; return what was removed.

    A training that reads a removed pack goes on where the system allows it (not on Windows).

    Args:
        name: as `cached_packs` names it, or "all".

    Raises:
        SourceError: no such pack, it is being packed, or the disk refuses.
    """
    packs = cached_packs()
    removed = [pack for pack in packs if name in (pack.name, "all")]
    if not removed and name != "all":
        names = [pack.name for pack in packs]
        listed = f" It holds: {', '.join(names)}." if names else " It is empty."
        raise SourceError(
            f'The cache {packs_folder()} has no pack "{name}".{did_you_mean(name, names)}{listed}'
        )
    for pack in removed:
        folder = Path(pack.folder)
        with locked(locks_folder(), name=f"{pack.name}.lock", error=SourceError):
            empty_entry(folder)
            with disk_errors(folder, SourceError):
                folder.rmdir()
    return removed


def empty_entry(folder: Path) -> None:
    """Remove the files of a pack, the header first: what is left is never taken for a pack."""
    if not folder.is_dir():
        return
    with disk_errors(folder, SourceError):
        (folder / HEADER).unlink(missing_ok=True)
        for path in folder.iterdir():
            path.unlink(missing_ok=True)


def _describe(folder: Path) -> CachedPack:
    """Describe one folder of the cache, whatever its state."""
    files = [path for path in folder.iterdir() if path.is_file()]
    newest = folder.stat().st_mtime
    with contextlib.suppress(OSError):
        newest = (folder / HEADER).stat().st_mtime
    source = images = image_px = resize_mode = None
    with contextlib.suppress(SourceError):
        header = read_header(folder)
        source, images = str(header.where), header.images
        image_px, resize_mode = header.image_px, header.resize_mode
    if images is None and (lines := read_lines(folder / JOURNAL)):
        opening = lines[0]
        source, image_px = opening["source"], opening["image_px"]
        resize_mode = opening.get("resize_mode")
    return CachedPack(
        name=folder.name,
        folder=str(folder),
        source=source,
        images=images or 0,
        image_px=image_px,
        resize_mode=resize_mode,
        bytes=sum(_size(path) for path in files),
        last_used=newest,
        complete=images is not None,
    )


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):  # renamed or removed meanwhile
        return path.stat().st_size
    return 0


def load_pack(
    source: PackableSource,
    *,
    image_px: int,
    resize_mode: ResizeMode = "crop",
    cache: CacheMode = "auto",
    unreadable: UnreadableMode = "skip",
    quarantine: Path | None = None,
    workers: int | None = None,
) -> Pack:
    """Return the pack of a source: out of the cache, or packed now and kept there.

    Args:
        source: labeled images.
        image_px: side of a stored image.
        resize_mode: how an image becomes square.
        cache: "auto" keeps the pack in the cache folder; "none" keeps it in memory only.
        unreadable: as in `write_pack`.
        quarantine: as in `write_pack`.
        workers: as in `write_pack`.

    Raises:
        SourceError: the images cannot be used, or the disk has no room.
        RecipeError: a setting is out of range.
    """
    plan = PackingPlan(image_px, resize_mode, UnreadablePolicy(unreadable, quarantine), workers)
    if cache not in get_args(CacheMode):
        raise RecipeError(f'cache must be "auto" or "none"; got "{cache}".')
    if cache == "none":
        return pack_in_memory(source, plan)
    _clear_killed()
    folder = packs_folder() / entry_name(source, plan)
    pack = _open_valid(source, folder, exclusive=False)
    if pack is None:
        with _exclusive_access(folder):
            pack = _open_valid(source, folder, exclusive=True)  # made while this process waited?
            if pack is None:
                return _pack_into_cache(source, folder, plan)
    handle_skipped(source, pack, plan.unreadable)
    _log.info("Using the pack in %s (%s).", folder, format_bytes(pack.header.stored_bytes))
    return pack


def entry_name(source: PackableSource, plan: PackingPlan) -> str:
    """Return the name under which the cache keeps the pack of a source."""
    return f"{source.signature[:16]}-{plan.image_px}-{plan.resize_mode}-v{FORMAT}"


def _pack_into_cache(source: PackableSource, folder: Path, plan: PackingPlan) -> Pack:
    """Pack into the cache, going on with a beginning of the same pack."""
    lines = read_lines(folder / JOURNAL)
    if lines and lines[0].get("stat_signature") != source.stat_signature:
        empty_entry(folder)
    if not lines:
        _warn_of_older_packs(source, plan)
    pack = fill_folder(source, folder, choose_store(source, folder, plan, "auto"))
    _log.info(
        "Packed %s into %s (%s); the next run uses it.",
        format_count(len(pack), "image"),
        folder,
        format_bytes(pack.header.stored_bytes),
    )
    return pack


def _open_valid(source: PackableSource, folder: Path, *, exclusive: bool) -> Pack | None:
    """Open the pack of the cache where it is whole and still that of the source.

    Args:
        source: what it should be of.
        folder: the entry.
        exclusive: whether this process has locked the entry: then a pack that is damaged or of
            another content is cleared away. Else only a pack that needs no comparison is opened.
    """
    if not (folder / HEADER).is_file():
        return None
    try:
        pack = open_pack(folder)
    except SourceError as error:
        if exclusive:
            _log.warning("%s It lies in the cache, so this is done now.", error)
            empty_entry(folder)
        return None
    if pack.header.stat_signature != source.stat_signature:
        if not exclusive:
            return None
        if _has_changed(source, pack):
            empty_entry(folder)
            return None
        pack = update_times(source, pack)
    with contextlib.suppress(OSError):
        os.utime(folder / HEADER)  # its time says when the pack was used last
    return pack


def _clear_killed() -> None:
    """Remove from the whole cache what processes were writing when they were killed.

    Where nobody packs, that is: of a source that changed meanwhile nobody goes on with the entry.
    """
    root = packs_folder()
    folders = list(root.iterdir()) if root.is_dir() else []
    for folder in folders:
        with contextlib.suppress(OSError, _BusyError, RunError):  # gone meanwhile, or in use
            if any(map(is_unfinished, folder.iterdir())):
                with locked(locks_folder(), name=f"{folder.name}.lock", error=_BusyError):
                    clear_unfinished(folder)


def _has_changed(source: PackableSource, pack: Pack) -> bool:
    """Whether contents differ from what was packed; warns of which."""
    changes = describe_changes(source, pack)
    if changes:
        _log.warning(
            "%s has changed since it was packed: %s. Packing again.", source.where, changes
        )
    return bool(changes)


def _warn_of_older_packs(source: PackableSource, plan: PackingPlan) -> None:
    """Where an older state of the same source is in the cache, say how this one differs."""
    key = (str(source.where), plan.image_px, plan.resize_mode)
    for cached in cached_packs():
        if not cached.complete or key != (cached.source, cached.image_px, cached.resize_mode):
            continue
        with contextlib.suppress(SourceError):
            old = open_pack(Path(cached.folder), verify=False)
            changes = describe_listing_changes(source, old)
            if changes:
                _log.warning(
                    "%s has changed since it was packed: %s. Packing it again; the old pack (%s) "
                    "can be removed: alexnet cache --clear %s",
                    source.where,
                    changes,
                    format_bytes(cached.bytes),
                    cached.name,
                )
            return


@contextmanager
def _exclusive_access(folder: Path) -> Generator[None]:
    """Wait until no other process packs into this entry, and keep others out meanwhile."""
    with ExitStack() as stack:
        waiting = False
        while True:
            try:
                lock = locked(locks_folder(), name=f"{folder.name}.lock", error=_BusyError)
                stack.enter_context(lock)
                break
            except _BusyError as busy:
                if busy.__cause__ is not None:  # the disk refuses: waiting would not help
                    raise SourceError(f"{busy} Or keep the pack in memory: --cache none.") from busy
                if not waiting:
                    _log.info("Waiting for a pack that another process is making: %s", busy)
                waiting = True
                time.sleep(_WAIT_S)
        yield


class _BusyError(SourceError):
    """Another process holds the entry."""
