"""What each pixel of a smaller or larger image is a sum of: whole numbers, as torch resizes bytes.

Both ways of resizing, `kernels.resample` and `images.antialias`, take their weights from here.

Legend: n pixels along one side before and m after, k pixels under a filter.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["integer_weights"]

_MOST_PRECISION = 22  # bits
_LARGEST_WEIGHT = 1 << 15


@functools.lru_cache(maxsize=64)
def integer_weights(size: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int16], int]:
    """Return, for m outputs of n pixels, what each is a sum of, as torch (2.13) does it.

    Photographs come in few sizes, so what was asked for last is kept.

    Args:
        size: n.
        count: m.

    Returns:
        (m,) the first pixel under each filter; (m, k) int16 weights, k even, zero beyond the
        filter's end; and of how many bits their unit is.
    """
    scale = size / count
    support = max(scale, 1.0)
    length = math.ceil(support) * 2 + 1
    centers = scale * (np.arange(count) + 0.5)
    first = np.maximum((centers - support + 0.5).astype(np.int64), 0)
    ends = np.minimum((centers + support + 0.5).astype(np.int64), size)
    lengths = np.clip(ends - first, 0, length)
    steps = np.arange(length)
    distances = ((steps + first[:, None]) - centers[:, None] + 0.5) * (1.0 / support)
    weights = np.maximum(1.0 - np.abs(distances), 0.0)
    weights[steps >= lengths[:, None]] = 0.0
    weights /= np.cumsum(weights, axis=1)[:, -1:]  # added one after another, as torch does
    largest = float(weights.max())
    precision = next(
        bits
        for bits in range(_MOST_PRECISION + 1)
        if bits == _MOST_PRECISION or int(0.5 + largest * (1 << (bits + 1))) >= _LARGEST_WEIGHT
    )
    taps = int(np.flatnonzero((weights > 0).any(axis=0))[-1]) + 1
    rounded = np.zeros((count, taps + taps % 2), dtype=np.int16)
    rounded[:, :taps] = np.floor(weights[:, :taps] * (1 << precision) + 0.5)
    for array in (first, rounded):
        array.flags.writeable = False
    return first, rounded, precision
