"""Bytes of a file by position: of one on the disk, of a part of it, of one without a name."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from alexnet.data.sources.listing import RandomAccessFile
from alexnet.files import cache_folder, disk_errors

__all__ = ["FileBytes", "FileWindow", "PooledFile", "SeekableFile", "unnamed_file"]


class FileBytes(Protocol):
    """Bytes that several threads may read at once."""

    def length(self) -> int:
        """Return how many there are."""
        ...

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset` on; fewer where they end before."""
        ...


class FileWindow:
    """A part of a file as a file: an archive that is stored in another one.

    Args:
        file: the whole.
        offset: where the part begins.
        size: its bytes.
    """

    def __init__(self, file: FileBytes, offset: int, size: int) -> None:
        self._file, self._offset, self._size = file, offset, size

    def length(self) -> int:
        """Return the bytes of the part that the file really has."""
        return max(0, min(self._size, self._file.length() - self._offset))

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes of the part; see `FileBytes`."""
        count = min(count, self._size - offset)
        return self._file.read(self._offset + offset, count) if offset >= 0 and count > 0 else b""


class PooledFile:
    """A file on the disk that is open only while it is used, or was of late.

    Args:
        path: of the file.
        open_file: opens it, or gives what it opened before; it closes what it gives up.
    """

    def __init__(self, path: Path, open_file: Callable[[Path], RandomAccessFile]) -> None:
        self._path, self._open = path, open_file

    def __reduce__(self) -> tuple[Callable[[Path], RandomAccessFile], tuple[Path]]:
        """Stay open in the other process, which has no pool."""
        return RandomAccessFile.open, (self._path,)

    def length(self) -> int:
        """Return the bytes that the file has now."""
        return self._open(self._path).length()

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes of the file; see `FileBytes`."""
        return self._open(self._path).read(offset, count)


class SeekableFile(io.RawIOBase):
    """Bytes by position as a file with one position, as `zipfile` and `tarfile` read it."""

    def __init__(self, file: FileBytes) -> None:
        super().__init__()
        self._file, self._position = file, 0

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a position; OSError for one before the beginning."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence)
        position = offset + (self._file.length() if start is None else start)
        if position < 0:
            raise OSError(f"a position of {position:,} bytes")
        self._position = position
        return position

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, all of them where no size is given."""
        rest = max(0, self._file.length() - self._position)
        data = self._file.read(
            self._position, rest if size is None or size < 0 else min(size, rest)
        )
        self._position += len(data)
        return data


def unnamed_file(write: Callable[[BinaryIO], None]) -> RandomAccessFile:
    """Return a file in the cache folder that has no name and goes when nobody holds it.

    Args:
        write: writes its content.

    Raises:
        RunError: the disk refuses.
    """
    folder = cache_folder()
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            write(file)
            file.flush()
            return RandomAccessFile(os.dup(file.fileno()))
