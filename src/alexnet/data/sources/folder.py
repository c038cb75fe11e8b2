"""Folders as sources of files: walked once, read by path."""

from __future__ import annotations

import functools
import os
from collections import Counter
from pathlib import Path

from alexnet.data.sources.file_bytes import PooledFile
from alexnet.data.sources.listing import (
    MAX_FILE_BYTES,
    FileListing,
    ListingBuilder,
    RandomAccessFile,
)
from alexnet.data.sources.names import is_ignored
from alexnet.errors import SourceError
from alexnet.images import UnreadableImage
from alexnet.text import shorten

__all__ = ["FolderReader", "list_folder"]

_MAX_LINK_PATHS = 1000
"""Paths to one folder through links: links to links to links multiply without end."""

_MAX_OPEN = 64  # archives of a folder; one that was closed is opened again when it is read

_Identity = tuple[int, int]  # device and inode: what makes two names the same folder


class FolderReader:
    """Reads files by their path relative to a folder."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)
        self._open = functools.lru_cache(maxsize=_MAX_OPEN)(RandomAccessFile.open)

    def __reduce__(self) -> tuple[type[FolderReader], tuple[Path]]:
        """Read the same folder in the other process."""
        return FolderReader, (Path(self._root),)

    def read(self, path: str, position: int, size: int) -> bytes:
        """Return the bytes of a file; see `FileReader`."""
        del position, size
        return self._read(path, MAX_FILE_BYTES)

    def read_start(self, path: str, position: int, count: int) -> bytes:
        """Return the first bytes of a file; see `FileReader`."""
        del position
        return self._read(path, count)

    def open_member(self, path: str, position: int, size: int) -> PooledFile:
        """Return a file of the folder, to be read by position."""
        del position, size
        return PooledFile(Path(self._root, path), self._open)

    def _read(self, path: str, count: int) -> bytes:
        try:
            with open(os.path.join(self._root, path), "rb") as file:  # noqa: PTH118, PTH123  # a Path for each of a million files takes as long as reading them
                return file.read(count)
        except FileNotFoundError as cause:
            raise UnreadableImage(path, "it is gone") from cause
        except (OSError, ValueError) as cause:
            reason = cause.strerror if isinstance(cause, OSError) else str(cause)
            raise UnreadableImage(path, (reason or str(cause)).lower()) from cause


def list_folder(where: Path) -> FileListing:
    """Return the files below a folder, hidden and system files left out.

    Symbolic links are followed, but never into a folder that the path leads through already. Links
    that lead nowhere are listed: reading them says that the image is gone.

    Raises:
        SourceError: a folder cannot be opened, or links lead to it on more than 1,000 ways.
    """
    builder = ListingBuilder()
    visits = Counter[_Identity]()
    waiting: list[tuple[str, tuple[_Identity, ...]]] = [("", ())]  # folder, those above it
    while waiting:
        folder, above = waiting.pop()
        full = os.path.join(where, folder) if folder else os.fspath(where)  # noqa: PTH118
        try:
            status = os.stat(full)  # noqa: PTH116
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                continue
            visits[identity] += 1
            if visits[identity] > _MAX_LINK_PATHS:
                raise SourceError(
                    f"{where}: symbolic links lead to one folder, {shorten(folder)}, on more "
                    f"than {_MAX_LINK_PATHS:,} ways. Name a folder without such links."
                )
            builder.folders.add(folder)
            waiting += [(inner, (*above, identity)) for inner in _list_one(full, folder, builder)]
        except OSError as cause:
            raise SourceError(
                f"The folder {full} cannot be opened: {(cause.strerror or str(cause)).lower()}. "
                "Give yourself the right to read it, or move it out of the way."
            ) from cause
    return builder.build(where, FolderReader(where))


def _list_one(full: str, folder: str, builder: ListingBuilder) -> list[str]:
    """Add the files of one folder; return the folders in it."""
    inner: list[str] = []
    start = f"{folder}/" if folder else ""
    with os.scandir(full) as entries:
        for entry in entries:
            if is_ignored(entry.name):
                continue
            path = start + entry.name
            try:
                if entry.is_dir():
                    inner.append(path)
                elif entry.is_file():
                    status = entry.stat()
                    builder.add(
                        path,
                        status.st_size,
                        status.st_mtime_ns,
                        time_ms=status.st_mtime_ns // 1_000_000,
                    )
                elif entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110
                    builder.add(path, 0, 0)
            except OSError:  # it vanished meanwhile, or links go round in a ring
                builder.add(path, 0, 0)
    return inner
