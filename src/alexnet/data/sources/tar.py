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
import posixpath
import shutil
import tarfile
import threading
import weakref
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, cast

from alexnet.data.sources.file_bytes import FileBytes, FileWindow, SeekableFile, unnamed_file
from alexnet.data.sources.listing import FileListing, ListingBuilder, RandomAccessFile
from alexnet.data.sources.name_encoding import name_decoder
from alexnet.data.sources.names import is_hidden, safe_path
from alexnet.data.sources.sidecars import START_BYTES, needs_start
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
_MAX_OPEN = 32  # unpacked tars at once; some systems allow 256 files
_LATEST_S = 253_402_300_800  # the year 10,000
_MAX_LINK_STEPS = 40  # from link to link, as systems have it

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
    """Reads members of a tar by their position.

    Args:
        open_plain: gives the tar as it is unpacked; called at the first reading, and again where
            many others were read since.
        starts: by position the first bytes of some members, known without unpacking the tar.
    """

    def __init__(
        self, open_plain: Callable[[], FileBytes], starts: Mapping[int, bytes] | None = None
    ) -> None:
        self._open_plain = open_plain
        self._starts = starts or {}
        self._file: FileBytes | None = None
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[TarReader], tuple[object, ...]]:
        """Open the tar anew in the other process."""
        return TarReader, (self._open_plain, dict(self._starts))

    def read(self, path: str, position: int, size: int) -> bytes:
        """Return the bytes of a member; see `FileReader`.

        Raises:
            RunError: there is no room to unpack a compressed archive.
        """
        try:
            data = self._plain().read(position, size)
        except OSError as cause:
            raise UnreadableImage(path, f"its archive cannot be read ({cause})") from cause
        if len(data) != size:
            raise UnreadableImage(path, "its archive is shorter than it was")
        return data

    def read_start(self, path: str, position: int, count: int) -> bytes:
        """Return the first bytes of a member; see `FileReader`."""
        if position in self._starts:
            return self._starts[position][:count]
        try:
            return self._plain().read(position, count)
        except OSError as cause:
            raise UnreadableImage(path, f"its archive cannot be read ({cause})") from cause

    def open_member(self, path: str, position: int, size: int) -> FileBytes:
        """Return a member as a file."""
        del path
        return FileWindow(self._plain(), position, size)

    def _plain(self) -> FileBytes:
        with self._lock:
            file = self._file
            if file is None:
                file = self._file = self._open_plain()
        _RECENT.use(self)
        return file

    def close(self) -> None:
        """Give the unpacked file up; threads that are reading it go on."""
        self._file = None


class _RecentReaders:
    """The readers that were used last: a system opens only so many files at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._readers: OrderedDict[int, weakref.ref[TarReader]] = OrderedDict()
        self._lock = threading.Lock()

    def use(self, reader: TarReader) -> None:
        """Note that a reader is used; close those whose use lies back furthest."""
        key, oldest = id(reader), list[TarReader | None]()
        with self._lock:
            self._readers[key] = weakref.ref(reader)
            self._readers.move_to_end(key)
            while len(self._readers) > self._most:
                oldest.append(self._readers.popitem(last=False)[1]())
        for each in filter(None, oldest):
            each.close()


_RECENT = _RecentReaders(_MAX_OPEN)


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

    def peek(self, position: int, count: int) -> bytes:
        """Return the first bytes of a member's data, before the next header."""
        self._file.seek(position)
        return self._file.read(count)

    def drain(self) -> int:
        """Read to the end, which checks a compressed file's own checksum; return its length."""
        while self._file.read(_CHUNK_BYTES):
            if self._file.tell() > self._max_bytes:
                raise _TooLargeError
        return self._file.tell()


class _TooLargeError(Exception):
    """A compressed archive needs more room than there is."""


def list_tar(
    where: Path,
    compression: OpenFile | None = None,
    *,
    file: FileBytes | None = None,
    name_encoding: str | None = None,
) -> FileListing:
    """Return the files in a tar, hidden and system files left out.

    Args:
        where: the archive, or what it is called in messages.
        compression: opens it, where it is compressed.
        file: its bytes, where it is a file of another archive.
        name_encoding: of names that are no UTF-8; None: as they are told by.

    Raises:
        SourceError: it is damaged or cut off, or no tar at all.
    """
    listed = _Members(is_compressed=compression is not None)
    max_bytes = _free_bytes() if compression else math.inf
    try:
        stamp = where.stat().st_mtime_ns if file is None else 0
        with _open_tar(where, compression, file) as opened:
            headers = _HeaderFile(opened, max_bytes)
            for member in _members(headers, where):
                listed.add(member, headers, stamp)
            length = headers.drain() if compression else 0
    except _TooLargeError:
        raise _no_room(where, f"more than {format_bytes(int(max_bytes))}", int(max_bytes)) from None
    except BROKEN_ARCHIVE as cause:
        raise damaged_archive(where, str(cause), len(listed.builder.paths)) from cause
    builder = listed.finish(where, stamp, name_encoding)
    if file is not None:
        return builder.build(where, TarReader(lambda: file))
    if compression is None:
        return builder.build(where, TarReader(partial(RandomAccessFile.open, where)))
    unpack = partial(_unpack, where, compression, length)
    return builder.build(where, TarReader(unpack, listed.starts))


