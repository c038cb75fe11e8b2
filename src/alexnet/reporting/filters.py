"""The first layer's kernels as one picture, as in figure 3 of the paper."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["filter_columns", "filter_grid"]

_GREY = 127.5  # of a weight of zero


def filter_columns(count: int) -> int:
    """Return how many kernels stand in a row: 16 for the paper's 96, fewer for few."""
    return 16 if count >= 48 else 8


def filter_grid(filters: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay kernels out row by row, a pixel for each weight, one transparent pixel between them.

    Mid-grey is zero, and each kernel is scaled by its own largest weight, so that weak ones show
    their shape too; a kernel of zeros is grey.

    Args:
        filters: (F, 3, k, k) kernels over RGB.

    Returns:
        (rows * (k + 1) - 1, columns * (k + 1) - 1, 4) uint8 RGBA.
    """
    count, _, k, _ = filters.shape
    columns = min(filter_columns(count), count)
    rows = -(-count // columns)
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    scaled = filters / np.where(largest > 0, largest, 1)
    pixels = np.rint(_GREY + _GREY * np.nan_to_num(scaled)).clip(0, 255).astype(np.uint8)
    grid = np.zeros((rows * (k + 1) - 1, columns * (k + 1) - 1, 4), np.uint8)
    for index, kernel in enumerate(pixels):
        top, left = (k + 1) * (index // columns), (k + 1) * (index % columns)
        grid[top : top + k, left : left + k, :3] = kernel.transpose(1, 2, 0)
        grid[top : top + k, left : left + k, 3] = 255
    return grid
