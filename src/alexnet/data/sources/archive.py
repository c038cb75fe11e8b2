"""Archives as sources of files, known by their content whatever they are called; and zip files."""

from __future__ import annotations

import logging
import stat
import struct
import tarfile
import zipfile
import zlib
from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.sources.listing import FileListing, ListingBuilder, RandomAccessFile
from alexnet.data.sources.names import is_hidden, safe_path
from alexnet.data.sources.tar import BROKEN_ARCHIVE, COMPRESSIONS, damaged_archive, list_tar
from alexnet.errors import SourceError
from alexnet.images import UnreadableImage
from alexnet.text import format_count

__all__ = ["list_archive", "list_zip"]

_log = logging.getLogger(__name__)

_BLOCK = 512  # of a tar

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

    def __init__(self, file: RandomAccessFile, members: NDArray[np.int64]) -> None:
        self._file, self._members = file, members

    def read(self, path: str, position: int, size: int) -> bytes:
        """Return the bytes of a member; see `FileReader`."""
        offset, packed, checksum, method = self._members[position].tolist()
        try:
            data = self._read_packed(offset, packed)
            if method == zipfile.ZIP_DEFLATED:
                # One byte more than the directory says: what unpacks to more is found out.
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
        except (OSError, ValueError, struct.error, zlib.error) as cause:
            raise UnreadableImage(path, f"its archive is damaged here ({cause})") from cause
        if len(data) != size or zlib.crc32(data) != checksum:
            raise UnreadableImage(path, "its archive is damaged here (its checksum differs)")
        return data

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


def list_zip(where: Path) -> FileListing:
    """Return the files in a zip, hidden and system files left out.

    Raises:
        SourceError: the archive is damaged, encrypted, or packed by a rare method.
    """
    file, members = _open_zip(where)
    builder, columns = ListingBuilder(), array("q")
    skipped = 0
    for member in members:
        name = _decode_name(member)
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
            builder.add(path, size, member.CRC, position=len(columns) // 4)
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


def _open_zip(where: Path) -> tuple[RandomAccessFile, list[zipfile.ZipInfo]]:
    """Open a zip and read its directory."""
    try:
        file = RandomAccessFile.open(where)
        with zipfile.ZipFile(where) as archive:
            return file, archive.infolist()
    except _BROKEN_ZIP as cause:
        what = str(cause)
        if isinstance(cause, zipfile.BadZipFile) and not zipfile.is_zipfile(where):
            what = "the directory at its end is missing, so it was cut off"
        raise SourceError(
            f"The archive {where} is damaged: {what}. Fetch or make it again."
        ) from cause


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


def _decode_name(member: zipfile.ZipInfo) -> str:
    """Return a member's name in Unicode.

    Many programs write UTF-8 without saying so; then the name reads as UTF-8, which other code
    pages hardly ever do. What is left is the code page of the first PCs, as the format says.
    """
    name = member.orig_filename
    if not member.flag_bits & _UTF8:
        letters = name.encode("cp437")
        name = _unicode_path(member.extra, letters) or _decode_utf8(letters) or name
    return name.replace("\\", "/") if member.create_system == 0 else name


def _decode_utf8(letters: bytes) -> str | None:
    try:
        return letters.decode("utf-8")
    except UnicodeDecodeError:
        return None


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


def list_archive(where: Path) -> FileListing | None:
    """Return the files in an archive; None: it is something else, or cannot be opened.

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
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return list_zip(where)
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
            return list_tar(where, open_packed)
    if _is_tar_header(start):
        return list_tar(where)
    # A zip may follow a program that unpacks it. Tables and images have no such end.
    return list_zip(where) if start.startswith(b"MZ") and zipfile.is_zipfile(where) else None


def _is_tar_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return block == bytes(_BLOCK)  # the end mark: an archive of nothing
    return True