class _Members:
    """The members of a tar that were met so far."""

    def __init__(self, *, is_compressed: bool) -> None:
        self.builder = ListingBuilder()
        self.starts: dict[int, bytes] = {}  # of files whose names leave open what they are
        self._is_compressed = is_compressed
        self._hidden: dict[str, tuple[int, int]] = {}  # size and position: links may lead there
        self._links: list[tuple[str, str | None]] = []  # path and target
        self._skipped = 0

    def add(self, member: tarfile.TarInfo, headers: _HeaderFile, stamp: int) -> None:
        """Take one member."""
        path = safe_path(member.name)
        if path is None or member.issparse():
            self._skipped += 1
        elif member.islnk() or member.issym():
            if not is_hidden(path):
                self._links.append((path, _link_target(member)))
        elif not (member.isdir() or member.isreg()):
            self._skipped += 1
        elif is_hidden(path):
            if member.isreg():
                self._hidden[path] = member.size, member.offset_data
        elif member.isdir():
            self.builder.folders.add(path)
        else:
            time_ms = int(member.mtime * 1000) if 0 < member.mtime < _LATEST_S else 0
            self.builder.add(path, member.size, stamp, member.offset_data, time_ms)
            if self._is_compressed and member.size and needs_start(path):
                self.starts[member.offset_data] = headers.peek(member.offset_data, START_BYTES)

    def finish(self, where: Path, stamp: int, name_encoding: str | None) -> ListingBuilder:
        """Follow the links, decode the names, and say what was passed over."""
        self._follow_links(stamp)
        if self._skipped:
            _log.warning(
                "%s: %s passed over: links, devices, or names that lead out of the archive.",
                where,
                format_count(self._skipped, "member"),
            )
        _decode_names(where, self.builder, name_encoding)
        return self.builder

    def _follow_links(self, stamp: int) -> None:
        """List links as the files of the archive that they lead to, also by way of other links."""
        if not self._links:
            return
        builder = self.builder
        places = zip(builder.sizes, builder.positions, strict=True)
        known: dict[str, tuple[int, int]] = {**self._hidden}
        known.update(zip(builder.paths, places, strict=True))
        links: list[tuple[str, str | None]] = self._links
        for _ in range(_MAX_LINK_STEPS):
            for path, target in links:
                if target is not None and target in known:
                    known[path] = known[target]
                    builder.add(path, known[path][0], stamp, known[path][1])
            count = len(links)
            links = [link for link in links if link[0] not in known]
            if len(links) in (0, count):
                break
        self._skipped += len(links)


def _link_target(member: tarfile.TarInfo) -> str | None:
    """Return the path in the archive that a link leads to; None: it leads out of it."""
    if member.islnk():
        return safe_path(member.linkname)
    if member.linkname.startswith("/"):
        return None
    joined = posixpath.join(posixpath.dirname(member.name), member.linkname)
    return safe_path(posixpath.normpath(joined))


def _decode_names(where: Path, builder: ListingBuilder, encoding: str | None) -> None:
    """Decode the names that are no UTF-8, which tarfile gives with a surrogate for each byte."""

    def raw(name: str) -> bytes:
        return name.encode("utf-8", "surrogateescape")

    odd = {name for name in [*builder.paths, *builder.folders] if not _is_unicode(name)}
    if odd:
        decode = name_decoder(where, map(raw, sorted(odd)), encoding, or_bytes=True)
        builder.paths = [decode(raw(name)) if name in odd else name for name in builder.paths]
        builder.folders = {decode(raw(name)) if name in odd else name for name in builder.folders}


def _is_unicode(name: str) -> bool:
    return name.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in name)


def _open_tar(where: Path, compression: OpenFile | None, file: FileBytes | None) -> IO[bytes]:
    if file is not None:
        return cast("IO[bytes]", SeekableFile(file))
    return (compression or _open_plain)(where)


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
    free = _free_bytes()
    if length > free:
        raise _no_room(where, format_bytes(length), free)

    def write(file: BinaryIO) -> None:
        with compression(where) as packed, track(f"unpacking {where.name}", length) as advance:
            while chunk := packed.read(_CHUNK_BYTES):
                file.write(chunk)
                advance(len(chunk))

    return unnamed_file(write)


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
