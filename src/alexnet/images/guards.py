"""What a picture file claims of itself, held against its length before a library believes it.

Readers bound what they decode by the number of pixels. Three claims take more time or memory:

    JPEG        is drawn over and over: each scan goes through the whole picture
    TIFF, EXIF  has entries that all point to the same bytes, which are read for each of them
    BMP         of a few bytes has millions of pixels, which Pillow fills one by one
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
import re
import struct
import warnings

import numpy as np
from PIL import Image

__all__ = ["MOST_SCANS", "absurd_claim", "absurd_tags", "exif_of_jpeg", "silence_libraries"]

MOST_SCANS = 100
"""Scans of a JPEG; programs write up to about twelve."""

_EXIF = b"Exif\0\0"
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.S)  # no data, no filling, no restart
_BMP_HEADER = struct.Struct("<18xii8x")  # width and height
_RUN = 255

_SCAN_MARKER, _END_MARKER = 0xDA, 0xD9

_TAG_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_WIDE_TAG_BYTES = {**_TAG_BYTES, 16: 8, 17: 8, 18: 8}


def absurd_claim(data: bytes) -> str | None:
    """Return what a file claims and nobody should believe, as a phrase; None: nothing."""
    is_jpeg = data.startswith(b"\xff\xd8\xff")
    if is_jpeg and _scan_marks(data) > MOST_SCANS:
        scans = _scans(data)
        if scans > MOST_SCANS:
            return f"it is drawn in {scans:,} scans, and the limit is {MOST_SCANS}"
    if data.startswith(b"BM") and _too_few_runs(data):
        return "it claims more pixels than its bytes can say"
    block = exif_of_jpeg(data) if is_jpeg else data
    return "its entries claim more bytes than it has" if absurd_tags(block) else None


def absurd_tags(data: bytes) -> bool:
    """Whether the first directory of a TIFF, or of EXIF, claims more bytes than there are.

    Args:
        data: from the mark of the byte order on ("II" or "MM"); anything else claims nothing.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return False
    wide = data[2:4] in (b"+\0", b"\0+")
    head, entry, count = ("Q", "HHQ", "Q") if wide else ("I", "HHI", "H")
    sizes, inline = (_WIDE_TAG_BYTES, 8) if wide else (_TAG_BYTES, 4)
    step = struct.calcsize(f"={entry}") + inline
    try:
        (start,) = struct.unpack_from(order + head, data, 8 if wide else 4)
        (entries,) = struct.unpack_from(order + count, data, start)
    except (struct.error, OverflowError):
        return False
    first = start + struct.calcsize(f"={count}")
    there = min(entries, (len(data) - first) // step)
    claimed = 0
    for place in range(first, first + there * step, step):
        _, kind, number = struct.unpack_from(order + entry, data, place)
        size = sizes.get(kind, 1) * number
        claimed += size if inline < size <= len(data) else 0  # a larger one cannot be read at all
    return claimed > 2 * len(data)


def _too_few_runs(data: bytes) -> bool:
    """Whether a BMP in run lengths, of 255 pixels in two bytes at the most, is too short."""
    if data[30:34] not in (b"\1\0\0\0", b"\2\0\0\0"):
        return False
    width, height = _BMP_HEADER.unpack_from(data)  # the compression stands behind them
    return abs(width * height) > _RUN * len(data)


def exif_of_jpeg(data: bytes) -> bytes:
    """Return what stands in the segments of EXIF before the first scan of a JPEG, put together."""
    parts: list[bytes] = []
    place = 2
    while (found := _MARKER.search(data, place)) and found[1][0] != _SCAN_MARKER:
        place = found.end()
        end = place + int.from_bytes(data[place : place + 2], "big")
        if data[place + 2 : place + 2 + len(_EXIF)] == _EXIF:
            parts.append(data[place + 2 + len(_EXIF) : end])
        place = max(end, place + 2)
    return b"".join(parts)


def _scan_marks(data: bytes) -> int:
    """Count the pairs of bytes that may begin a scan: `data.count`, in a sixth of the time."""
    even = np.frombuffer(data, dtype="<u2", count=len(data) // 2)
    odd = np.frombuffer(data, dtype="<u2", count=(len(data) - 1) // 2, offset=1)
    mark = (_SCAN_MARKER << 8) | 0xFF
    return int(np.count_nonzero(even == mark) + np.count_nonzero(odd == mark))


def _scans(data: bytes) -> int:
    """Count the scans of a JPEG: walk from marker to marker, up to the end of the picture."""
    scans, place = 0, 2
    while found := _MARKER.search(data, place):
        kind, place = found[1][0], found.end()
        if kind == _END_MARKER:
            break
        scans += kind == _SCAN_MARKER
        place += max(2, int.from_bytes(data[place : place + 2], "big"))
    return scans


_REMARKS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def silence_libraries() -> None:
    """Keep what Pillow and its libtiff remark on odd files off the screen.

    Python has no filters by thread, so the filter holds for the whole process, for Pillow alone.
    """
    if _REMARKS not in warnings.filters:
        warnings.filterwarnings("ignore", category=Warning, module=_REMARKS[3].pattern)
    _silence_pillows_log()
    _silence_libtiff()


@functools.cache
def _silence_pillows_log() -> None:
    """Keep Python from writing to the screen what Pillow logs and nobody asked for."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())


@functools.cache
def _silence_libtiff() -> None:
    """Take libtiff its handler of errors, which writes to standard error past Python.

    Pillow does so for libtiff's warnings alone. Errors still come back as failures. A library that
    was put together otherwise and does not show the function keeps its voice.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(Image.core.__file__)  # with all that it is linked to
        set_handler = library.TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)
