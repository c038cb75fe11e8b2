"""Squares averaged and squashed to thumbnails as Pillow (13.0) does it, without copies on the way.

Importing this module fails where numba (extra: fast) is not installed: `data.checks.hashing` has
another way, with the same bits.

Legend: S side of a square, R of the averaged one, T of the thumbnail, k taps of a filter.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from alexnet.kernels.numba import cached_njit

__all__ = ["squash"]

_PRECISION = 22  # bits of Pillow's weights
_HALF = 1 << (_PRECISION - 1)
_ONE, _TWO = np.uint64(1), np.uint64(2)
_AVERAGE_BITS = 24  # of the reciprocals by which Pillow averages


# Arrays lie so that the inner loops run along memory, which LLVM turns into vectors; unsigned
# indices spare the test for negative ones.
@cached_njit()
def _average(square: Any, factor: int) -> Any:
    """Return (3 R, R) means of blocks, rounded, a column of one channel a row.

    The last blocks are narrower where S does not fit.
    """
    side = len(square)
    count = -(-side // factor)
    averaged = np.empty((3 * count, count), dtype=np.uint8)
    sums = np.empty(3 * side, dtype=np.uint16)
    last_width = side - (count - 1) * factor
    for y in range(count):
        first, last = y * factor, min((y + 1) * factor, side)
        # a division takes as long as ten pixels
        usual = np.uint32((1 << _AVERAGE_BITS) // ((last - first) * factor))
        rest = np.uint32((1 << _AVERAGE_BITS) // ((last - first) * last_width))
        sums[:] = 0
        for row in range(first, last):
            line = square[row]
            for j in range(3 * side):
                sums[j] += line[j]
        for x in range(count):
            start, is_last = np.uint64(3 * x * factor), x == count - 1
            width, reciprocal = (last_width, rest) if is_last else (factor, usual)
            red = green = blue = np.uint32(((last - first) * width) >> 1)
            for j in range(np.uint64(width)):
                at = start + np.uint64(3) * j
                red += sums[at]
                green += sums[at + _ONE]
                blue += sums[at + _TWO]
            averaged[3 * x, y] = (red * reciprocal) >> np.uint32(_AVERAGE_BITS)
            averaged[3 * x + 1, y] = (green * reciprocal) >> np.uint32(_AVERAGE_BITS)
            averaged[3 * x + 2, y] = (blue * reciprocal) >> np.uint32(_AVERAGE_BITS)
    return averaged


@cached_njit()
def _triangle_weights(size: int, count: int) -> Any:
    """Return the first pixel under each of m filters, their taps, and (m, k) whole weights."""
    scale = size / count
    support = max(scale, 1.0)
    first = np.empty(count, dtype=np.int64)
    taps = np.empty(count, dtype=np.int64)
    weights = np.zeros((count, math.ceil(support) * 2 + 1), dtype=np.int32)
    parts = np.empty(weights.shape[1], dtype=np.float64)
    for i in range(count):
        center = (i + 0.5) * scale
        first[i] = max(int(center - support + 0.5), 0)
        taps[i] = min(int(center + support + 0.5), size) - first[i]
        total = 0.0
        for j in range(taps[i]):
            parts[j] = max(1.0 - abs((j + first[i] - center + 0.5) * (1.0 / support)), 0.0)
            total += parts[j]
        for j in range(taps[i]):
            weights[i, j] = np.int32(0.5 + parts[j] / total * (1 << _PRECISION))
    return first, taps, weights


@cached_njit()
def squash(square: Any, factor: int, thumbnail: Any) -> None:
    """Average over blocks of factor x factor pixels, then resize by a triangle filter.

    Args:
        square: (S, 3 S) uint8, read-only.
        factor: 1: nothing is averaged.
        thumbnail: (T, 3 T) uint8, written.
    """
    averaged = _average(square, factor)
    size, count = averaged.shape[1], len(thumbnail)
    first, taps, weights = _triangle_weights(size, count)
    narrow = np.empty((size, 3 * count), dtype=np.uint8)
    sums = np.empty(max(size, 3 * count), dtype=np.int32)
    for x in range(3 * count):
        pixel, channel = x // 3, x % 3
        sums[:] = _HALF
        for j in range(taps[pixel]):
            weight, line = weights[pixel, j], averaged[3 * (first[pixel] + j) + channel]
            for y in range(size):
                sums[y] += np.int32(weight * np.int32(line[y]))
        for y in range(size):
            narrow[y, x] = sums[y] >> _PRECISION
    for y in range(count):
        sums[:] = _HALF
        for j in range(taps[y]):
            weight, line = weights[y, j], narrow[first[y] + j]
            for x in range(3 * count):
                sums[x] += np.int32(weight * np.int32(line[x]))
        for x in range(3 * count):
            thumbnail[y, x] = sums[x] >> _PRECISION
