"""How a picture of any shape becomes a square: cut, squashed or padded, always antialiased."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import from_numpy  # pyright: ignore[reportUnknownVariableType]
from torch.nn import functional

from alexnet.recipe import Fit

__all__ = ["fitted", "rgb"]

_PADDING = 128  # mid-grey: near the mean of photographs


def fitted(
    picture: NDArray[np.uint8],
    side: int,
    how: Fit,
    *,
    size: tuple[int, int] | None = None,
    factor: int = 1,
) -> NDArray[np.uint8]:
    """Return a picture as a square.

    "crop" keeps the central square (section 2 of the paper: the shorter side becomes `side`, the
    rest of the longer one is cut off), "squash" changes the proportions (Caffe's documented way),
    "pad" keeps the whole picture between bars of mid-grey.

    Args:
        picture: (H, W, 3) uint8.
        side: S, in pixels, at least 1.
        how: "crop", "squash" or "pad".
        size: height and width in full, of a picture that was reduced; None: H and W.
        factor: by how much it was reduced; its last row and column may be picture only in part.

    Returns:
        (S, S, 3) uint8, of its own memory; a picture that is (S, S) already keeps its bits.
    """
    height, width = size or picture.shape[:2]
    if how == "squash":
        return _resized(picture, (0, 0, height, width), (side, side), factor)
    if how == "crop":
        edge = min(height, width)
        top, left = (height - edge) // 2, (width - edge) // 2
        return _resized(picture, (top, left, edge, edge), (side, side), factor)
    longer = max(height, width)
    inner = max(1, round(height * side / longer)), max(1, round(width * side / longer))
    padded = np.full((side, side, 3), _PADDING, dtype=np.uint8)
    top, left = (side - inner[0]) // 2, (side - inner[1]) // 2
    window = padded[top : top + inner[0], left : left + inner[1]]
    window[...] = _resized(picture, (0, 0, height, width), inner, factor)
    return padded


def _resized(
    picture: NDArray[np.uint8],
    box: tuple[int, int, int, int],
    size: tuple[int, int],
    factor: int,
) -> NDArray[np.uint8]:
    """Resize a part (top, left, height, width in full) by a triangle filter as wide as needed.

    torch is the faster and takes whole pixels; Pillow takes parts of pixels. They differ by at most
    one grey level.
    """
    top, left, height, width = box
    part = (left / factor, top / factor, (left + width) / factor, (top + height) / factor)
    if not all(edge.is_integer() for edge in part):
        whole = Image.fromarray(picture)
        return np.array(whole.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=part))
    first_column, first_row, end_column, end_row = map(int, part)
    window = picture[first_row:end_row, first_column:end_column]
    if window.shape[:2] == size:
        return np.array(window)
    # The added axis must be the first in memory too: else torch takes the pictures for planes,
    # and goes through them more than twice as slowly.
    maps = from_numpy(np.require(window, requirements="W")).unsqueeze(0).permute(0, 3, 1, 2)
    resized = functional.interpolate(maps, size, mode="bilinear", antialias=True)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())


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
