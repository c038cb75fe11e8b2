"""Decode limits: what a file declares, held against its length before a library acts on it.

Decoders bound their work by the number of pixels. Three things take more time or memory:

    JPEG        each scan goes through the whole image, and a file may have any number of them
    TIFF, EXIF  entries may all point to the same bytes, which Pillow reads for each of them
    BMP         in run lengths, a few bytes declare millions of pixels, filled one by one
"""

from __future__ import annotations

import re
import struct
import threading

import numpy as np

from alexnet.kernels.late import LateKernels

__all__ = ["MAX_SCANS", "exceeded_limit", "has_oversized_tags", "jpeg_exif"]

MAX_SCANS = 100
"""Scans of a JPEG; programs write up to about twelve."""

_EXIF = b"Exif\0\0"
_LONGEST_KEPT = 1 << 20  # bytes of a file that a thread holds until it has looked at the next one
_latest = threading.local()
_kernels = LateKernels("byte_pairs")
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.S)  # no data, no filling, no restart
_SCAN_MARKER, _END_MARKER = 0xDA, 0xD9

_BMP_SIZE = struct.Struct("<18xii8x")  # width and height
_BMP_RUN_LENGTHS = (b"\1\0\0\0", b"\2\0\0\0")  # 8 and 4 bits a pixel
_LONGEST_RUN = 255  # pixels in two bytes

_TAG_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BIG_TAG_BYTES = {**_TAG_BYTES, 16: 8, 17: 8, 18: 8}  # of BigTIFF


def exceeded_limit(data: bytes) -> str | None:
    """Return which limit a file exceeds, as a phrase; None: none."""
    is_jpeg = data.startswith(b"\xff\xd8\xff")
    if is_jpeg and _count_scan_bytes(data) > MAX_SCANS:
        scans = _count_scans(data)
        if scans > MAX_SCANS:
            return f"it is drawn in {scans:,} scans, and the limit is {MAX_SCANS}"
    if data.startswith(b"BM") and _has_too_few_runs(data):
        return "it claims more pixels than its bytes can say"
    block = jpeg_exif(data) if is_jpeg else data
    return "its entries claim more bytes than it has" if has_oversized_tags(block) else None


def has_oversized_tags(data: bytes) -> bool:
    """Whether the first directory of a TIFF, or of EXIF, declares more bytes than there are.

    Args:
        data: from the mark of the byte order on ("II" or "MM"); anything else has no directory.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return False
    is_big = data[2:4] in (b"+\0", b"\0+")
    head, entry, count = ("Q", "HHQ", "Q") if is_big else ("I", "HHI", "H")
    sizes, inline = (_BIG_TAG_BYTES, 8) if is_big else (_TAG_BYTES, 4)
    step = struct.calcsize(f"={entry}") + inline
    try:
        (start,) = struct.unpack_from(order + head, data, 8 if is_big else 4)
        (entries,) = struct.unpack_from(order + count, data, start)
    except (struct.error, OverflowError):
        return False
    first = start + struct.calcsize(f"={count}")
    readable = min(entries, (len(data) - first) // step)
    declared = 0
    for offset in range(first, first + readable * step, step):
        _, kind, number = struct.unpack_from(order + entry, data, offset)
        size = sizes.get(kind, 1) * number
        # A value of up to `inline` bytes lies in its entry; one larger than the file is not read.
        declared += size if inline < size <= len(data) else 0
    return declared > 2 * len(data)


def jpeg_exif(data: bytes) -> bytes:
    """Return the EXIF segments before the first scan of a JPEG, joined.

    Decoding, turning upright and the time of one file each ask for them: the last ones are kept.
    """
    if getattr(_latest, "data", None) is data:
        return _latest.exif
    exif = _find_exif(data)
    if len(data) <= _LONGEST_KEPT:
        _latest.data, _latest.exif = data, exif
    return exif


def _find_exif(data: bytes) -> bytes:
    """Walk from segment to segment up to the first scan."""
    parts: list[bytes] = []
    offset = 2
    while marker := _MARKER.search(data, offset):
        offset = marker.end()
        if data[offset - 1] == _SCAN_MARKER:
            break
        end = offset + int.from_bytes(data[offset : offset + 2], "big")
        if data.startswith(_EXIF, offset + 2):
            parts.append(data[offset + 2 + len(_EXIF) : end])
        offset = max(end, offset + 2)
    return b"".join(parts)


def _has_too_few_runs(data: bytes) -> bool:
    """Whether a BMP in run lengths is too short for the pixels that it declares."""
    if data[30:34] not in _BMP_RUN_LENGTHS:
        return False
    width, height = _BMP_SIZE.unpack_from(data)
    return abs(width * height) > _LONGEST_RUN * len(data)


def _count_scan_bytes(data: bytes) -> int:
    """Count the pairs of bytes that may begin a scan: `data.count`, in a sixth of the time."""
    numbers = np.frombuffer(data, dtype=np.uint8)
    if (kernels := _kernels.get()) is not None:
        return kernels.count_pairs(numbers, 0xFF, _SCAN_MARKER)
    pairs = numbers[:-1] == 0xFF
    pairs &= numbers[1:] == _SCAN_MARKER
    return int(np.count_nonzero(pairs))


def _count_scans(data: bytes) -> int:
    """Count the scans of a JPEG: walk from marker to marker, up to the end of the image."""
    scans, offset = 0, 2
    while marker := _MARKER.search(data, offset):
        kind, offset = marker[1][0], marker.end()
        if kind == _END_MARKER:
            break
        scans += kind == _SCAN_MARKER
        offset += max(2, int.from_bytes(data[offset : offset + 2], "big"))
    return scans
