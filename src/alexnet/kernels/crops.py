"""Crops taken and mirrored, and crops normalized: kernels compiled by numba (extra: fast).

Importing this module fails where numba is not installed: `images.crops` has another way, with the
same bits.

Legend: n images of a batch, m of one shard, S side of an image, c side of a crop; 3 S and 3 c
numbers a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alexnet.kernels.numba import cached_njit

__all__ = ["crop_bytes", "normalize_crops"]

_8, _16, _32 = np.uint64(8), np.uint64(16), np.uint64(32)
_BYTES, _PAIRS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)


@cached_njit()
def _channel_masks(length: int) -> Any:
    """Return three rows of `length` bytes: row k has every bit of the bytes k, k + 3, ... set."""
    masks = np.zeros((3, length), dtype=np.uint8)
    for j in range(length):
        masks[j % 3, j] = 255
    return masks


# A row is mirrored in words of eight bytes: all its bytes are reversed, then R and B of each pixel
# change places under masks. Both loops are vectorized; pixel by pixel, with its stride of three, it
# takes six times as long.
@cached_njit()
def _mirror(source: Any, words: Any, reversed_words: Any, masks: Any, target: Any) -> None:
    """Write a row of pixels from the last to the first.

    Args:
        source: (3 c,) uint8.
        words: (w,) uint64, w words that hold 3 c bytes; written.
        reversed_words: (w + 2,) uint64, written.
        masks: of `_channel_masks`, for 3 c.
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
        reversed_words[k + 1] = (word >> _32) | (word << _32)
    backwards = reversed_words.view(np.uint8)[6:]  # two bytes before the last pixel's B
    first, second, third = masks[0], masks[1], masks[2]
    for j in range(length):
        red, blue = backwards[j + 4] & first[j], backwards[j] & third[j]
        target[j] = red | (backwards[j + 2] & second[j]) | blue


@cached_njit()
def crop_bytes(
    images: Any, positions: Any, rows: Any, top: Any, left: Any, mirror: Any, crops: Any
) -> None:
    """Copy one crop of some images, mirrored where that is asked for.

    Args:
        images: (m, S, 3 S) uint8.
        positions: int64, which of them.
        rows: int64, for each of `positions` its row in what follows.
        top: (n,) int64.
        left: (n,) int64.
        mirror: (n,) bool.
        crops: (n, c, 3 c) uint8, written.
    """
    c = crops.shape[1]
    words, masks = np.empty((3 * c + 7) // 8, dtype=np.uint64), _channel_masks(3 * c)
    reversed_words = np.empty(len(words) + 2, dtype=np.uint64)
    for r in range(len(rows)):
        position, i = positions[r], rows[r]
        for y in range(c):
            source = images[position, top[i] + y, 3 * left[i] : 3 * (left[i] + c)]
            target = crops[i, y]
            if mirror[i]:
                _mirror(source, words, reversed_words, masks, target)
            else:
                for j in range(3 * c):  # four times as fast as target[:] = source
                    target[j] = source[j]


@cached_njit()
def normalize_crops(
    crops: Any,
    mean: Any,
    mean_number: Any,
    mean_top: Any,
    mean_left: Any,
    mean_step: int,
    shift: Any,
    divisor: Any,
    divided: bool,
    first: int,
    last: int,
    normalized: Any,
) -> None:
    """Write (crop - mean + shift) / divisor of the crops `first` to `last`, this one excluded.

    Args:
        crops: (n, c, 3 c) uint8.
        mean: (1, rows, numbers a row) float32, or (2, ...): the second one for mirrored crops.
        mean_number: (n,) int64, which of these counts.
        mean_top: (n,) int64, first row of the mean that counts.
        mean_left: (n,) int64, first pixel of the mean that counts.
        mean_step: 1, or 0 where the mean has one row for all.
        shift: (n, 3) float32.
        divisor: (3,) float32.
        divided: whether it is not 1 throughout.
        first: number of a crop.
        last: number of a crop, or n.
        normalized: (n, c, 3 c) float32, written.
    """
    c = normalized.shape[1]
    # Written out for a row: a stride of three, or j % 3 in the loop, would not be vectorized.
    shifts = np.empty(3 * c, dtype=np.float32)
    divisors = np.empty(3 * c, dtype=np.float32)
    for j in range(3 * c):
        divisors[j] = divisor[j % 3]
    for i in range(first, last):
        column, mean_image = 3 * mean_left[i], mean[mean_number[i]]
        for j in range(3 * c):
            shifts[j] = shift[i, j % 3]
        for y in range(c):
            source, target = crops[i, y], normalized[i, y]
            mean_row = mean_image[mean_step * (mean_top[i] + y), column : column + 3 * c]
            for j in range(3 * c):
                target[j] = (np.float32(source[j]) - mean_row[j]) + shifts[j]
            if divided:
                for j in range(3 * c):
                    target[j] = target[j] / divisors[j]
