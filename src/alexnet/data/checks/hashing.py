"""What a picture looks like in 64 numbers and 64 bits: light and dark, from coarse to fine.

A thumbnail in grey is taken apart into waves (a discrete cosine transform, DCT-II); the 64 lowest
of them are kept, the mean is not. Their signs are the hash: most of them survive another
compression, another size, another brightness. How alike two pictures are is asked of the waves
themselves, twice: as they are, where the broad shapes decide, and each multiplied by its frequency,
where the detail does. Pictures of the sea under the sky are alike in the first way, frames of equal
width in the second, and copies in both.

Legend: N pictures, T side of a thumbnail.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "HASH_BITS",
    "MIRRORED_WAVES",
    "THUMBNAIL_PX",
    "alikeness",
    "close_pairs",
    "correlations",
    "differing_bits",
    "groupings",
    "hashes",
    "waves",
]

THUMBNAIL_PX = 16
HASH_BITS = 64

_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # of R, G, B (ITU-R BT.601)


def _lowest() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return down and across the frequencies of the 64 lowest waves, the constant left out."""
    down, across = np.divmod(np.arange(1, THUMBNAIL_PX**2), THUMBNAIL_PX)
    order = np.lexsort((down, down**2 + across**2))[:HASH_BITS]
    return down[order], across[order]


def _transform() -> NDArray[np.float32]:
    """Return the orthonormal DCT-II of T numbers, (T, T), a wave a row."""
    at = np.arange(THUMBNAIL_PX)
    rows = np.cos(np.pi * at[:, None] * (2 * at + 1) / (2 * THUMBNAIL_PX))
    rows[0] /= np.sqrt(2)
    return (rows * np.sqrt(2 / THUMBNAIL_PX)).astype(np.float32)


_DOWN, _ACROSS = _lowest()
_WEIGHTS = (np.ones(HASH_BITS, np.float32), np.hypot(_DOWN, _ACROSS).astype(np.float32))
_DCT = _transform()
_TINY = np.float32(1e-6)

MIRRORED_WAVES = np.where(_ACROSS % 2 == 1, -1, 1).astype(np.float16)
"""(64,) what the waves of a picture are multiplied by to be those of its mirror image."""


def waves(thumbnails: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Take thumbnails apart.

    Args:
        thumbnails: (N, T, T, 3) uint8 RGB, the whole picture squashed to a square.

    Returns:
        (N, 64) float16, coarse to fine; a picture of one colour has none but zeros.
    """
    grey = thumbnails.astype(np.float32) @ _LUMINANCE
    found = (_DCT @ grey @ _DCT.T)[:, _DOWN, _ACROSS]
    whole = np.where(np.abs(found) < 1e-2, 0, found)  # a plain picture rounds to nearly nothing
    return np.ascontiguousarray(whole, dtype=np.float16)


def hashes(found: NDArray[np.float16]) -> NDArray[np.uint64]:
    """Return the signs of waves, (N, 64), as (N,) words of 64 bits."""
    return np.ascontiguousarray(np.packbits(found > 0, axis=1)).view(np.uint64)[:, 0]


def alikeness(some: NDArray[np.float16], others: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return how alike pictures are, 1 for the same: the lesser of two correlations.

    Brightness and contrast do not count.

    Args:
        some: waves, (n, 64), or (64,) of one picture.
        others: waves, (n, 64): the pictures that are held against them, one by one.

    Returns:
        (n,) float32 in -1..1; 0 where one of the two has no waves.
    """
    return np.minimum(
        *(
            np.einsum("...k,...k->...", _of_length_1(some, weights), _of_length_1(others, weights))
            for weights in _WEIGHTS
        )
    )


def correlations(some: NDArray[np.float16], others: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return how alike each of n pictures is to each of m others, (n, m), as `alikeness` does."""
    units = ((_of_length_1(some, each), _of_length_1(others, each)) for each in _WEIGHTS)
    return np.minimum(*(a @ b.T for a, b in units))


def _of_length_1(found: NDArray[np.float16], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    weighed = found.astype(np.float32) * weights
    return weighed / np.maximum(np.linalg.norm(weighed, axis=-1, keepdims=True), _TINY)


BITS = 64
_EQUAL_BANDS = 3  # more of them: fewer pairs to look at, and more orders to sort by

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Positions of the one and the other, (n,) each."""


def groupings(radius: int) -> int:
    """Return how many portions `close_pairs` gives."""
    return len(_masks(radius))


def close_pairs(words: NDArray[np.uint64], radius: int) -> Iterator[Pairs]:
    """Yield, portion by portion, every pair of words that differ in at most `radius` bits.

    A pair comes at least once, and again in other portions where more than three bands are equal.

    Args:
        words: (N,); equal words are many pairs, so take each word once.
        radius: 0 .. 61 bits.
    """
    for mask in _masks(radius):
        keys = words & mask
        order = np.argsort(keys)
        yield _among_equal(keys[order], words[order], order, radius)


def differing_bits(some: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return in how many bits words differ, (n,): ones are added up in pairs, fours, eights."""
    x = some ^ others
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return ((x * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.int64)


def _masks(radius: int) -> list[np.uint64]:
    """Return the bits of each three bands; neighbouring bits are dealt to different bands."""
    count = radius + _EQUAL_BANDS
    bands = [sum(1 << bit for bit in range(band, BITS, count)) for band in range(count)]
    return [np.uint64(sum(some)) for some in itertools.combinations(bands, _EQUAL_BANDS)]


def _among_equal(
    keys: NDArray[np.uint64], words: NDArray[np.uint64], order: NDArray[np.int64], radius: int
) -> Pairs:
    """Return the close pairs among words of equal keys, all of them in sorted order.

    Each word is held against the next one, then each against the next but one, and so on.
    """
    new = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    bounds = np.concatenate([[0], new, [len(keys)]])
    ends = np.repeat(bounds[1:], np.diff(bounds))
    found: list[Pairs] = []
    at, step = np.arange(len(keys)), 1
    while len(at := at[at + step < ends[at]]):
        near = at[differing_bits(words[at], words[at + step]) <= radius]
        found.append((order[near], order[near + step]))
        step += 1
    some, others = zip(*found, strict=True) if found else ((), ())
    none = np.zeros(0, dtype=np.int64)
    return np.concatenate([none, *some]), np.concatenate([none, *others])
