"""Crops cut, mirrored and turned into numbers in one pass: kernels compiled by numba (extra: fast).

Importing this module fails where numba is not installed: `cutting` has another way, with the same
bits.

Legend: n pictures of a batch, m that lie in one place, S side of a picture, c side of a crop; 3 S
and 3 c numbers a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alexnet.compiling import compiled

__all__ = ["cut_bytes", "cut_numbers"]


@compiled()
def cut_bytes(
    pictures: Any, places: Any, rows: Any, top: Any, left: Any, mirror: Any, crops: Any
) -> None:
    """Copy one window of some pictures, mirrored where that is asked for.

    Args:
        pictures: (m, S, 3 S) uint8.
        places: int64, which of them.
        rows: int64, for each of `places` its row in what follows.
        top: (n,) int64.
        left: (n,) int64.
        mirror: (n,) bool.
        crops: (n, c, 3 c) uint8, written.
    """
    c = crops.shape[1]
    for r in range(len(rows)):
        place, i = places[r], rows[r]
        for y in range(c):
            source = pictures[place, top[i] + y, 3 * left[i] : 3 * (left[i] + c)]
            target = crops[i, y]
            if mirror[i]:
                for x in range(c):
                    other = 3 * (c - 1 - x)
                    red, green, blue = source[other], source[other + 1], source[other + 2]
                    target[3 * x] = red
                    target[3 * x + 1] = green
                    target[3 * x + 2] = blue
            else:
                for j in range(3 * c):  # four times as fast as target[:] = source
                    target[j] = source[j]


@compiled()
def cut_numbers(
    pictures: Any,
    places: Any,
    rows: Any,
    top: Any,
    left: Any,
    mirror: Any,
    mean: Any,
    mean_top: Any,
    mean_left: Any,
    mean_moves: bool,
    mean_step: int,
    shift: Any,
    divisor: Any,
    divided: bool,
    numbers: Any,
) -> None:
    """Give (crop - mean + shift) / divisor of some pictures.

    Args:
        pictures: (m, S, 3 S) uint8.
        places: int64, which of them.
        rows: int64, for each of `places` its row in what follows.
        top: (n,) int64.
        left: (n,) int64.
        mirror: (n,) bool.
        mean: (rows, numbers a row) float32.
        mean_top: (n,) int64, first row of the mean that counts.
        mean_left: (n,) int64, first pixel of the mean that counts.
        mean_moves: whether the mean is mirrored with the crop.
        mean_step: 1, or 0 where the mean has one row for all.
        shift: (n, 3) float32.
        divisor: (3,) float32.
        divided: whether it is not 1 throughout.
        numbers: (n, c, 3 c) float32, written.
    """
    c = numbers.shape[1]
    values = np.empty(3 * c, dtype=np.float32)
    means = np.empty(3 * c, dtype=np.float32)
    shifts = np.empty(3 * c, dtype=np.float32)
    divisors = np.empty(3 * c, dtype=np.float32)
    for j in range(3 * c):
        divisors[j] = divisor[j % 3]
    for r in range(len(rows)):
        place, i = places[r], rows[r]
        for j in range(3 * c):
            shifts[j] = shift[i, j % 3]
        for y in range(c):
            source = pictures[place, top[i] + y, 3 * left[i] : 3 * (left[i] + c)]
            first = 3 * mean_left[i]
            beside = mean[mean_step * (mean_top[i] + y), first : first + 3 * c]
            target = numbers[i, y]
            if not mirror[i]:
                for j in range(3 * c):
                    target[j] = (np.float32(source[j]) - beside[j]) + shifts[j]
            else:
                for x in range(c):
                    other = 3 * (c - 1 - x)
                    for k in range(3):
                        values[3 * x + k] = np.float32(source[other + k])
                        means[3 * x + k] = beside[other + k] if mean_moves else beside[3 * x + k]
                for j in range(3 * c):
                    target[j] = (values[j] - means[j]) + shifts[j]
            if divided:
                for j in range(3 * c):
                    target[j] = target[j] / divisors[j]
