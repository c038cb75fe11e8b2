"""PNG of 16 bits a sample, and gray with one transparent level, where Pillow loses something.

Pillow (13.0) keeps the high bytes of 16 bits of color, knows no transparent level of 16 bits, and
compares that of 2 and 4 bits with levels that it has spread to 8. Here the file is decoded twice,
for the high and for the low bytes, and laid over white before it is rounded
(findings/pillow-png-transparency.sh).

Source: Portable Network Graphics (PNG) Specification, third edition (W3C, 2025), sections 11.2 and
11.3.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["decode_png", "png_size"]

_START = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">8sI4sIIBBBBB")  # start, IHDR and its length, size, depth, color, methods
_GRAY, _RGB, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 4, 6
_STRIP_PIXELS = 1 << 20  # converted at once


def png_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG of a kind that `decode_png` reads; None: another one."""
    if not data.startswith(_START) or len(data) < _HEADER.size:
        return None
    _, _, name, width, height, depth, color, *_ = _HEADER.unpack_from(data)
    if name != b"IHDR" or not (depth == 16 or (color == _GRAY and depth in (2, 4))):
        return None
    return width, height


def decode_png(data: bytes) -> NDArray[np.uint8] | None:
    """Return the pixels of such a PNG; None: one of 2 or 4 bits that Pillow reads right.

    Args:
        data: the file, for which `png_size` knows a size that is allowed.

    Returns:
        (H, W, 3) uint8.

    Raises:
        OSError, ValueError, SyntaxError: a damaged file.
    """
    depth, color = data[24], data[25]
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        image.load()
        clear = image.info.get("transparency")
        if depth < 16:
            if not isinstance(clear, int):
                return None
            spread = 255 // (2**depth - 1)
            return _gray_with_clear_level(np.asarray(image.convert("L")), clear * spread, 1)
        if color == _GRAY:
            return _gray_with_clear_level(np.asarray(image), clear, 257)
        high = np.asarray(image)
    if color == _GRAY_ALPHA:
        # The same bytes are those of RGBA of 8 bits: gray and alpha, each in two.
        four = _first_frame(_with_color(data, depth=8, color=_RGB_ALPHA))
        return _over_white(four[:, :, [0, 2]], four[:, :, [1, 3]], None)
    low = _low_bytes(data)
    return _over_white(high, low, clear if color == _RGB else None)


def _gray_with_clear_level(
    levels: NDArray[np.uint8] | NDArray[np.uint16], clear: int | None, divisor: int
) -> NDArray[np.uint8]:
    gray = np.rint(levels / divisor).astype(np.uint8)
    if clear is not None:
        gray[levels == clear] = 255
    return np.repeat(gray[:, :, None], 3, axis=2)


def _low_bytes(data: bytes) -> NDArray[np.uint8]:
    """Decode once more, and keep the other byte of each number."""
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        image.tile = [
            tile._replace(args=str(tile.args).replace("16B", "16L")) for tile in image.tile
        ]
        image.load()
        return np.asarray(image)


def _first_frame(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        return np.asarray(image)


def _with_color(data: bytes, *, depth: int, color: int) -> bytes:
    """Return a PNG with other kinds of pixels in its header, and the header's checksum."""
    header = bytearray(data[12:29])
    header[12], header[13] = depth, color
    return data[:12] + bytes(header) + struct.pack(">I", zlib.crc32(header)) + data[33:]


def _over_white(
    high: NDArray[np.uint8], low: NDArray[np.uint8], clear: tuple[int, ...] | None
) -> NDArray[np.uint8]:
    """Join high and low bytes of (H, W, 1 to 4) samples, the last one alpha of 2 and 4."""
    height, width, samples = high.shape
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    step = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, step):
        rows = slice(top, top + step)
        numbers = high[rows].astype(np.float64) * 256 + low[rows]
        levels = numbers[:, :, :3] if samples > 2 else numbers[:, :, :1]
        if samples in (2, 4):
            alpha = numbers[:, :, -1:] / 65535
            levels = levels * alpha + 65535 * (1 - alpha)
        if clear is not None:
            levels[(levels == clear).all(axis=2)] = 65535
        pixels[rows] = np.rint(levels / 257).astype(np.uint8)
    return pixels
