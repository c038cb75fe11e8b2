"""At which size a set of images is trained on and evaluated, where weights take several."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from alexnet.data import Pack, Source
from alexnet.errors import RecipeError, SourceError, WeightsError
from alexnet.images import UnreadableImage, decode
from alexnet.weights import Weights

__all__ = ["SizeOfImages", "suitable_size"]

_LARGE, _SMALL = 96, 64
_LARGE_FROM = 80  # pixels of the shorter side: less has no details that 96 would show
_TRAINED_SHARE = 7 / 8  # of the side: a network sees things larger in crops than in whole images
_SAMPLE = 32


class SizeOfImages(NamedTuple):
    """Sides in pixels: of stored images, and of the crops that are trained on and evaluated."""

    image_px: int
    trained_px: int
    evaluated_px: int


def suitable_size(weights: Weights, images: Source | Pack) -> SizeOfImages:
    """Return the size that suits images, where weights for small ones take any; else their own.

    One and a half times the side that the bundled weights were trained on brings 3 to 6 points on
    photographs; more brings little, and takes time that more epochs use better.

    Args:
        weights: to begin with.
        images: of a source some are decoded; a pack has its size.
    """
    rule = weights.preprocessing
    own = SizeOfImages(rule.image_px, rule.crop_px, rule.crop_px)
    if isinstance(images, Pack):
        side = images.image_px
    else:
        side = _LARGE if _median_side(images) >= _LARGE_FROM else _SMALL
    if rule.image_px >= _LARGE:
        return own
    size = SizeOfImages(side, round(side * _TRAINED_SHARE), side)
    try:
        for crop_px in size[1:]:
            weights.resized(image_px=side, crop_px=crop_px)
    except (RecipeError, WeightsError):
        return own
    return size


def _median_side(source: Source) -> float:
    """Return the median of the shorter sides of some images, in pixels."""
    sides: list[int] = []
    for i in np.linspace(0, len(source.paths) - 1, min(_SAMPLE, len(source.paths))).astype(int):
        try:
            sides.append(min(decode(source.read(int(i)), source.paths[int(i)]).shape[:2]))
        except (UnreadableImage, SourceError):
            continue
    return float(np.median(sides)) if sides else _LARGE
