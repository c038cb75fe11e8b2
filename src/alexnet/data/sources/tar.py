"""Tar archives as sources of files: walked once, members read by their place.

A plain tar is read where it lies. A compressed one has no places: it is walked once to see what it
holds, and only when the first picture is asked for is it unpacked as a whole into a file without a
name, which the system removes by itself. Members are never written under their own names.
"""

from __future__ import annotations

import bz2
import gzip
import logging
import lzma
import math
import os
import shutil
import tarfile
import tempfile
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, cast

from alexnet.data.sources.folder import Finds, Listing
from alexnet.data.sources.names import hidden, safe_path
from alexnet.errors import RunError, SourceError
from alexnet.files import cache_folder, disk_errors
from alexnet.images import UnreadablePicture
from alexnet.progress import track
from alexnet.text import bytes_in_words, counted

__all__ = ["BROKEN", "COMPRESSIONS", "Open", "RandomAccess", "damaged", "list_tar"]


class RandomAccess:
    """An open file without a position of its own; it is closed when nobody holds it any more.

    Args:
        descriptor: of a file that is open for reading; it belongs to this object now.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def open(cls, path: Path) -> RandomAccess:
        """Open a file; raise OSError where that cannot be."""
        return cls(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)))

    def length(self) -> int:
        """Return the bytes that the file has now."""
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset` on; fewer where the file ends before."""
        data = self._read(offset, count)
        while 0 < len(data) < count:  # a system may hand out less than it could
            more = self._read(offset + len(data), count - len(data))
            if not more:
                break
            data += more
        return data

    def _read(self, offset: int, count: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, count, offset)
        with self._lock:  # Windows
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, count)


_log = logging.getLogger(__name__)

Open = Callable[[Path], IO[bytes]]

COMPRESSIONS: dict[bytes, Open] = {
    b"\x1f\x8b": cast("Open", gzip.open),
    b"BZh": cast("Open", bz2.open),
    b"\xfd7zXZ\x00": cast("Open", lzma.open),
}
"""First bytes of a compressed file, and what opens it."""

_PORTION = 1 << 20
_MOST_HEADER_BYTES = 1 << 20
_COUNTED = 1000  # members between two signs of life

BROKEN = (
    *(tarfile.TarError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError),
    *(LookupError, OverflowError, MemoryError, RecursionError),  # what tarfile stumbles over
)
"""What reading an archive raises where it is damaged."""


class TarContents:
    """Reads members of a tar by their place; `give` gives the plain tar at the first reading."""

    def __init__(self, give: Callable[[], RandomAccess]) -> None:
        self._give = give
        self._file: RandomAccess | None = None
        self._lock = threading.Lock()

    def read(self, path: str, place: int, size: int) -> bytes:
        """Return the bytes of a member; see `Contents`.

        Raises:
            RunError: there is no room to unpack a compressed archive.
        """
        try:
            with self._lock:
                if self._file is None:
                    self._file = self._give()
            data = self._file.read(place, size)
        except OSError as cause:
            raise UnreadablePicture(path, f"its archive cannot be read ({cause})") from cause
        if len(data) != size:
            raise UnreadablePicture(path, "its archive is shorter than it was")
        return data


class _Blocks:
    """A file as tarfile reads it; remembers the last header.

    Args:
        file: the tar, unpacked while it is read.
        room: bytes that it may have; a few thousand bytes of zeros unpack to millions.
    """

    def __init__(self, file: IO[bytes], room: float) -> None:
        self._file, self._room = file, room
        self.last = b""
        self.tell = file.tell

    def seek(self, place: int) -> int:
        """Go on to the next header."""
        if place > self._room:
            raise _TooLargeError
        return self._file.seek(place)

    def read(self, count: int) -> bytes:
        """Read a header; `tarfile` reads nothing else."""
        if count < 0:  # a file would be read to its end
            raise tarfile.ReadError("a header of less than nothing")
        if count > _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {bytes_in_words(count)}")
        self.last = self._file.read(count)
        return self.last

    def drain(self) -> int:
        """Read to the end, which checks a compressed file's own checksum; return its length."""
        while self._file.read(_PORTION):
            if self._file.tell() > self._room:
                raise _TooLargeError
        return self._file.tell()


