"""How an image of any shape becomes a square: crop, squash or pad, always antialiased."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.images.antialias import antialias_resize
from alexnet.kernels.late import LateKernels
from alexnet.recipe import ResizeMode

__all__ = ["resize_to_square", "resize_without_torch"]

_PADDING = 128  # mid-gray: near the mean of photographs
_kernels = LateKernels("resample")
_loads_torch = True


def resize_without_torch() -> None:
    """Resize by numpy from now on in this process, as long as nothing else loads torch.

    The bits are the same, and a few images are resized sooner than torch is loaded.
    """
    global _loads_torch
    _loads_torch = False


def resize_to_square(
    image: NDArray[np.uint8],
    side: int,
    resize_mode: ResizeMode,
    *,
    full_size: tuple[int, int] | None = None,
    reduction: int = 1,
) -> NDArray[np.uint8]:
    """Return an image as a square.

    "crop" keeps the central square (section 2 of the paper: the shorter side becomes `side`, the
    rest of the longer one is cut off), "squash" changes the proportions (Caffe's documented way),
    "pad" keeps the whole image between bars of mid-gray.

    Args:
        image: (H, W, 3) uint8.
        side: S, in pixels, at least 1.
        resize_mode: "crop", "squash" or "pad".
        full_size: height and width in full, of an image that was reduced; None: H and W.
        reduction: by how much it was reduced; its last row and column may be image only in part.

    Returns:
        (S, S, 3) uint8, of its own memory; an image that is (S, S) already keeps its bits.
    """
    height, width = full_size or image.shape[:2]
    if resize_mode == "squash":
        return _resize(image, (0, 0, height, width), (side, side), reduction)
    if resize_mode == "crop":
        edge = min(height, width)
        top, left = (height - edge) // 2, (width - edge) // 2
        return _resize(image, (top, left, edge, edge), (side, side), reduction)
    longer = max(height, width)
    inner = max(1, round(height * side / longer)), max(1, round(width * side / longer))
    padded = np.full((side, side, 3), _PADDING, dtype=np.uint8)
    top, left = (side - inner[0]) // 2, (side - inner[1]) // 2
    window = padded[top : top + inner[0], left : left + inner[1]]
    window[...] = _resize(image, (0, 0, height, width), inner, reduction)
    return padded


def _resize(
    image: NDArray[np.uint8],
    box: tuple[int, int, int, int],
    size: tuple[int, int],
    reduction: int,
) -> NDArray[np.uint8]:
    """Resize a box (top, left, height, width in full) by a triangle filter as wide as needed.

    Pillow takes parts of pixels; it differs from the others by at most one gray level. Those take
    whole pixels and have the same bits: a kernel is the fastest where there are many images, numpy
    the soonest where there are few.
    """
    top, left, height, width = box
    right, bottom = left + width, top + height
    edges = (left / reduction, top / reduction, right / reduction, bottom / reduction)
    if not all(edge.is_integer() for edge in edges):
        bilinear = Image.Resampling.BILINEAR
        return np.array(Image.fromarray(image).resize((size[1], size[0]), bilinear, box=edges))
    first_column, first_row, end_column, end_row = map(int, edges)
    window = image[first_row:end_row, first_column:end_column]
    if window.shape[:2] == size:
        return np.array(window)
    if (kernels := _kernels.get()) is not None and kernels.takes(image, first_column, size):
        return _resize_by_kernel(kernels, image, (first_row, first_column, *window.shape[:2]), size)
    if not (_loads_torch or "torch" in sys.modules):
        return np.ascontiguousarray(antialias_resize(window, size))
    return _resize_by_torch(window, size)


def _resize_by_kernel(
    kernels: Any, image: NDArray[np.uint8], window: tuple[int, int, int, int], size: tuple[int, int]
) -> NDArray[np.uint8]:
    resized = np.empty((*size, 3), dtype=np.uint8)
    fixed = image.view()
    fixed.flags.writeable = False  # to numba writable arrays are of another type: one is compiled
    kernels.resample(fixed, *window, resized, 0, 0, *size)
    return resized


def _resize_by_torch(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    from torch import from_numpy  # pyright: ignore[reportUnknownVariableType]
    from torch.nn import functional

    # The added axis must be the first in memory too: else torch (2.13) takes the images for
    # planes, and goes through them more than twice as slowly.
    batch = from_numpy(np.require(image, requirements="W")).unsqueeze(0).permute(0, 3, 1, 2)
    resized = functional.interpolate(batch, size, mode="bilinear", antialias=True)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())
