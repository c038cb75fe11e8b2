"""Random numbers as a function of (seed, epoch, index, purpose), not as a stream.

Philox4x32-10 (Salmon et al. 2011) mixes a counter made of epoch, index and block under a key made
of seed and purpose. What is drawn for an image depends neither on the order of the images nor on
the number of threads or processes.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["normals", "permutation", "philox", "uniforms"]

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_CHUNK = 1 << 15  # numbers whose mixing stays in a processor's cache
_LOW_BITS = np.uint64(0xFFFFFFFF)
_WORD_BITS = np.uint64(32)


def uniforms(
    seed: int, epoch: int, index: NDArray[np.int64], purpose: str, count: int = 1
) -> NDArray[np.float64]:
    """Return numbers spread evenly over [0, 1), `count` for each index.

    Args:
        seed: any whole number.
        epoch: 0 .. 2**32 - 1.
        index: (n,) what the numbers are for, each at least 0; repeated indices get equal numbers.
        purpose: what the numbers are used for; other purposes get independent numbers.
        count: numbers for each index. The first of many are those of a smaller count.

    Returns:
        (n, count) float64, each a multiple of 2**-53.
    """
    numbers = np.empty((len(index), count + count % 2))
    for block in range(numbers.shape[1] // 2):
        a, b, c, d = _block(seed, epoch, index, purpose, block)
        numbers[:, 2 * block] = _fraction(a, b)
        numbers[:, 2 * block + 1] = _fraction(c, d)
    return numbers[:, :count]


def normals(
    seed: int, epoch: int, index: NDArray[np.int64], purpose: str, count: int = 1
) -> NDArray[np.float64]:
    """Return numbers of mean 0 and deviation 1 (Box and Muller 1958), `count` for each index.

    Args:
        seed: any whole number.
        epoch: 0 .. 2**32 - 1.
        index: (n,) as in `uniforms`.
        purpose: as in `uniforms`.
        count: numbers for each index.

    Returns:
        (n, count) float64, none further than 8.6 from 0.
    """
    pairs = uniforms(seed, epoch, index, purpose, count + count % 2)
    radius = np.sqrt(-2 * np.log1p(-pairs[:, 0::2]))  # 1 - u lies in (0, 1]: its log is finite
    angle = 2 * np.pi * pairs[:, 1::2]
    numbers = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2)
    return numbers.reshape(len(index), -1)[:, :count]


def permutation(n: int, seed: int, epoch: int, purpose: str) -> NDArray[np.int64]:
    """Return 0 .. n - 1 in an order in which every arrangement is equally likely.

    Each number is given 64 random bits, and the numbers are sorted by them.

    Args:
        n: how many.
        seed: any whole number.
        epoch: 0 .. 2**32 - 1.
        purpose: as in `uniforms`.

    Returns:
        (n,) int64.
    """
    keys = np.empty(n, dtype=np.uint64)
    for start in range(0, n, _CHUNK):
        index = np.arange(start, min(start + _CHUNK, n), dtype=np.int64)
        a, b, _, _ = _block(seed, epoch, index, purpose, 0)
        keys[start : start + _CHUNK] = (a << _WORD_BITS) | b
    return np.argsort(keys, kind="stable").astype(np.int64, copy=False)


def _block(
    seed: int, epoch: int, index: NDArray[np.int64], purpose: str, block: int
) -> tuple[NDArray[np.uint64], ...]:
    """Return the four 32-bit words of one block for each index."""
    key = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    wide = index.astype(np.uint64)
    counter = (
        wide & _LOW_BITS,
        wide >> _WORD_BITS,
        np.full_like(wide, epoch),
        np.full_like(wide, block),
    )
    return philox(counter, (int.from_bytes(key[:4], "little"), int.from_bytes(key[4:], "little")))


def philox(
    counter: tuple[NDArray[np.uint64], ...], key: tuple[int, int]
) -> tuple[NDArray[np.uint64], ...]:
    """Mix counters by Philox4x32-10.

    Args:
        counter: four (n,) uint64, each holding 32 bits.
        key: two whole numbers of 32 bits.

    Returns:
        Four (n,) uint64, each holding 32 random bits.
    """
    a, b, c, d = counter
    first, second = key
    for _ in range(_ROUNDS):
        left, right = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a = (right >> _WORD_BITS) ^ b ^ np.uint64(first)
        c = (left >> _WORD_BITS) ^ d ^ np.uint64(second)
        b, d = right & _LOW_BITS, left & _LOW_BITS
        first = (first + _KEY_STEPS[0]) & 0xFFFFFFFF
        second = (second + _KEY_STEPS[1]) & 0xFFFFFFFF
    return a, b, c, d


def _fraction(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Make a number in [0, 1) of 27 bits of one word and 26 of the other."""
    bits = ((high >> np.uint64(5)) << np.uint64(26)) | (low >> np.uint64(6))
    return bits.astype(np.float64) * 2.0**-53
