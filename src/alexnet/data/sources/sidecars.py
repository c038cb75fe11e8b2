"""Which files are images: what lies beside them (annotations, tables, films) is passed over.

A file with the suffix of an image is one (1.jpg, 1.heic), also where it cannot be read; one with
the suffix of something else (1.json, 1.mp4) is none; of all others (1, 1.dat, 1.jpg~) the first
bytes tell.
"""

from __future__ import annotations

import functools
import struct
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.data.sources.listing import FileListing
from alexnet.data.sources.names import looks_like_image
from alexnet.errors import SourceError

__all__ = ["START_BYTES", "image_mask", "is_image_start", "needs_start"]

START_BYTES = 64
"""First bytes of a file that tell its format."""

_MAX_CHECKED = 16  # of these bytes: what Pillow itself gives to its readers

_NO_IMAGES = frozenset(["BUFR", "GRIB", "HDF5", "MPEG", "PDF"])  # Pillow knows, and reads not
# Of nearly all of a million files. All of Pillow's plugins, which know the others, take as long to
# load as an image takes to predict; without this, since any Pillow reads these.
_USUAL_ENDINGS = frozenset(["jpg", "jpeg", "png", "gif", "bmp"])
_MORE_SUFFIXES = frozenset([".heic", ".heif", ".hif", ".avif", ".jxl", ".mpo"])
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_HEIF_BRANDS = frozenset(
    [b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"avif"]
)


def image_mask(files: FileListing) -> NDArray[np.bool_]:
    """Return (N,) which files of a listing are images, or may be.

    Files with the suffix of an image count, whatever they hold; so do those that cannot be read,
    and empty ones without a suffix: what is wrong with each is said later. Of the others that no
    suffix tells, the first bytes are read.
    """
    return np.array(
        [
            path.rpartition(".")[2].lower() in _USUAL_ENDINGS or _may_be_image(files, index, path)
            for index, path in enumerate(files.paths)
        ],
        dtype=np.bool_,
    )


def _may_be_image(files: FileListing, index: int, path: str) -> bool:
    if not needs_start(path):
        return looks_like_image(path)
    if not files.sizes[index]:
        return not _suffix(path)
    try:
        return is_image_start(files.read_start(index, START_BYTES))
    except SourceError:
        return True


def needs_start(path: str) -> bool:
    """Whether a file's name leaves open what it is."""
    return looks_like_image(path) and _suffix(path) not in _image_suffixes()


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def is_image_start(start: bytes) -> bool:
    """Whether a file begins as an image of some format does.

    Args:
        start: its first 64 bytes, or all of a shorter one.
    """
    if start.startswith(_JPEG_XL) or (start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS):
        return True
    Image.init()
    prefix = start[:_MAX_CHECKED]
    return any(
        _accepts(accept, prefix)
        for name, (_, accept) in Image.OPEN.items()
        if accept is not None and name not in _NO_IMAGES
    )


def _accepts(accept: object, prefix: bytes) -> bool:
    """Ask one of Pillow's readers; some of them raise for very short files."""
    try:
        return callable(accept) and accept(prefix) is True
    except (IndexError, ValueError, TypeError, OSError, struct.error):
        return False


@functools.cache
def _image_suffixes() -> frozenset[str]:
    """Return the suffixes of the formats that Pillow knows, and of a few that others read."""
    Image.init()
    known = Image.registered_extensions().items()
    return _MORE_SUFFIXES | {suffix for suffix, name in known if name not in _NO_IMAGES}
