"""The one decoder: the bytes of an image file become upright RGB pixels.

Training, validation, `evaluate`, `predict`, `features` and `pack` all read images through
`decode`, so that none of them sees other numbers than the others:

    format          by content, one of `FORMATS`; the file's name and suffix are never looked at
    EXIF            turned and mirrored as the camera meant it
    gray, palette   three equal channels; the palette's colors
    transparency    laid over white, as a viewer shows it
    CMYK, YCbCr...  converted to RGB by Pillow
    16 bits         divided by 257, so that 65,535 becomes 255; see `deep_formats`
    animations      the first frame
    large JPEGs     decoded at 1/2, 1/4 or 1/8 where 2.5 times the wanted side is left
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from alexnet.errors import SourceError
from alexnet.images.content import (
    avif_size,
    describe_content,
    describe_jpeg,
    is_heif,
    is_jpeg_xl,
)
from alexnet.images.conversion import to_rgb
from alexnet.images.decode_limits import exceeded_limit, has_oversized_tags, jpeg_exif
from alexnet.images.deep_formats import MissingPackage, UnsupportedKind, find_deep_image
from alexnet.images.extra_formats import register_heif
from alexnet.images.pillow import PILLOW_ERRORS, silence_pillow

try:  # the same pixels, about twice as fast (extra: fast)
    import simplejpeg
except ImportError:
    simplejpeg = None

__all__ = [
    "MAX_PIXELS",
    "DecodedImage",
    "UnreadableImage",
    "apply_orientation",
    "decode",
    "decode_unoriented",
]

MAX_PIXELS = 178_956_970
"""Images with more pixels are refused before they are decoded (Pillow's own limit)."""

_MIN_SIDE = 2

_MIN_OVERSAMPLING = 2.5
"""Times the wanted side that a reduced JPEG keeps: photographs then differ from a full decode by
less than one gray level on average; at twice the side some differ by 1.5."""

_MAX_BUFFER = 8 << 20  # bytes that a thread keeps for the pixels of its next image
_per_thread = threading.local()

_LARGE_PIXELS = 32 << 20
_large_image_lock = threading.Lock()
"""Held while a large image is decoded, so that memory holds one, however many threads there are."""

FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "QOI"),
    *("SGI", "TGA", "TIFF", "WEBP", "HEIF"),
)
"""What is decoded, as Pillow calls it. Of the others, Pillow (13.0) hands some to programs that run
what is written in the file (EPS), and unpacks some whatever their size (FITS)."""


_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"RIFF": "WebP image",
    b"\0\0\0\x0cjP  ": "JPEG 2000 image",
}


_UNKNOWN_KINDS = ("unsupported", "unimplemented", "unknown pcx mode", "unknown compression")
"""How Pillow begins what it says of kinds that it does not know."""


class UnreadableImage(SourceError):
    """An image file that cannot be used.

    Attributes:
        reason: why, without the file's name.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be read: {reason}")
        self.reason = reason


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as it lies in its file: not yet turned upright, perhaps at a part of its size."""

    pixels: NDArray[np.uint8]  # (h, w, 3), RGB
    full_size: tuple[int, int]  # height and width in full
    reduction: int  # 1, 2, 4 or 8; the last row and column may be image only in part
    orientation: int  # EXIF, 1 to 8


def decode(data: bytes, name: str) -> NDArray[np.uint8]:
    """Return an image in full, upright.

    Args:
        data: the bytes of the file.
        name: for the error.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        UnreadableImage: not an image, truncated, of too many pixels or too few.
    """
    decoded = decode_unoriented(data, name)
    return apply_orientation(decoded.pixels, decoded.orientation)


