"""The smallest image that a model can take, found by building it without memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace

import torch

from alexnet.errors import RecipeError
from alexnet.models.builder import Options, WindowTooLargeError
from alexnet.models.network import Network
from alexnet.recipe import LARGEST_PX

__all__ = ["describe_smallest", "smallest_options"]

Build = Callable[[Options], Network]


def smallest_options(build: Build, options: Options) -> Options | None:
    """Return the options with the smallest image, or crop where one is given, that works.

    Larger inputs leave no fewer positions behind any layer, so what works for one side works for
    every larger one, and the first is found by halving.

    Args:
        build: builds the model.
        options: only their sides are changed.

    Returns:
        The options; None where no side works, or where other options than the sides are wrong.
    """
    sides = range(1, LARGEST_PX + 1)
    first = bisect_left(sides, True, key=lambda side: _fits(build, _with_side(options, side)))
    if first == len(sides):
        return None
    smallest = _with_side(options, sides[first])
    try:
        _build(build, smallest)
    except RecipeError:
        return None
    return smallest


def describe_smallest(build: Build, options: Options) -> str:
    """Return a sentence with the flags that make the model work; nothing where none do."""
    smallest = smallest_options(build, options)
    if smallest is None:
        return ""
    network = _build(build, smallest)
    sides = (("--crop-px", smallest.crop_px), ("--image-px", smallest.image_px))
    flags = " ".join(f"{name} {side}" for name, side in sides if side is not None)
    return (
        f"The smallest that work are crops of {network.crop_px} pixels from images of "
        f"{network.image_px}: {flags}."
    )


def _with_side(options: Options, side: int) -> Options:
    """Return the options with another side: the crop's where one is given, else the image's.

    An image that is given too grows with its crop where it must.
    """
    if options.crop_px is None:
        return replace(options, image_px=side)
    image_px = options.image_px
    return replace(options, crop_px=side, image_px=image_px and max(image_px, side))


def _fits(build: Build, options: Options) -> bool:
    try:
        _build(build, options)
    except WindowTooLargeError:
        return False
    except RecipeError:  # too many parameters: the windows do fit
        return True
    return True


def _build(build: Build, options: Options) -> Network:
    with torch.device("meta"):
        return build(options)
