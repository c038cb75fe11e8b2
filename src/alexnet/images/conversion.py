"""From the pixels of any file format to RGB of 8 bits: transparency over white, 16 bits to 8."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["to_gray", "to_rgb", "white_of_floats"]

_STRIP_PIXELS = 4 << 20  # converted at once: the float64 of a large image would not fit into memory
_LUMA_BITS = 15
_LUMA = np.array([9798, 19235, 3735], dtype=np.int32)  # of 1 << 15: OpenCV's (4.14) own numbers
_WHITE = (255, 255, 255, 255)
_LARGEST_OF_WHITE = {1.0: 16.0, 255.0: 510.0}
"""Up to which number an image has that white: resampling overshoots it, and lamps outshine it."""

_TRANSPARENT_MODES = ("RGBA", "LA", "PA", "RGBa")


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8: transparency over white, 16 bits and more brought to 8."""
    convert = _converter(image)
    width, height = image.size
    if width * height <= _STRIP_PIXELS:
        return convert(image)
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    top = 0
    for strip in _strips(image):
        pixels[top : top + strip.size[1]] = convert(strip)
        top += strip.size[1]
    return pixels


def to_gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 of three equal channels: the luma, rounded as OpenCV's cvtColor does.

    Caffe reads images for networks of one channel so: whole gray levels, 0.299 R + 0.587 G +
    0.114 B in 15 bits. Pillow's has 16 and differs in one pixel of 800, by one level.

    Args:
        pixels: (H, W, 3) uint8, RGB.
    """
    gray = np.empty_like(pixels, order="C")
    rows = max(1, _STRIP_PIXELS // max(1, pixels.shape[1]))
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows].astype(np.int32)
        luma = (strip @ _LUMA + (1 << (_LUMA_BITS - 1))) >> _LUMA_BITS
        gray[top : top + rows] = luma[:, :, None]
    return gray


def white_of_floats(largest: float) -> float:
    """Return which number of floating point is white: 1, 255 or 65,535; no format says it.

    Args:
        largest: of the finite numbers of the image.
    """
    fitting = (white for white, limit in _LARGEST_OF_WHITE.items() if largest <= limit)
    return next(fitting, 65535.0)


def _strips(image: Image.Image) -> Iterator[Image.Image]:
    width, height = image.size
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield image.crop((0, top, width, min(height, top + rows)))


def _converter(image: Image.Image) -> Callable[[Image.Image], NDArray[np.uint8]]:
    """Return what turns the image, or a strip of it, to (h, W, 3)."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return partial(_convert_deep_gray, factor=_gray_factor(image))
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        return _convert_over_white
    return _convert_opaque


def _convert_opaque(strip: Image.Image) -> NDArray[np.uint8]:
    return np.array(strip if strip.mode == "RGB" else strip.convert("RGB"))


def _convert_over_white(strip: Image.Image) -> NDArray[np.uint8]:
    layer = strip.convert("RGBA")
    ground = Image.new("RGBA", layer.size, _WHITE)
    return np.array(Image.alpha_composite(ground, layer).convert("RGB"))


def _convert_deep_gray(strip: Image.Image, factor: float) -> NDArray[np.uint8]:
    levels = np.rint(np.clip(_finite(strip), 0, 255 / factor) * factor).astype(np.uint8)
    return np.repeat(levels[:, :, None], 3, axis=2)


def _gray_factor(image: Image.Image) -> float:
    """Return what 16 bits, 32 bits or floating point are multiplied by."""
    if image.mode != "F":
        return 1 / 257
    strips = (np.asarray(strip) for strip in _strips(image))
    largest = max(float(strip[np.isfinite(strip)].max(initial=0.0)) for strip in strips)
    return 255.0 / white_of_floats(largest)


def _finite(strip: Image.Image) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # numpy (2.4) warns of some NaNs when it casts them
        return np.nan_to_num(np.asarray(strip, dtype=np.float64), nan=0.0)