def apply_orientation(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn and mirror (H, W, 3) pixels by their EXIF orientation: 1 is upright."""
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    return np.ascontiguousarray(pixels)


def decode_unoriented(
    data: bytes, name: str, *, least_px: int | None = None, reuse_buffer: bool = False
) -> DecodedImage:
    """Decode an image as it lies in its file.

    Args:
        data: the bytes of the file.
        name: for the error.
        least_px: the shorter side that is wanted; a JPEG of more than five times that is decoded
            at a part of its size. None: always in full.
        reuse_buffer: the pixels may lie in memory that the next call of this thread overwrites.
            Fresh memory costs up to a tenth of the decoding: the system clears its pages first.

    Raises:
        UnreadableImage: not an image, truncated, of too many pixels or too few.
    """
    excess = exceeded_limit(data)
    if excess is not None:
        raise UnreadableImage(name, excess)
    if data[:3] == b"\xff\xd8\xff" and simplejpeg is not None:
        decoded = _decode_usual_jpeg(data, name, least_px, reuse_buffer)
        if decoded is not None:
            return decoded
    silence_pillow()
    try:
        decoded = _decode_deep(data, name)
        if decoded is not None:
            return decoded
        register_heif(data)
        with Image.open(io.BytesIO(data)) as image:
            return _load(image, data, name, least_px)
    except (UnsupportedKind, MissingPackage) as error:
        reason = str(error)
    except UnreadableImage:
        raise
    except Image.DecompressionBombError as error:
        reason = _describe_bomb(error)
    except UnidentifiedImageError:
        reason = _describe_unidentified(data)
    except PILLOW_ERRORS as error:
        reason = _describe_failure(error, data)
    raise UnreadableImage(name, reason)


def _load(image: Image.Image, data: bytes, name: str, least_px: int | None) -> DecodedImage:
    """Decode an image that Pillow has opened."""
    if image.format not in FORMATS:
        raise UnreadableImage(name, _describe_other_format(image, data))
    _check_size(image.size, name)
    width, height = image.size
    reduction = _choose_reduction(image.size, least_px)
    if reduction > 1:  # does nothing for other formats than JPEG
        image.draft(None, (width // reduction, height // reduction))
    with _memory_guard(image.size):
        image.load()
        reduction = 1 if image.size == (width, height) else reduction
        return DecodedImage(to_rgb(image), (height, width), reduction, _read_orientation(image))


def _decode_deep(data: bytes, name: str) -> DecodedImage | None:
    """Decode an image of a kind of which Pillow loses something; None: it is none."""
    image = find_deep_image(data)
    if image is None:
        return None
    _check_size(image.size, name)
    with _memory_guard(image.size):
        pixels = image.decode()
    if pixels is None:
        return None
    orientation = image.orientation or _orientation_of(data)
    return DecodedImage(pixels, (pixels.shape[0], pixels.shape[1]), 1, orientation)


def _memory_guard(size: tuple[int, int]) -> contextlib.AbstractContextManager[Any]:
    is_large = size[0] * size[1] > _LARGE_PIXELS
    return _large_image_lock if is_large else contextlib.nullcontext()


def _decode_usual_jpeg(
    data: bytes, name: str, least_px: int | None, reuse_buffer: bool
) -> DecodedImage | None:
    """Decode a JPEG of YCbCr or gray by libjpeg-turbo; None where Pillow should look closer.

    Both libraries give the same pixels, reduced ones too: a test holds them against each other.
    """
    jpeg: Any = simplejpeg
    try:
        height, width, space, _ = jpeg.decode_jpeg_header(data)
        if space not in ("YCbCr", "Gray"):
            return None
        _check_size((width, height), name)
        reduction = _choose_reduction((width, height), least_px)
        rows, columns = -(-height // reduction), -(-width // reduction)
        with _memory_guard((width, height)):
            pixels = jpeg.decode_jpeg(
                data,
                "RGB",
                min_height=rows,
                min_width=columns,
                min_factor=reduction,
                buffer=_thread_buffer(3 * rows * columns) if reuse_buffer else None,
            )
    except ValueError:  # damaged, or merely odd: Pillow tells the two apart
        return None
    orientation = _orientation_of(data) if jpeg_exif(data) else 1
    return DecodedImage(pixels, (height, width), reduction, orientation)


def _thread_buffer(size: int) -> NDArray[np.uint8] | None:
    """Return memory that this thread uses again and again; None where so much is not kept."""
    if size > _MAX_BUFFER:
        return None
    buffer: NDArray[np.uint8] | None = getattr(_per_thread, "buffer", None)
    if buffer is None or len(buffer) < size:
        buffer = _per_thread.buffer = np.empty(size, dtype=np.uint8)
    return buffer


def _orientation_of(data: bytes) -> int:
    silence_pillow()
    try:
        with Image.open(io.BytesIO(data)) as image:
            return _read_orientation(image)
    except PILLOW_ERRORS:
        return 1


def _read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1, upright, where it is missing or makes no sense."""
    try:
        if has_oversized_tags(_exif_block(image.info)):
            return 1
        orientation = image.getexif().get(0x0112, 1)
    except PILLOW_ERRORS:
        return 1
    if isinstance(orientation, bytes):  # a type that some programs write, and others read
        orientation = orientation[0] if len(orientation) == 1 else 1
    return orientation if orientation in range(1, 9) else 1


def _exif_block(info: Mapping[Any, Any]) -> bytes:
    """Return what Pillow would read as EXIF: a block, or a text of PNG that holds one."""
    block, text = info.get("exif"), info.get("Raw profile type exif")
    if block is None and isinstance(text, str):
        block = bytes.fromhex("".join(text.split("\n")[3:]))
    return block.removeprefix(b"Exif\0\0") if isinstance(block, bytes) else b""


def _choose_reduction(size: tuple[int, int], least_px: int | None) -> int:
    """Return by how much a JPEG may be reduced, so that a sound resize is still possible."""
    if least_px is None:
        return 1
    least = _MIN_OVERSAMPLING * least_px
    return next((factor for factor in (8, 4, 2) if min(size) // factor >= least), 1)


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise UnreadableImage(
            name, f"it has {width:,} x {height:,} pixels, and the limit is {MAX_PIXELS:,}"
        )
    if min(size) < _MIN_SIDE:
        least = f"{_MIN_SIDE} x {_MIN_SIDE}"
        raise UnreadableImage(name, f"it has {width} x {height} pixels, and the least is {least}")


def _describe_bomb(error: Image.DecompressionBombError) -> str:
    """Pillow refuses more than twice its limit by itself, and says how many pixels there are."""
    number = re.search(r"\((\d+) pixels\)", str(error))
    pixels = f"{int(number[1]):,}" if number else "too many"
    return f"it has {pixels} pixels, and the limit is {MAX_PIXELS:,}"


def _describe_other_format(image: Image.Image, data: bytes) -> str:
    return describe_content(data) or f"its format, {image.format}, is none that is read here"


def _describe_unidentified(data: bytes) -> str:
    known = describe_content(data) or describe_jpeg(data)
    size = avif_size(data)
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        return f"it has {size[0]:,} x {size[1]:,} pixels, and the limit is {MAX_PIXELS:,}"
    if known is not None:
        return known
    kind = "HEIC image" if is_heif(data) else "JPEG XL image" if is_jpeg_xl(data) else None
    kind = next((name for start, name in _STARTS.items() if data.startswith(start)), kind)
    if kind is not None:
        return f"it begins like a {kind} and is damaged or cut off"
    return "it is not an image of a format that is known here"


def _describe_failure(error: BaseException, data: bytes) -> str:
    """Say why a known format was not read: a kind that Pillow does not know, or damage."""
    if isinstance(error, MemoryError):
        return "there is too little memory to decode it, or it is damaged and asks for too much"
    text = _first_line(error)
    if (kind := describe_jpeg(data)) is not None:
        return kind
    if text.lower().startswith(_UNKNOWN_KINDS):
        known = describe_content(data)
        return (
            known or f"it is of a kind that is not read here, or damaged ({text}). Save it as PNG"
        )
    return f"it is {'cut off' if 'truncated' in text else 'damaged'} ({text})"


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
