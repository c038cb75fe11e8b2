"""Antialiased resizing of bytes by numpy alone: the bits of torch's kernel, without loading torch.

torch (2.13) resizes uint8 as Pillow-SIMD does: along the rows, then along the columns, rounded to
bytes between, each weight a whole number of 16 bits. Sums of such products are whole numbers below
2**30, which float64 holds exactly, so that a library's matrix product gives them in any order.

Legend: H and W sides of an image, n pixels along one side before and m after, k pixels under a
filter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alexnet.kernels.integer_weights import integer_weights

__all__ = ["antialias_resize"]

_BLOCK = 16  # outputs whose pixels are multiplied at once: a band of the matrix, mostly not zero


def antialias_resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize by a triangle filter, as wide as the reduction.

    Args:
        image: (H, W, 3) uint8.
        size: height and width wanted.

    Returns:
        (*size, 3) uint8: what `torch.nn.functional.interpolate` gives for mode="bilinear" with
        antialias=True, bit for bit.
    """
    if image.shape[1] != size[1]:
        image = _resize_rows(image.transpose(1, 0, 2), size[1]).transpose(1, 0, 2)
    return image if image.shape[0] == size[0] else _resize_rows(image, size[0])


def _resize_rows(image: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return `count` rows for the n of an image, (n, W, 3)."""
    first, weights, precision = integer_weights(len(image), count)
    flat = np.ascontiguousarray(image).reshape(len(image), -1)
    resized = np.empty((count, flat.shape[1]), dtype=np.uint8)
    for start in range(0, count, _BLOCK):
        end = min(start + _BLOCK, count)
        low = int(first[start])
        high = min(int(first[end - 1]) + weights.shape[1], len(image))
        band = np.zeros((end - start, high - low + weights.shape[1]), dtype=np.float64)
        for row, offset in enumerate((first[start:end] - low).tolist()):
            band[row, offset : offset + weights.shape[1]] = weights[start + row]
        sums = band[:, : high - low] @ flat[low:high].astype(np.float64)
        sums += 1 << (precision - 1)
        sums *= 2.0**-precision
        np.minimum(sums, 255, out=sums)  # no weight is negative, so nothing is below zero
        resized[start:end] = sums  # cut off, as a shift to the right does
    return resized.reshape(count, *image.shape[1:])
