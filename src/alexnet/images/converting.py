"""From a loaded picture of any mode to RGB: a large one strip by strip, never a second time whole.

Legend: H, W height and width of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["rgb"]

_STRIP_PIXELS = 4 << 20
_WHITE = (255, 255, 255, 255)
_CLEAR = ("RGBA", "LA", "PA", "RGBa")


def rgb(picture: Image.Image) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8: transparency over white, 16 bits and more brought to 8."""
    convert = _converter(picture)
    width, height = picture.size
    if width * height <= _STRIP_PIXELS:
        return convert(picture)
    found = np.empty((height, width, 3), dtype=np.uint8)
    top = 0
    for strip in _strips(picture):
        found[top : top + strip.size[1]] = convert(strip)
        top += strip.size[1]
    return found


def _strips(picture: Image.Image) -> Iterator[Image.Image]:
    width, height = picture.size
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield picture.crop((0, top, width, min(height, top + rows)))


def _converter(picture: Image.Image) -> Callable[[Image.Image], NDArray[np.uint8]]:
    """Return what turns the picture, or a strip of it, to (h, W, 3)."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return partial(_deep_grey, scale=_scale(picture))
    if picture.mode in _CLEAR or "transparency" in picture.info:
        return _over_white
    return _plain


def _plain(strip: Image.Image) -> NDArray[np.uint8]:
    return np.array(strip if strip.mode == "RGB" else strip.convert("RGB"))


def _over_white(strip: Image.Image) -> NDArray[np.uint8]:
    layer = strip.convert("RGBA")
    ground = Image.new("RGBA", layer.size, _WHITE)
    return np.array(Image.alpha_composite(ground, layer).convert("RGB"))


def _deep_grey(strip: Image.Image, scale: float) -> NDArray[np.uint8]:
    levels = np.clip(np.rint(_numbers(strip) * scale), 0, 255).astype(np.uint8)
    return np.repeat(levels[:, :, None], 3, axis=2)


def _scale(picture: Image.Image) -> float:
    """Return what 16 bits, 32 bits or floating point are multiplied by.

    Floating point has no agreed white: where nothing exceeds 1, 1 is white; where something
    exceeds 255, 65,535 is.
    """
    if picture.mode != "F":
        return 1 / 257
    most = max(float(_numbers(strip).max(initial=0.0)) for strip in _strips(picture))
    return 255.0 if most <= 1 else 1.0 if most <= 255 else 1 / 257


def _numbers(strip: Image.Image) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # some forms of what is no number are said when cast
        return np.nan_to_num(np.asarray(strip, dtype=np.float64), nan=0.0)
