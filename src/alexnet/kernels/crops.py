"""Crops cut, mirrored and turned into numbers in one pass: kernels compiled by numba (extra: fast).

A row is mirrored in words: all its bytes backwards, then R and B of each pixel change places. Pixel
by pixel it takes six times as long.

Importing this module fails where numba is not installed: `cutting` has another way, with the same
bits.

Legend: n pictures of a batch, m that lie in one place, S side of a picture, c side of a crop; 3 S
and 3 c numbers a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alexnet.kernels.numba import compiled

__all__ = ["cut_bytes", "cut_numbers"]

_8, _16, _32 = np.uint64(8), np.uint64(16), np.uint64(32)
_BYTES, _PAIRS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)


@compiled()
def _thirds(length: int) -> Any:
    """Return three rows of `length` bytes: row k has every bit of the numbers k, k + 3, ... set."""
    found = np.zeros((3, length), dtype=np.uint8)
    for j in range(length):
        found[j % 3, j] = 255
    return found


@compiled()
def _mirror(source: Any, words: Any, turned: Any, thirds: Any, target: Any) -> None:
    """Write a row of pixels from the last to the first.

    Args:
        source: (3 c,) uint8.
        words: (w,) uint64, w words that hold 3 c bytes; written.
        turned: (w + 2,) uint64, written.
        thirds: of `_thirds`, for 3 c.
        target: (3 c,) uint8, written.
    """
    length, count = len(target), len(words)
    last = words.view(np.uint8)[8 * count - length :]
    for j in range(length):
        last[j] = source[j]
    for k in range(count):
        word = words[count - 1 - k]
        word = ((word >> _8) & _BYTES) | ((word & _BYTES) << _8)
        word = ((word >> _16) & _PAIRS) | ((word & _PAIRS) << _16)
        turned[k + 1] = (word >> _32) | (word << _32)
    backwards = turned.view(np.uint8)[6:]  # two bytes before the last pixel's B
    first, second, third = thirds[0], thirds[1], thirds[2]
    for j in range(length):
        red, blue = backwards[j + 4] & first[j], backwards[j] & third[j]
        target[j] = red | (backwards[j + 2] & second[j]) | blue


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
    words, thirds = np.empty((3 * c + 7) // 8, dtype=np.uint64), _thirds(3 * c)
    turned = np.empty(len(words) + 2, dtype=np.uint64)
    for r in range(len(rows)):
        place, i = places[r], rows[r]
        for y in range(c):
            source = pictures[place, top[i] + y, 3 * left[i] : 3 * (left[i] + c)]
            target = crops[i, y]
            if mirror[i]:
                _mirror(source, words, turned, thirds, target)
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
        mean: (1, rows, numbers a row) float32, or (2, ...): the second one for mirrored crops.
        mean_top: (n,) int64, first row of the mean that counts.
        mean_left: (n,) int64, first pixel of the mean that counts.
        mean_step: 1, or 0 where the mean has one row for all.
        shift: (n, 3) float32.
        divisor: (3,) float32.
        divided: whether it is not 1 throughout.
        numbers: (n, c, 3 c) float32, written.
    """
    c = numbers.shape[1]
    words, thirds = np.empty((3 * c + 7) // 8, dtype=np.uint64), _thirds(3 * c)
    turned = np.empty(len(words) + 2, dtype=np.uint64)
    line = np.empty(3 * c, dtype=np.uint8)
    shifts = np.empty(3 * c, dtype=np.float32)
    divisors = np.empty(3 * c, dtype=np.float32)
    for j in range(3 * c):
        divisors[j] = divisor[j % 3]
    for r in range(len(rows)):
        place, i = places[r], rows[r]
        first, beneath = 3 * mean_left[i], mean[len(mean) - 1 if mirror[i] else 0]
        for j in range(3 * c):
            shifts[j] = shift[i, j % 3]
        for y in range(c):
            source = pictures[place, top[i] + y, 3 * left[i] : 3 * (left[i] + c)]
            beside = beneath[mean_step * (mean_top[i] + y), first : first + 3 * c]
            target = numbers[i, y]
            if mirror[i]:
                _mirror(source, words, turned, thirds, line)
                for j in range(3 * c):
                    target[j] = (np.float32(line[j]) - beside[j]) + shifts[j]
            else:
                for j in range(3 * c):
                    target[j] = (np.float32(source[j]) - beside[j]) + shifts[j]
            if divided:
                for j in range(3 * c):
                    target[j] = target[j] / divisors[j]
