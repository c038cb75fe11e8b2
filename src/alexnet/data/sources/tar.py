"""Tar archives as sources of files: walked once, members read by their position.

A plain tar is read where it lies. A compressed one has no positions: it is walked once to list its
members, and only when the first image is asked for is it unpacked as a whole into a file without a
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
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, cast

from alexnet.data.sources.listing import FileListing, ListingBuilder, RandomAccessFile
from alexnet.data.sources.names import is_hidden, safe_path
from alexnet.errors import RunError, SourceError
from alexnet.files import cache_folder, disk_errors
from alexnet.images import UnreadableImage
from alexnet.progress import track
from alexnet.text import format_bytes, format_count

__all__ = ["BROKEN_ARCHIVE", "COMPRESSIONS", "OpenFile", "damaged_archive", "list_tar"]


_log = logging.getLogger(__name__)

OpenFile = Callable[[Path], IO[bytes]]

COMPRESSIONS: dict[bytes, OpenFile] = {
    b"\x1f\x8b": cast("OpenFile", gzip.open),
    b"BZh": cast("OpenFile", bz2.open),
    b"\xfd7zXZ\x00": cast("OpenFile", lzma.open),
}
"""First bytes of a compressed file, and what opens it."""

_CHUNK_BYTES = 1 << 20
_MAX_HEADER_BYTES = 1 << 20
_PROGRESS_STEP = 1000  # members

BROKEN_ARCHIVE = (
    *(tarfile.TarError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError),
    *(
        LookupError,
        OverflowError,
        MemoryError,
        RecursionError,
    ),  # of tarfile (Python 3.11 to 3.13), for headers that make no sense
)
"""What reading an archive raises where it is damaged."""


class TarReader:
    """Reads members of a tar by their position; `open_plain` is called at the first reading."""

    def __init__(self, open_plain: Callable[[], RandomAccessFile]) -> None:
        self._open_plain = open_plain
        self._file: RandomAccessFile | None = None
        self._lock = threading.Lock()

    def read(self, path: str, position: int, size: int) -> bytes:
        """Return the bytes of a member; see `FileReader`.

        Raises:
            RunError: there is no room to unpack a compressed archive.
        """
        try:
            with self._lock:
                if self._file is None:
                    self._file = self._open_plain()
            data = self._file.read(position, size)
        except OSError as cause:
            raise UnreadableImage(path, f"its archive cannot be read ({cause})") from cause
        if len(data) != size:
            raise UnreadableImage(path, "its archive is shorter than it was")
        return data


class _HeaderFile:
    """A file as tarfile reads it, header by header, within limits; keeps the last header.

    Args:
        file: the tar, unpacked while it is read.
        max_bytes: that it may have; a few thousand bytes of zeros unpack to millions.
    """

    def __init__(self, file: IO[bytes], max_bytes: float) -> None:
        self._file, self._max_bytes = file, max_bytes
        self.last_header = b""
        self.tell = file.tell

    def seek(self, position: int) -> int:
        """Go on to the next header."""
        if position > self._max_bytes:
            raise _TooLargeError
        return self._file.seek(position)

    def read(self, count: int) -> bytes:
        """Read a header; `tarfile` reads nothing else."""
        if count < 0:  # of a damaged header; it would read the file to its end
            raise tarfile.ReadError("a header of less than nothing")
        if count > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {format_bytes(count)}")
        self.last_header = self._file.read(count)
        return self.last_header

    def drain(self) -> int:
        """Read to the end, which checks a compressed file's own checksum; return its length."""
        while self._file.read(_CHUNK_BYTES):
            if self._file.tell() > self._max_bytes:
                raise _TooLargeError
        return self._file.tell()


class _TooLargeError(Exception):
    """A compressed archive needs more room than there is."""


