"""Close words: all pairs of 64-bit hashes that differ in few bits, without comparing every pair.

The bits are dealt to `radius + 3` bands. Two words that differ in at most `radius` bits differ in
at most as many bands, so at least three bands are equal in both (the pigeonhole principle): whoever
sorts by each three bands in turn meets every such pair among neighbours.

Legend: N words.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["close_pairs", "differing_bits", "groupings"]

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
