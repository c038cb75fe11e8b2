"""File formats: which one a content or a name has, whether its end is missing, and writing JPEG."""

from __future__ import annotations

import io
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.images.content import is_heif, is_jpeg_xl
from alexnet.images.decode_limits import exceeded_limit
from alexnet.images.pillow import PILLOW_ERRORS, silence_pillow

try:  # the same kind of file, faster (extra: fast)
    import simplejpeg
except ImportError:
    simplejpeg = None

__all__ = ["detect_format", "encode_jpeg", "format_from_suffix", "is_truncated"]

_QUALITY = 90
"""With colors at half the resolution, a photograph of 256 pixels takes a tenth of its pixels."""

_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
}
"""First bytes of the usual formats: most files need no further look."""

_ALIASES = {"MPO": "JPEG", "DIB": "BMP"}  # Pillow's names of what others call by one name

_EXTRA_SUFFIXES = {".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF", ".jxl": "JXL"}
"""Of formats that other packages read."""

_MARKER, _FILL, _SCAN, _END = 0xFF, 0xFF, 0xDA, b"\xff\xd9"


def encode_jpeg(image: NDArray[np.uint8]) -> bytes:
    """Return an image as a JPEG file of quality 90, colors at half the resolution.

    Args:
        image: (H, W, 3) uint8, RGB.
    """
    if simplejpeg is not None:
        pixels = np.ascontiguousarray(image)
        return simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorsubsampling="420")
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=_QUALITY, subsampling="4:2:0")
    return file.getvalue()


def detect_format(data: bytes) -> str | None:
    """Return the format of a file's content as Pillow calls it: "JPEG", "PNG"; None: unknown."""
    for start, name in _STARTS.items():
        if data.startswith(start):
            return name
    if is_heif(data) or is_jpeg_xl(data):  # also where no package is there to read them
        return "HEIF" if is_heif(data) else "JXL"
    if exceeded_limit(data) is not None:
        return None
    silence_pillow()
    try:
        with Image.open(io.BytesIO(data)) as image:
            name = image.format
    except (Image.DecompressionBombError, *PILLOW_ERRORS):
        return None
    return _ALIASES.get(name or "", name)


def format_from_suffix(path: str) -> str | None:
    """Return the format that a file's name promises; None: its suffix is no image's."""
    Image.init()
    suffix = PurePosixPath(path).suffix.lower()
    name = _EXTRA_SUFFIXES.get(suffix) or Image.registered_extensions().get(suffix)
    return _ALIASES.get(name or "", name)


def is_truncated(data: bytes) -> bool:
    """Whether the end of a JPEG, PNG or WebP is missing, whether it can be read or not.

    What other formats begin with says nothing of their end; for them the result is False.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return _is_truncated_jpeg(data)
    if data.startswith(b"\x89PNG"):
        return data.rfind(b"IEND") < 0
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    return False


def _is_truncated_jpeg(data: bytes) -> bool:
    """Walk from segment to segment up to the first scan; behind it the end mark must come.

    A thumbnail inside a segment has an end mark of its own, which does not count.
    """
    offset = 2
    while offset + 4 <= len(data):
        if data[offset] != _MARKER:
            return False  # odd rather than truncated: the decoder knows better
        if data[offset + 1] == _FILL:
            offset += 1
        elif data[offset + 1] == _SCAN:
            return data.find(_END, offset) < 0
        else:
            offset += 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
    return True