class _TooLargeError(Exception):
    """A compressed archive needs more room than there is."""


def list_tar(where: Path, compression: Open | None = None) -> Listing:
    """Return the files in a tar, hidden and system files left out.

    Args:
        where: the archive.
        compression: opens it, where it is compressed.

    Raises:
        SourceError: it is damaged or cut off, or no tar at all.
    """
    finds = Finds()
    strange = 0
    room = _room() if compression else math.inf
    try:
        stamp = where.stat().st_mtime_ns
        with (compression or _plain)(where) as file:
            blocks = _Blocks(file, room)
            for member in _members(blocks, where):
                path = safe_path(member.name)
                if path is None or not (member.isdir() or member.isreg()) or member.issparse():
                    strange += 1
                elif hidden(path):
                    continue
                elif member.isdir():
                    finds.folders.add(path)
                else:
                    finds.add(path, member.size, stamp, member.offset_data)
            length = blocks.drain() if compression else 0
    except _TooLargeError:
        raise _no_room(where, f"more than {bytes_in_words(int(room))}", int(room)) from None
    except BROKEN as cause:
        raise damaged(where, str(cause), len(finds.paths)) from cause
    if strange:
        _log.warning(
            "%s: %s passed over: links, devices, or names that lead out of the archive.",
            where,
            counted(strange, "member"),
        )
    if compression is None:
        return finds.listing(where, TarContents(partial(RandomAccess.open, where)))
    give = partial(_unpacked, where, compression, length)
    return finds.listing(where, TarContents(give))


def _plain(where: Path) -> IO[bytes]:
    return where.open("rb")


def _members(blocks: _Blocks, where: Path) -> Iterator[tarfile.TarInfo]:
    """Yield the members one by one, keeping none; raise where the archive does not end well."""
    with (
        track(f"looking through {where.name}", None) as advance,
        tarfile.open(fileobj=cast("IO[bytes]", blocks), mode="r:") as archive,
    ):
        count, end = 0, -1
        while (member := archive.next()) is not None:
            if member.size < 0 or archive.offset <= end:  # it would come back here for ever
                raise tarfile.ReadError(f"a file of {member.size:,} bytes")
            end = archive.offset
            kept: list[tarfile.TarInfo] = vars(archive)["members"]
            kept.clear()  # a thousand bytes for each member otherwise
            count += 1
            if count % _COUNTED == 0:
                advance(_COUNTED)
            yield member
    if not blocks.last:
        _log.warning("%s has no end mark; it may have been cut off between two files.", where)
    elif blocks.last.strip(b"\0"):
        raise tarfile.ReadError("it goes on with something that is no header")


def _unpacked(where: Path, compression: Open, length: int) -> RandomAccess:
    """Unpack a compressed tar into a file without a name, in the cache folder's file system."""
    folder = cache_folder()
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    free = _room()
    if length > free:
        raise _no_room(where, bytes_in_words(length), free)
    with (
        disk_errors(folder),
        tempfile.TemporaryFile(dir=folder) as file,
        compression(where) as packed,
        track(f"unpacking {where.name}", length) as advance,
    ):
        while portion := packed.read(_PORTION):
            file.write(portion)
            advance(len(portion))
        file.flush()
        return RandomAccess(os.dup(file.fileno()))


def _room() -> int:
    """Return the bytes that are free where compressed archives are unpacked."""
    folder = cache_folder().absolute()
    with disk_errors(folder):
        return shutil.disk_usage(
            next(each for each in (folder, *folder.parents) if each.is_dir())
        ).free


def _no_room(where: Path, needed: str, free: int) -> RunError:
    return RunError(
        f"Reading {where} takes {needed} of room while it is used, and {bytes_in_words(free)} are "
        f"free in {cache_folder()}. Free some space, let ALEXNET_CACHE name another folder, or "
        "unpack the archive to a plain .tar."
    )


def damaged(where: Path, what: str, whole: int = 0) -> SourceError:
    """Return the error for an archive that is broken behind so many whole files."""
    before = f" after {counted(whole, 'file')}" if whole else ""
    return SourceError(f"The archive {where} is damaged{before}: {what}. Fetch or make it again.")
