"""Archives as sources of files, known by their content whatever they are called."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

from alexnet.data.listing import Listing
from alexnet.data.tar_archive import BROKEN, COMPRESSIONS, damaged, list_tar
from alexnet.data.zip_archive import list_zip
from alexnet.errors import SourceError

__all__ = ["list_archive"]

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
