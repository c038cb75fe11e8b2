"""Archives as sources of files, known by their content whatever they are called; and zip files."""

from __future__ import annotations

import logging
import stat
import struct
import tarfile
import zipfile
import zlib
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from alexnet.data.sources.file_bytes import FileBytes, FileWindow, SeekableFile, unnamed_file
from alexnet.data.sources.listing import FileListing, ListingBuilder, RandomAccessFile
from alexnet.data.sources.name_encoding import name_decoder
from alexnet.data.sources.names import is_hidden, safe_path
from alexnet.data.sources.tar import BROKEN_ARCHIVE, COMPRESSIONS, damaged_archive, list_tar
from alexnet.errors import SourceError
from alexnet.images import UnreadableImage
from alexnet.text import format_count

__all__ = ["is_compressed", "list_archive", "list_inner_archive", "list_zip"]

_log = logging.getLogger(__name__)

_BLOCK = 512  # of a tar
_CHUNK_BYTES = 1 << 20
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")

_ENCRYPTED = 0x1
_UTF8 = 0x800
_UNICODE_PATH = 0x7075  # Info-ZIP's field for names that the header's own letters cannot spell

_MAX_INT64 = 2**63 - 1  # a damaged directory may hold larger numbers

_HEADER = struct.Struct("<4s22sHH")  # signature, what the directory repeats, two lengths
_USUAL_NAME_BYTES = 256  # of name and extra field: one read is then enough

_BROKEN_ZIP = (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, ValueError, struct.error)


class ZipReader:
    """Reads members of a zip where their local headers lie.

    Args:
        file: the archive.
        members: (M, 4) for each member the header's offset, packed size, CRC-32, method.
    """

    def __init__(self, file: FileBytes, members: NDArray[np.int64]) -> None:
        self._file, self._members = file, members

    def read(self, path: str, position: int, size: int) -> bytes:
        """Return the bytes of a member; see `FileReader`."""
        offset, packed, checksum, method = self._members[position].tolist()
        data = self._unpack(path, offset, packed, method, size)
        if len(data) != size or zlib.crc32(data) != checksum:
            raise UnreadableImage(path, "its archive is damaged here (its checksum differs)")
        return data

    def read_start(self, path: str, position: int, count: int) -> bytes:
        """Return the first bytes of a member; see `FileReader`."""
        offset, packed, _, method = self._members[position].tolist()
        # A deflated beginning is hardly longer than what it unpacks to.
        return self._unpack(path, offset, min(packed, 2 * count + 1024), method, count - 1)[:count]

    def open_member(self, path: str, position: int, size: int) -> FileBytes:
        """Return a member as a file; it is unpacked into one without a name where it is packed."""
        offset, packed, _, method = self._members[position].tolist()
        if method == zipfile.ZIP_STORED:
            try:
                return FileWindow(self._file, self._data_offset(offset), packed)
            except (OSError, ValueError, struct.error) as cause:
                raise damaged_archive(Path(path), str(cause)) from cause
        return unnamed_file(lambda file: self._unpack_into(file, path, position, size))

    def _unpack_into(self, file: BinaryIO, path: str, position: int, size: int) -> None:
        """Unpack a deflated member step by step."""
        offset, packed, _, _ = self._members[position].tolist()
        place, end = self._data_offset(offset), self._data_offset(offset) + packed
        decompressor, written = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while place < end and not decompressor.eof:
            chunk = self._file.read(place, min(_CHUNK_BYTES, end - place))
            if not chunk:
                break
            data = decompressor.decompress(chunk)
            written += len(data)
            place += len(chunk)
            if written > size:
                break
            file.write(data)
        if written != size:
            raise UnreadableImage(path, "its archive is damaged here (its length differs)")

    def _unpack(self, path: str, offset: int, packed: int, method: int, size: int) -> bytes:
        try:
            data = self._read_packed(offset, packed)
            if method == zipfile.ZIP_DEFLATED:
                # One byte more than the directory says: what unpacks to more is found out.
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
        except (OSError, ValueError, struct.error, zlib.error) as cause:
            raise UnreadableImage(path, f"its archive is damaged here ({cause})") from cause
        return data

    def _data_offset(self, offset: int) -> int:
        signature, _, name, extra = _HEADER.unpack(self._file.read(offset, _HEADER.size))
        if signature != b"PK\x03\x04":
            raise ValueError("no header where one should be")
        return offset + _HEADER.size + name + extra

    def _read_packed(self, offset: int, packed: int) -> bytes:
        """Read header and data at once, and the rest where the header is unusually long."""
        if not 0 <= offset <= offset + packed <= self._file.length():  # else memory for nothing
            raise ValueError("it would lie outside of the archive")
        head = self._file.read(offset, _HEADER.size + _USUAL_NAME_BYTES + packed)
        signature, _, name, extra = _HEADER.unpack_from(head)
        if signature != b"PK\x03\x04":
            raise ValueError("no header where one should be")
        start = _HEADER.size + name + extra
        data = head[start : start + packed]
        if len(data) < packed:
            data = self._file.read(offset + start, packed)
        return data