def list_tar(where: Path, compression: OpenFile | None = None) -> FileListing:
    """Return the files in a tar, hidden and system files left out.

    Args:
        where: the archive.
        compression: opens it, where it is compressed.

    Raises:
        SourceError: it is damaged or cut off, or no tar at all.
    """
    builder = ListingBuilder()
    skipped = 0
    max_bytes = _free_bytes() if compression else math.inf
    try:
        stamp = where.stat().st_mtime_ns
        with (compression or _open_plain)(where) as file:
            headers = _HeaderFile(file, max_bytes)
            for member in _members(headers, where):
                path = safe_path(member.name)
                if path is None or not (member.isdir() or member.isreg()) or member.issparse():
                    skipped += 1
                elif is_hidden(path):
                    continue
                elif member.isdir():
                    builder.folders.add(path)
                else:
                    builder.add(path, member.size, stamp, member.offset_data)
            length = headers.drain() if compression else 0
    except _TooLargeError:
        raise _no_room(where, f"more than {format_bytes(int(max_bytes))}", int(max_bytes)) from None
    except BROKEN_ARCHIVE as cause:
        raise damaged_archive(where, str(cause), len(builder.paths)) from cause
    if skipped:
        _log.warning(
            "%s: %s passed over: links, devices, or names that lead out of the archive.",
            where,
            format_count(skipped, "member"),
        )
    if compression is None:
        return builder.build(where, TarReader(partial(RandomAccessFile.open, where)))
    return builder.build(where, TarReader(partial(_unpack, where, compression, length)))


def _open_plain(where: Path) -> IO[bytes]:
    return where.open("rb")


def _members(headers: _HeaderFile, where: Path) -> Iterator[tarfile.TarInfo]:
    """Yield the members one by one; raise where the archive does not end as archives do."""
    with (
        track(f"scanning {where.name}", None) as advance,
        tarfile.open(fileobj=cast("IO[bytes]", headers), mode="r:") as archive,
    ):
        count, end = 0, -1
        while (member := archive.next()) is not None:
            # tarfile (3.11 to 3.13) follows a negative size back to headers that it has read.
            if member.size < 0 or archive.offset <= end:
                raise tarfile.ReadError(f"a file of {member.size:,} bytes")
            end = archive.offset
            # tarfile keeps each member, a thousand bytes, and has no public way to forget it.
            members: list[tarfile.TarInfo] = vars(archive)["members"]
            members.clear()
            count += 1
            if count % _PROGRESS_STEP == 0:
                advance(_PROGRESS_STEP)
            yield member
    if not headers.last_header:
        _log.warning("%s has no end mark; it may have been cut off between two files.", where)
    elif headers.last_header.strip(b"\0"):
        raise tarfile.ReadError("it goes on with something that is no header")


def _unpack(where: Path, compression: OpenFile, length: int) -> RandomAccessFile:
    """Unpack a compressed tar into a file without a name, in the cache folder."""
    folder = cache_folder()
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    free = _free_bytes()
    if length > free:
        raise _no_room(where, format_bytes(length), free)
    with (
        disk_errors(folder),
        tempfile.TemporaryFile(dir=folder) as file,
        compression(where) as packed,
        track(f"unpacking {where.name}", length) as advance,
    ):
        while chunk := packed.read(_CHUNK_BYTES):
            file.write(chunk)
            advance(len(chunk))
        file.flush()
        return RandomAccessFile(os.dup(file.fileno()))


def _free_bytes() -> int:
    """Return the bytes that are free where compressed archives are unpacked."""
    folder = cache_folder().absolute()
    with disk_errors(folder):
        return shutil.disk_usage(
            next(parent for parent in (folder, *folder.parents) if parent.is_dir())
        ).free


def _no_room(where: Path, needed: str, free: int) -> RunError:
    return RunError(
        f"Reading {where} takes {needed} of room while it is used, and {format_bytes(free)} are "
        f"free in {cache_folder()}. Free some space, let ALEXNET_CACHE name another folder, or "
        "unpack the archive to a plain .tar."
    )


def damaged_archive(where: Path, what: str, whole: int = 0) -> SourceError:
    """Return the error for an archive that is damaged behind so many whole files."""
    before = f" after {format_count(whole, 'file')}" if whole else ""
    return SourceError(f"The archive {where} is damaged{before}: {what}. Fetch or make it again.")
