"""The one decoder: the bytes of a picture file become upright RGB pixels.

Training, validation, `evaluate`, `predict`, `features` and `pack` all read pictures through
`decode`, so that none of them sees other numbers than the others:

    format          by content, one of `FORMATS`; the file's name and suffix are never looked at
    EXIF            turned and mirrored as the camera meant it
    grey, palette   three equal channels; the palette's colours
    transparency    laid over white, as a viewer shows it
    CMYK, YCbCr...  converted to RGB by Pillow
    16 bits         divided by 257, so that 65,535 becomes 255
    animations      the first frame
    large JPEGs     decoded at 1/2, 1/4 or 1/8 where 2.5 times the wanted side is left
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from alexnet.errors import SourceError
from alexnet.images.guards import absurd_claim, absurd_tags, exif_of_jpeg, silence_libraries
from alexnet.images.resize import rgb

try:  # the same pixels, about twice as fast (extra: fast)
    import simplejpeg
except ImportError:
    simplejpeg = None

__all__ = [
    "MOST_PIXELS",
    "PILLOW_ERRORS",
    "Decoded",
    "UnreadablePicture",
    "decode",
    "decode_as_stored",
    "turned",
]

MOST_PIXELS = 178_956_970
"""Pictures with more pixels are refused before they are decoded (Pillow's own limit)."""

_LEAST_SIDE = 2

_ENOUGH = 2.5
"""Times the wanted side that a reduced JPEG keeps: photographs then differ from a full decode by
less than one grey level on average; at twice the side some differ by 1.5."""

_MOST_SCRATCH = 8 << 20  # bytes that a thread keeps for the pixels of its next picture
_own = threading.local()

_LARGE_PIXELS = 32 << 20
_one_large = threading.Lock()
"""Held while a large picture is decoded: however many threads there are, one at a time."""

FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "QOI"),
    *("SGI", "TGA", "TIFF", "WEBP"),
)
"""What is decoded, as Pillow calls it. Of the others it hands some to programs that run what is
written in the file (EPS), and unpacks some whatever their size (FITS)."""

PILLOW_ERRORS = (
    OSError,  # truncated, unknown, of no frame
    SyntaxError,  # what Pillow's PNG and GIF readers raise
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    NotImplementedError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
)
"""What Pillow raises for files that are damaged in one way or another."""


class UnreadablePicture(SourceError):
    """A picture file that cannot be used.

    Attributes:
        reason: why, without the file's name.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be read: {reason}")
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture as it lies in its file: not yet turned, perhaps at a part of its size."""

    pixels: NDArray[np.uint8]  # (h, w, 3), RGB
    size: tuple[int, int]  # height and width in full
    factor: int  # 1, or by how much it was reduced: the last row and column may be so in part
    orientation: int  # EXIF, 1 to 8


def decode(data: bytes, name: str) -> NDArray[np.uint8]:
    """Return a picture in full, upright.

    Args:
        data: the bytes of the file.
        name: for the error.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        UnreadablePicture: not a picture, truncated, of too many pixels or too few.
    """
    found = decode_as_stored(data, name)
    return turned(found.pixels, found.orientation)


def turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn and mirror (H, W, 3) pixels by their EXIF orientation: 1 is upright."""
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    return np.ascontiguousarray(pixels)


def decode_as_stored(
    data: bytes, name: str, *, least_px: int | None = None, passing: bool = False
) -> Decoded:
    """Decode a picture as it lies in its file.

    Args:
        data: the bytes of the file.
        name: for the error.
        least_px: the shorter side that is wanted; a JPEG of more than five times that is decoded
            at a part of its size. None: always in full.
        passing: whether the pixels are used at once: they may lie in memory that the next call of
            this thread writes to. Memory that is taken anew costs up to a tenth of the decoding.

    Raises:
        UnreadablePicture: not a picture, truncated, of too many pixels or too few.
    """
    claim = absurd_claim(data)
    if claim is not None:
        raise UnreadablePicture(name, claim)
    if data[:3] == b"\xff\xd8\xff" and simplejpeg is not None:
        found = _plain_jpeg(data, name, least_px, passing)
        if found is not None:
            return found
    silence_libraries()
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return _loaded(picture, name, least_px)
    except UnreadablePicture:
        raise
    except Image.DecompressionBombError as error:
        reason = _too_many(error)
    except UnidentifiedImageError:
        reason = _unidentified(data)
    except PILLOW_ERRORS as error:
        what = "cut off" if "truncated" in str(error) else "damaged"
        reason = f"it is {what} ({_first_line(error)})"
    raise UnreadablePicture(name, reason)


def _loaded(picture: Image.Image, name: str, least_px: int | None) -> Decoded:
    """Decode a picture that Pillow has opened."""
    if picture.format not in FORMATS:
        raise UnreadablePicture(name, f"its format, {picture.format}, is none that is read here")
    _check_size(picture.size, name)
    width, height = picture.size
    factor = _factor(picture.size, least_px)
    if factor > 1:  # does nothing for other formats than JPEG
        picture.draft(None, (width // factor, height // factor))
    with _in_turn(picture.size):
        picture.load()
        factor = 1 if picture.size == (width, height) else factor
        return Decoded(rgb(picture), (height, width), factor, _orientation(picture))


def _in_turn(size: tuple[int, int]) -> contextlib.AbstractContextManager[Any]:
    large = size[0] * size[1] > _LARGE_PIXELS
    return _one_large if large else contextlib.nullcontext()


def _plain_jpeg(data: bytes, name: str, least_px: int | None, passing: bool) -> Decoded | None:
    """Decode the usual JPEG by libjpeg-turbo directly; None where Pillow should look closer.

    Both libraries give the same pixels, reduced ones too: a test holds them against each other.
    """
    jpeg: Any = simplejpeg
    try:
        height, width, space, _ = jpeg.decode_jpeg_header(data)
        if space not in ("YCbCr", "Gray"):
            return None
        _check_size((width, height), name)
        factor = _factor((width, height), least_px)
        rows, columns = -(-height // factor), -(-width // factor)
        with _in_turn((width, height)):
            pixels = jpeg.decode_jpeg(
                data,
                "RGB",
                min_height=rows,
                min_width=columns,
                min_factor=factor,
                buffer=_scratch(3 * rows * columns) if passing else None,
            )
    except ValueError:  # damaged, or merely odd: Pillow tells the two apart
        return None
    orientation = _orientation_of_jpeg(data) if exif_of_jpeg(data) else 1
    return Decoded(pixels, (height, width), factor, orientation)


def _scratch(size: int) -> NDArray[np.uint8] | None:
    """Return memory that this thread uses again and again; None where so much is not kept."""
    if size > _MOST_SCRATCH:
        return None
    kept: NDArray[np.uint8] | None = getattr(_own, "scratch", None)
    if kept is None or len(kept) < size:
        kept = _own.scratch = np.empty(size, dtype=np.uint8)
    return kept


def _orientation_of_jpeg(data: bytes) -> int:
    silence_libraries()
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return _orientation(picture)
    except PILLOW_ERRORS:
        return 1


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation; 1, upright, where it is missing or makes no sense."""
    try:
        if absurd_tags(_exif_block(picture.info)):
            return 1
        found = picture.getexif().get(0x0112, 1)
    except PILLOW_ERRORS:
        return 1
    return found if found in range(1, 9) else 1


def _exif_block(info: Mapping[Any, Any]) -> bytes:
    """Return what Pillow would read as EXIF: a block, or a text of PNG that holds one."""
    block, text = info.get("exif"), info.get("Raw profile type exif")
    if block is None and isinstance(text, str):
        block = bytes.fromhex("".join(text.split("\n")[3:]))
    return block.removeprefix(b"Exif\0\0") if isinstance(block, bytes) else b""


def _factor(size: tuple[int, int], least_px: int | None) -> int:
    """Return by how much a JPEG may be reduced, so that a sound resize is still possible."""
    if least_px is None:
        return 1
    return next((f for f in (8, 4, 2) if min(size) // f >= _ENOUGH * least_px), 1)


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise UnreadablePicture(
            name, f"it has {width:,} x {height:,} pixels, and the limit is {MOST_PIXELS:,}"
        )
    if min(size) < _LEAST_SIDE:
        least = f"{_LEAST_SIDE} x {_LEAST_SIDE}"
        raise UnreadablePicture(name, f"it has {width} x {height} pixels, and the least is {least}")


def _too_many(error: Image.DecompressionBombError) -> str:
    """Pillow refuses the largest by itself, and says how many pixels there are."""
    found = re.search(r"\((\d+) pixels\)", str(error))
    many = f"{int(found[1]):,}" if found else "too many"
    return f"it has {many} pixels, and the limit is {MOST_PIXELS:,}"


def _unidentified(data: bytes) -> str:
    if not data:
        return "it is empty"
    if data[:3] == b"\xff\xd8\xff":
        return "it begins like a JPEG and is damaged or cut off"
    return "it is not a picture of a format that Pillow reads"


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
