"""Numbers as images, a pixel for each: the confusion matrix and the first layer's filters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cell_strength", "confusion_image", "filter_columns", "filter_grid"]

_CORRECT, _WRONG = (34, 108, 100), (186, 68, 28)  # RGB; the style sheet holds the same two
_GRAY = 127.5  # of a weight of zero


def cell_strength(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how strongly each cell is inked, in 0..1: the root of its share of the true class.

    Args:
        confusion: (K, K) counts, true class by predicted class.
    """
    totals = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return np.sqrt(confusion / totals)


def confusion_image(confusion: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Paint the matrix one pixel a cell: the diagonal in one color, mistakes in another.

    Returns:
        (K, K, 4) uint8 RGBA, true classes downwards; empty cells are transparent.
    """
    on_diagonal = np.eye(len(confusion), dtype=bool)[:, :, None]
    pixels = np.zeros((*confusion.shape, 4), np.uint8)
    pixels[:, :, :3] = np.where(on_diagonal, _CORRECT, _WRONG)
    alpha = np.where(confusion > 0, 40 + 215 * cell_strength(confusion), 0)
    pixels[:, :, 3] = alpha.astype(np.uint8)
    return pixels


def filter_columns(count: int) -> int:
    """Return how many kernels stand in a row: 16 for the paper's 96, fewer for few."""
    return min(16 if count >= 48 else 8, count)


def filter_grid(filters: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay kernels out row by row, a pixel for each weight, one transparent pixel between them.

    Mid-gray is zero, and each kernel is scaled by its own largest weight, so that weak ones show
    their shape too; a kernel of zeros is gray.

    Args:
        filters: (F, 3, k, k) kernels over RGB.

    Returns:
        (rows * (k + 1) - 1, columns * (k + 1) - 1, 4) uint8 RGBA.
    """
    count, _, k, _ = filters.shape
    columns = filter_columns(count)
    rows = -(-count // columns)
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    scaled = filters / np.where(largest > 0, largest, 1)
    pixels = np.rint(_GRAY + _GRAY * np.nan_to_num(scaled)).clip(0, 255).astype(np.uint8)
    grid = np.zeros((rows * (k + 1) - 1, columns * (k + 1) - 1, 4), np.uint8)
    for index, kernel in enumerate(pixels):
        top, left = (k + 1) * (index // columns), (k + 1) * (index % columns)
        grid[top : top + k, left : left + k, :3] = kernel.transpose(1, 2, 0)
        grid[top : top + k, left : left + k, 3] = 255
    return grid
