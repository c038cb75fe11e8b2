"""Archives as sources of files, known by their content whatever they are called."""

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

from alexnet.data.sources.folder import Finds, Listing
from alexnet.data.sources.names import hidden, safe_path
from alexnet.data.sources.tar import BROKEN, COMPRESSIONS, RandomAccess, damaged, list_tar
from alexnet.errors import SourceError
from alexnet.images import UnreadablePicture
from alexnet.text import counted

__all__ = ["list_archive", "list_zip"]

_log = logging.getLogger(__name__)

_ENCRYPTED = 0x1
_UTF8 = 0x800
_UNICODE_PATH = 0x7075  # Info-ZIP's field for names that the header's own letters cannot spell

_MOST = 2**63 - 1  # what a column holds; a directory may claim more

_HEADER = struct.Struct("<4s22sHH")  # signature, what the directory repeats, two lengths
_GUESS = 256  # bytes of name and extra field that are usually enough

_BROKEN = (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, ValueError, struct.error)


class ZipContents:
    """Reads members of a zip where their local headers lie.

    Args:
        file: the archive.
        members: (M, 4) for each member the header's offset, packed size, CRC-32, method.
    """

    def __init__(self, file: RandomAccess, members: NDArray[np.int64]) -> None:
        self._file, self._members = file, members

    def read(self, path: str, place: int, size: int) -> bytes:
        """Return the bytes of a member; see `Contents`."""
        offset, packed, checksum, method = self._members[place].tolist()
        try:
            data = self._packed(offset, packed)
            if method == zipfile.ZIP_DEFLATED:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
        except (OSError, ValueError, struct.error, zlib.error) as cause:
            raise UnreadablePicture(path, f"its archive is damaged here ({cause})") from cause
        if len(data) != size or zlib.crc32(data) != checksum:
            raise UnreadablePicture(path, "its archive is damaged here (its checksum differs)")
        return data

    def _packed(self, offset: int, packed: int) -> bytes:
        """Read header and data at once, and the rest where the header is unusually long."""
        if not 0 <= offset <= offset + packed <= self._file.length():  # else memory for nothing
            raise ValueError("it would lie outside of the archive")
        head = self._file.read(offset, _HEADER.size + _GUESS + packed)
        signature, _, name, extra = _HEADER.unpack_from(head)
        if signature != b"PK\x03\x04":
            raise ValueError("no header where one should be")
        start = _HEADER.size + name + extra
        data = head[start : start + packed]
        if len(data) < packed:
            data = self._file.read(offset + start, packed)
        return data


def list_zip(where: Path) -> Listing:
    """Return the files in a zip, hidden and system files left out.

    Raises:
        SourceError: the archive is damaged, encrypted, or packed by a rare method.
    """
    file, members = _opened(where)
    finds, columns = Finds(), array("q")
    strange = 0
    for member in members:
        name = _name(member)
        path = safe_path(name)
        if path is None or _is_link(member):
            strange += 1
        elif hidden(path):
            continue
        elif name.endswith("/"):
            finds.folders.add(path)
        else:
            _check(where, member, path)
            size = min(member.file_size, _MOST)
            finds.add(path, size, member.CRC, place=len(columns) // 4)
            columns.extend([min(member.header_offset, _MOST), min(member.compress_size, _MOST)])
            columns.extend([member.CRC, member.compress_type])
    if strange:
        _log.warning(
            "%s: %s passed over: links, or names that lead out of the archive.",
            where,
            counted(strange, "member"),
        )
    return finds.listing(where, ZipContents(file, np.array(columns, np.int64).reshape(-1, 4)))


def _opened(where: Path) -> tuple[RandomAccess, list[zipfile.ZipInfo]]:
    """Open a zip and read its directory."""
    try:
        file = RandomAccess.open(where)
        with zipfile.ZipFile(where) as archive:
            return file, archive.infolist()
    except _BROKEN as cause:
        what = str(cause)
        if isinstance(cause, zipfile.BadZipFile) and not zipfile.is_zipfile(where):
            what = "the directory at its end is missing, so it was cut off"
        raise SourceError(
            f"The archive {where} is damaged: {what}. Fetch or make it again."
        ) from cause


def _check(where: Path, member: zipfile.ZipInfo, path: str) -> None:
    """Refuse what could not be read later."""
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


def _is_link(member: zipfile.ZipInfo) -> bool:
    """Whether a member made on a Unix is a link, a device or another thing than file or folder."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    return member.create_system == 3 and kind not in (0, stat.S_IFREG, stat.S_IFDIR)


def _name(member: zipfile.ZipInfo) -> str:
    """Return a member's name in Unicode.

    Many programs write UTF-8 without saying so; then the name reads as UTF-8, which other code
    pages hardly ever do. What is left is the code page of the first PCs, as the format says.
    """
    name = member.orig_filename
    if not member.flag_bits & _UTF8:
        letters = name.encode("cp437")
        name = _unicode_path(member.extra, letters) or _utf8(letters) or name
    return name.replace("\\", "/") if member.create_system == 0 else name


def _utf8(letters: bytes) -> str | None:
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


_BLOCK = 512


def list_archive(where: Path) -> Listing | None:
    """Return the files in an archive; None: it is something else, or nobody can open it.

    Raises:
        SourceError: an archive that is damaged, encrypted, or holds one compressed file.
    """
    try:
        if not where.is_file():  # opening a pipe would wait for ever
            return None
        with where.open("rb") as file:
            start = file.read(_BLOCK)
    except (OSError, ValueError):
        return None
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return list_zip(where)
    for first, opened in COMPRESSIONS.items():
        if start.startswith(first):
            try:
                with opened(where) as packed:
                    block = packed.read(_BLOCK)
            except BROKEN as cause:
                raise damaged(where, str(cause)) from cause
            if not _begins_a_tar(block):
                raise SourceError(
                    f"{where} is one compressed file and no archive: pack the folder of pictures "
                    "as .tar.gz, or unpack it."
                )
            return list_tar(where, opened)
    if _begins_a_tar(start):
        return list_tar(where)
    # A zip may follow a program that unpacks it. Tables and pictures have no such end.
    return list_zip(where) if start.startswith(b"MZ") and zipfile.is_zipfile(where) else None


def _begins_a_tar(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return block == bytes(_BLOCK)  # the end mark: an archive of nothing
    return True
