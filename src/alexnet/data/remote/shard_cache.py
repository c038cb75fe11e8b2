"""The cache of what was fetched: whole files of packs, bounded, shared by a machine's processes.

Each pack has a folder under a name made of its fingerprint, so that a pack that changed is another
one, and copies of one pack share a folder. A file is written beside under its lock and renamed: who
finds it finds it whole. Files of packs that nobody has open make room, the one that was used the
longest ago first; those of a pack that is open stay, for what is read in random order would else be
fetched again and again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from alexnet.errors import AlexNetError, RecipeError, SourceError
from alexnet.files import cache_folder, disk_errors
from alexnet.locks import locked
from alexnet.text import format_bytes

__all__ = ["BusyError", "ShardCache", "cache_limit", "remote_folder"]

_log = logging.getLogger(__name__)

_WAIT_S = 0.05
_FREE_SHARE = 0.5
_UNFINISHED = ".unfinished"
_USER = ".user-"


def remote_folder() -> Path:
    """Return the folder that holds one folder for each pack that was fetched."""
    return cache_folder() / "remote"


def _locks() -> Path:
    return cache_folder() / "locks"


def cache_limit(cache_gb: float | None) -> int:
    """Return how many bytes of shards the cache may keep.

    Args:
        cache_gb: as asked for; None: half of the free disk, where what the cache holds is free.

    Raises:
        RecipeError: a number under 0, or none.
    """
    if cache_gb is None:
        root = remote_folder()
        there = next(each for each in (root, *root.parents) if each.exists())
        return int(_FREE_SHARE * (shutil.disk_usage(there).free + _bytes_held()))
    if not 0 <= cache_gb < float("inf"):
        raise RecipeError(f"cache_gb must be 0 or more GB; got {cache_gb}.")
    return int(cache_gb * 1e9)


class ShardCache:
    """What the cache holds of one pack, and its part in what is held of all.

    Args:
        name: of the pack's folder.
        limit: bytes of all packs together.
    """

    def __init__(self, name: str, limit: int) -> None:
        self.name, self.limit = name, limit
        self.folder = remote_folder() / name
        self._uses = ExitStack()
        user = f"{name}{_USER}{os.getpid()}-{uuid.uuid4().hex[:8]}"
        with _alone("remote-space"):
            self._uses.enter_context(locked(_locks(), name=user, error=SourceError))
        self._user = _locks() / user

    def close(self) -> None:
        """Let others make room of this pack's files."""
        with contextlib.suppress(OSError):
            self._user.unlink(missing_ok=True)
        self._uses.close()

    def find(self, name: str, size: int | None = None) -> Path | None:
        """Return the path of a file that is there and has `size` bytes; note that it is used."""
        path = self.folder / name
        with contextlib.suppress(OSError):
            if size is None or path.stat().st_size == size:
                os.utime(path)
                return path
        return None

    def discard(self, name: str) -> None:
        """Remove a file that turned out to be damaged."""
        with contextlib.suppress(OSError):
            (self.folder / name).unlink()

    def add(
        self,
        name: str,
        size: int | None,
        write: Callable[[BinaryIO], None],
        *,
        wait: bool,
        keep: bool = False,
    ) -> Path | None:
        """Return a file of the cache, written now where it is not there.

        Args:
            name: of the file.
            size: bytes that it has; None: not known.
            write: fills the file, open for reading and writing.
            wait: until another process that writes it is done.
            keep: whatever the limit.

        Returns:
            Its path; None where there is no room for it, or the disk refuses.

        Raises:
            BusyError: another process writes it, and `wait` is false.
            SourceError: what `write` raises.
        """
        if (path := self.find(name, size)) is not None:
            return path
        with ExitStack() as stack:
            stack.enter_context(_alone(f"{self.name}.{name}", wait=wait))
            if (path := self.find(name, size)) is not None:
                return path
            beside = self.folder / f".{name}{_UNFINISHED}"
            try:
                return self._write(beside, self.folder / name, size, write, keep=keep)
            except OSError as cause:
                _log.warning(
                    "%s cannot be kept in %s (%s); it is read from the store again.",
                    name,
                    self.folder,
                    cause.strerror or cause,
                )
                return None
            finally:
                with contextlib.suppress(OSError):
                    beside.unlink(missing_ok=True)
                with contextlib.suppress(
                    OSError
                ):  # who waits for it looks whether it is still there
                    (_locks() / f"{self.name}.{name}.lock").unlink()

    def _write(
        self,
        beside: Path,
        path: Path,
        size: int | None,
        write: Callable[[BinaryIO], None],
        *,
        keep: bool,
    ) -> Path | None:
        with _alone("remote-space"):
            if not (self._make_room(size or 0) or keep):
                return None
            self.folder.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.truncate(size or 0)  # so that others count it
        with beside.open("r+b") as file:
            write(file)
        beside.replace(path)
        return path

    def _make_room(self, size: int) -> bool:
        """Remove files of packs that nobody has open until there is room; return whether there is.

        Nothing is removed where that would not make enough room.
        """
        free = self.limit - _bytes_held()
        if free >= size:
            return True
        spare = sorted(_spare_files(), key=lambda each: each[0])
        if free + sum(bytes_ for _, bytes_, _ in spare) < size:
            return False
        for _, bytes_, path in spare:
            if free >= size:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                free += bytes_
                _log.debug("%s made room in the cache (%s).", path, format_bytes(bytes_))
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # where it was the last one
        return free >= size


def _files() -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files of all packs."""
    root = remote_folder()
    for folder in root.iterdir() if root.is_dir() else ():
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                with contextlib.suppress(OSError):  # renamed or removed meanwhile
                    yield path, path.stat()


def _bytes_held() -> int:
    return sum(status.st_size for _, status in _files())


def _spare_files() -> list[tuple[float, int, Path]]:
    """Return when each file was used last that nobody needs, its bytes, and where it is."""
    used = _used_packs()
    return [
        (status.st_mtime, status.st_size, path)
        for path, status in _files()
        if path.parent.name not in used or _is_abandoned(path)
    ]


def _used_packs() -> set[str]:
    """Return the names of the packs that a living process has open."""
    used: set[str] = set()
    for path in _locks().glob(f"*{_USER}*"):
        try:
            with locked(path.parent, name=path.name, error=BusyError):
                path.unlink(missing_ok=True)  # of a process that was killed
        except BusyError:
            used.add(path.name.partition(_USER)[0])
        except (AlexNetError, OSError):
            continue
    return used


def _is_abandoned(path: Path) -> bool:
    """Whether a killed process was writing this file."""
    if not path.name.endswith(_UNFINISHED):
        return False
    name = f"{path.parent.name}.{path.name[1 : -len(_UNFINISHED)]}"
    with contextlib.suppress(BusyError), _alone(name, wait=False):
        return True
    return False


@contextmanager
def _alone(name: str, *, wait: bool = True) -> Generator[None]:
    """Hold a lock of the cache in the block; wait while another process or thread holds it.

    Raises:
        SourceError: the disk refuses.
        BusyError: it is held, and `wait` is false.
    """
    with ExitStack() as stack:
        while True:
            try:
                with disk_errors(_locks(), SourceError):
                    stack.enter_context(locked(_locks(), name=f"{name}.lock", error=BusyError))
                break
            except BusyError as busy:
                if busy.__cause__ is not None:  # the disk failed: waiting does not help
                    raise SourceError(str(busy)) from busy
                if not wait:
                    raise
                time.sleep(_WAIT_S)
        yield


class BusyError(SourceError):
    """Another process or thread holds the lock."""