def list_zip(
    where: Path, *, file: FileBytes | None = None, name_encoding: str | None = None
) -> FileListing:
    """Return the files in a zip, hidden and system files left out.

    Args:
        where: the archive, or what it is called in messages.
        file: its bytes, where they lie in another archive.
        name_encoding: of names of which the archive does not say it; None: as they are told by.

    Raises:
        SourceError: the archive is damaged, encrypted, or packed by a rare method.
    """
    file, members = _open_zip(where, file)
    names = _decode_names(where, members, name_encoding)
    builder, columns = ListingBuilder(), array("q")
    skipped = 0
    for member, name in zip(members, names, strict=True):
        path = safe_path(name)
        if path is None or _is_special(member):
            skipped += 1
        elif is_hidden(path):
            continue
        elif name.endswith("/"):
            builder.folders.add(path)
        else:
            _require_readable(where, member, path)
            size = min(member.file_size, _MAX_INT64)
            time = _time_ms(member)
            builder.add(path, size, member.CRC, position=len(columns) // 4, time_ms=time)
            offset, packed = member.header_offset, member.compress_size
            columns.extend([min(offset, _MAX_INT64), min(packed, _MAX_INT64)])
            columns.extend([member.CRC, member.compress_type])
    if skipped:
        _log.warning(
            "%s: %s passed over: links, or names that lead out of the archive.",
            where,
            format_count(skipped, "member"),
        )
    return builder.build(where, ZipReader(file, np.array(columns, np.int64).reshape(-1, 4)))


def _time_ms(member: zipfile.ZipInfo) -> int:
    """Return when a member was last written, to two seconds; 0 where that is no date."""
    try:
        return int(datetime(*member.date_time, tzinfo=UTC).timestamp()) * 1000
    except ValueError:
        return 0


def _open_zip(where: Path, file: FileBytes | None) -> tuple[FileBytes, list[zipfile.ZipInfo]]:
    """Open a zip and read its directory."""
    try:
        if file is None:
            file = RandomAccessFile.open(where)
        with zipfile.ZipFile(cast("IO[bytes]", SeekableFile(file))) as archive:
            return file, archive.infolist()
    except _BROKEN_ZIP as cause:
        what = str(cause)
        is_whole = file is not None and zipfile.is_zipfile(cast("IO[bytes]", SeekableFile(file)))
        if isinstance(cause, zipfile.BadZipFile) and not is_whole:
            what = "the directory at its end is missing, so it was cut off"
        raise damaged_archive(where, what) from cause


def _require_readable(where: Path, member: zipfile.ZipInfo, path: str) -> None:
    """Raise SourceError for what could not be read later."""
    if member.flag_bits & _ENCRYPTED:
        raise SourceError(
            f"The archive {where} is encrypted: {path} needs a password. Unpack it and name the "
            "folder."
        )
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SourceError(
            f"The archive {where} packs {path} by the method {member.compress_type}; only stored "
            "(0) and deflated (8) members can be read in place. Unpack it and name the folder."
        )


def _is_special(member: zipfile.ZipInfo) -> bool:
    """Whether a member made on a Unix is neither file nor folder but a link or a device."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    return member.create_system == 3 and kind not in (0, stat.S_IFREG, stat.S_IFDIR)


def _decode_names(
    where: Path, members: Sequence[zipfile.ZipInfo], encoding: str | None
) -> list[str]:
    """Return the members' names in Unicode.

    A zip says of a name that it is UTF-8, or brings it again in UTF-8. Many programs do neither;
    the format says the code page of the first PCs then, and they write whatever their system has.
    """
    names = [_known_name(member) for member in members]
    raw = {
        i: members[i].orig_filename.encode("cp437") for i, name in enumerate(names) if name is None
    }
    decode = name_decoder(where, raw.values(), encoding)
    decoded = [decode(raw[i]) if name is None else name for i, name in enumerate(names)]
    return [
        name.replace("\\", "/") if member.create_system == 0 else name
        for name, member in zip(decoded, members, strict=True)
    ]


def _known_name(member: zipfile.ZipInfo) -> str | None:
    """Return a name whose letters the archive tells; None: it does not."""
    name = member.orig_filename
    if member.flag_bits & _UTF8:
        return name
    told = _unicode_path(member.extra, name.encode("cp437"))
    return name if told is None and name.isascii() else told


def _unicode_path(extra: bytes, letters: bytes) -> str | None:
    """Return the name in Info-ZIP's own field, where it belongs to this name."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and len(body) >= 5 and body[0] == 1:
            (checksum,) = struct.unpack_from("<I", body, 1)
            if checksum == zlib.crc32(letters):
                return body[5:].decode("utf-8", "replace")
    return None


def list_archive(where: Path, *, name_encoding: str | None = None) -> FileListing | None:
    """Return the files in an archive; None: it is something else, or cannot be opened.

    Args:
        where: the archive.
        name_encoding: of names of which the archive does not say it; None: as they are told by.

    Raises:
        SourceError: an archive that is damaged, encrypted, or holds one compressed file.
    """
    try:
        if not where.is_file():  # opening a pipe would wait until somebody writes to it
            return None
        with where.open("rb") as file:
            start = file.read(_BLOCK)
    except (OSError, ValueError):
        return None
    if start.startswith(_ZIP_STARTS):
        return list_zip(where, name_encoding=name_encoding)
    for first, open_packed in COMPRESSIONS.items():
        if start.startswith(first):
            try:
                with open_packed(where) as packed:
                    block = packed.read(_BLOCK)
            except BROKEN_ARCHIVE as cause:
                raise damaged_archive(where, str(cause)) from cause
            if not _is_tar_header(block):
                raise SourceError(
                    f"{where} is one compressed file and no archive: pack the folder of images "
                    "as .tar.gz, or unpack it."
                )
            return list_tar(where, open_packed, name_encoding=name_encoding)
    if _is_tar_header(start):
        return list_tar(where, name_encoding=name_encoding)
    # A zip may follow a program that unpacks it. Tables and images have no such end.
    if start.startswith(b"MZ") and zipfile.is_zipfile(where):
        return list_zip(where, name_encoding=name_encoding)
    return None


def list_inner_archive(
    where: Path, file: FileBytes, *, name_encoding: str | None = None
) -> FileListing:
    """Return the files in an archive that is a file of another one.

    Args:
        where: what it is called in messages.
        file: its bytes.
        name_encoding: as for `list_archive`.

    Raises:
        SourceError: it is damaged, compressed as a whole, or no archive.
    """
    start = file.read(0, _BLOCK)
    if start.startswith(_ZIP_STARTS):
        return list_zip(where, file=file, name_encoding=name_encoding)
    if len(start) == _BLOCK and _is_tar_header(start):
        return list_tar(where, file=file, name_encoding=name_encoding)
    what = "is compressed as a whole" if is_compressed(file) else "is neither a tar nor a zip"
    raise SourceError(
        f"{where} has the name of an archive among archives, and {what}. Unpack these archives, "
        "each into a folder of its own, or take away what is none."
    )


def is_compressed(file: FileBytes) -> bool:
    """Whether a file is compressed as a whole, as .tar.gz is."""
    return file.read(0, _BLOCK).startswith(tuple(COMPRESSIONS))


def _is_tar_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return block == bytes(_BLOCK)  # the end mark: an archive of nothing
    return True
