"""When an image was taken, as the camera wrote it into the file (EXIF)."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime
from typing import Any

from PIL import ExifTags, Image

from alexnet.images.decode_limits import has_oversized_tags, jpeg_exif
from alexnet.images.pillow import PILLOW_ERRORS, silence_pillow

__all__ = ["UNKNOWN_TIME", "capture_time"]

UNKNOWN_TIME = 0

_JPEG = b"\xff\xd8"
_TIFF = (b"II*\0", b"MM\0*")
_OTHERS = {b"\x89PNG": b"eXIf", b"RIFF": b"EXIF"}  # format by its start, and the name of its chunk
_EXIF = b"Exif\0\0"
_TIME_FORMAT = "%Y:%m:%d %H:%M:%S"
_LONGEST = 32  # letters of a time


def capture_time(data: bytes) -> int:
    """Return when an image was taken: DateTimeOriginal with SubSecTimeOriginal.

    Cameras write local time without saying where; so are these numbers, as if it were UTC.

    Args:
        data: an image file; of JPEG, PNG, WebP and TIFF the time is read.

    Returns:
        Milliseconds since 1970; `UNKNOWN_TIME`, 0, where the file does not say it.
    """
    silence_pillow()
    try:
        block = _exif_block(data)
        return _time_of(_exif_directory(block)) if block else UNKNOWN_TIME
    except (*PILLOW_ERRORS, struct.error, ValueError, OverflowError):
        return UNKNOWN_TIME


def _exif_block(data: bytes) -> bytes:
    """Return EXIF from the mark of its byte order on; empty where there is none."""
    if data.startswith(_JPEG):
        return jpeg_exif(data)
    if data.startswith(_TIFF):
        return data
    chunk = _OTHERS.get(data[:4])
    if chunk is None or chunk not in data:
        return b""
    with Image.open(io.BytesIO(data)) as image:
        block = image.info.get("exif", b"")
    return block.removeprefix(_EXIF) if isinstance(block, bytes) else b""


def _exif_directory(block: bytes) -> dict[int, Any]:
    """Return the tags of the camera's own directory, to which one of the first one points."""
    if has_oversized_tags(block):
        return {}
    first = Image.Exif()
    first.load(block)
    start = first.get(ExifTags.IFD.Exif)
    if not isinstance(start, int) or not 8 <= start < len(block):
        return {}
    # Read as if it were the first directory, so that its declared sizes are held against the limit.
    order = "<" if block[:2] == b"II" else ">"
    moved = block[:4] + struct.pack(f"{order}I", start) + block[8:]
    if has_oversized_tags(moved):
        return {}
    camera = Image.Exif()
    camera.load(moved)
    return dict(camera)


def _time_of(tags: dict[int, Any]) -> int:
    text = tags.get(ExifTags.Base.DateTimeOriginal)
    if not isinstance(text, str) or len(text) > _LONGEST:
        return UNKNOWN_TIME
    moment = datetime.strptime(text.strip("\0 "), _TIME_FORMAT).replace(tzinfo=UTC)
    parts = tags.get(ExifTags.Base.SubsecTimeOriginal)
    digits = parts.strip("\0 ")[:3] if isinstance(parts, str) else ""
    fraction = int(digits.ljust(3, "0")) if digits.isdecimal() and digits.isascii() else 0
    return max(int(moment.timestamp()) * 1000 + fraction, UNKNOWN_TIME)
