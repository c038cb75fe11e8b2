"""What lies in the cache of packs: list it, clear it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from alexnet.data.journal import JOURNAL, read_lines
from alexnet.data.pack import HEADER, read_header
from alexnet.errors import SourceError, did_you_mean
from alexnet.files import cache_folder, disk_errors
from alexnet.locks import locked
from alexnet.records import CachedPack

__all__ = ["cached_packs", "clear_cache", "empty_entry", "locks_folder", "packs_folder"]


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
