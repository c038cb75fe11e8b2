"""Pictures back into JPEG files, for packs that are to be small."""

from __future__ import annotations

import io
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.images.decoding import PILLOW_ERRORS
from alexnet.images.guards import absurd_claim, silence_libraries

__all__ = ["ends_early", "format_of", "format_of_suffix"]

try:  # the same kind of file, faster (extra: fast)
    import simplejpeg
except ImportError:
    simplejpeg = None

__all__ = ["encoded"]

_QUALITY = 90
"""With colours at half the resolution, a photograph of 256 pixels takes a tenth of its pixels."""


def encoded(picture: NDArray[np.uint8]) -> bytes:
    """Return a picture as a JPEG file of quality 90, colours at half the resolution.

    Args:
        picture: (H, W, 3) uint8, RGB.
    """
    if simplejpeg is not None:
        pixels = np.ascontiguousarray(picture)
        return simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorsubsampling="420")
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=_QUALITY, subsampling="4:2:0")
    return file.getvalue()


_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
}
"""First bytes of the usual formats: most files need no further look."""

_ONE_AND_THE_SAME = {"MPO": "JPEG", "DIB": "BMP"}

_MARKER, _FILL, _SCAN, _END = 0xFF, 0xFF, 0xDA, b"\xff\xd9"


def format_of(data: bytes) -> str | None:
    """Return the format of a file's content as Pillow calls it: "JPEG", "PNG"; None: unknown."""
    for start, name in _STARTS.items():
        if data.startswith(start):
            return name
    if absurd_claim(data) is not None:
        return None
    silence_libraries()
    try:
        with Image.open(io.BytesIO(data)) as picture:
            name = picture.format
    except (Image.DecompressionBombError, *PILLOW_ERRORS):
        return None
    return _ONE_AND_THE_SAME.get(name or "", name)


def format_of_suffix(path: str) -> str | None:
    """Return the format that a file's name promises; None: its suffix is no picture's."""
    Image.init()
    name = Image.registered_extensions().get(PurePosixPath(path).suffix.lower())
    return _ONE_AND_THE_SAME.get(name or "", name)


def ends_early(data: bytes) -> bool:
    """Whether the end of a JPEG, PNG or WebP is missing, be it readable or not.

    What other formats begin with says nothing of their end; for them the answer is no.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg_ends_early(data)
    if data.startswith(b"\x89PNG"):
        return data.rfind(b"IEND") < 0
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    return False


def _jpeg_ends_early(data: bytes) -> bool:
    """Walk from segment to segment up to the first scan; behind it the end mark must come.

    A thumbnail inside a segment has an end mark of its own, which does not count.
    """
    place = 2
    while place + 4 <= len(data):
        if data[place] != _MARKER:
            return False  # odd rather than cut: the decoder knows better
        if data[place + 1] == _FILL:
            place += 1
        elif data[place + 1] == _SCAN:
            return data.find(_END, place) < 0
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return True
