"""Perceptual hashes: an image in 64 DCT coefficients, their signs as a word of 64 bits.

A gray thumbnail is transformed (DCT-II); the 64 lowest frequencies are kept, the mean is not. The
signs of the coefficients are the hash: most of them survive another compression, another size,
another brightness. The similarity of two images is computed from the coefficients, twice: as they
are, where the broad shapes decide, and each multiplied by its frequency, where the detail does.
Images of the sea under the sky are similar in the first way, frames of equal width in the second,
and copies in both.

Legend: N images, T side of a thumbnail.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.kernels.late import LateKernels

__all__ = [
    "HASH_BITS",
    "MIRROR_SIGNS",
    "THUMBNAIL_PX",
    "Pairs",
    "count_band_choices",
    "dct_coefficients",
    "find_near_pairs",
    "hamming_distances",
    "perceptual_hashes",
    "projection_hashes",
    "similarities",
    "similarity_matrix",
    "square_thumbnail",
    "thumbnail",
]

THUMBNAIL_PX = 16
HASH_BITS = 64
_kernels = LateKernels("thumbnail")

_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # of R, G, B (ITU-R BT.601)


def _lowest_frequencies() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the 64 lowest frequencies down and across, the mean left out."""
    down, across = np.divmod(np.arange(1, THUMBNAIL_PX**2), THUMBNAIL_PX)
    order = np.lexsort((down, down**2 + across**2))[:HASH_BITS]
    return down[order], across[order]


def _dct_matrix() -> NDArray[np.float32]:
    """Return the orthonormal DCT-II of T numbers, (T, T), a frequency a row."""
    frequencies = np.arange(THUMBNAIL_PX)
    points = 2 * frequencies + 1
    rows = np.cos(np.pi * frequencies[:, None] * points / (2 * THUMBNAIL_PX))
    rows[0] /= np.sqrt(2)
    return (rows * np.sqrt(2 / THUMBNAIL_PX)).astype(np.float32)


_DOWN, _ACROSS = _lowest_frequencies()
_WEIGHTS = (np.ones(HASH_BITS, np.float32), np.hypot(_DOWN, _ACROSS).astype(np.float32))
_DCT = _dct_matrix()
_TINY = np.float32(1e-6)

MIRROR_SIGNS = np.where(_ACROSS % 2 == 1, -1, 1).astype(np.float16)
"""(64,) what the coefficients of an image are multiplied by to be those of its mirror image."""


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Squash an image to a small square, by a filter that hardly cares what size it had.

    Args:
        pixels: (H, W, 3) uint8 RGB.

    Returns:
        (T, T, 3) uint8.
    """
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def square_thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Squash a square of a pack: averaged over whole blocks first, which takes less time.

    All squares of a pack are of one size, so that the blocks lie alike in all of them.

    Args:
        pixels: (S, S, 3) uint8 RGB.

    Returns:
        (T, T, 3) uint8.
    """
    factor = len(pixels) // (4 * THUMBNAIL_PX)
    if (kernels := _kernels.get()) is not None:
        squashed = np.empty((THUMBNAIL_PX, THUMBNAIL_PX, 3), dtype=np.uint8)
        rows = np.ascontiguousarray(pixels).reshape(len(pixels), -1).view()
        rows.flags.writeable = False  # one type to numba, whether or not it was writable
        kernels.squash(rows, max(1, factor), squashed.reshape(THUMBNAIL_PX, -1))
        return squashed
    return thumbnail(np.asarray(Image.fromarray(pixels).reduce(factor)) if factor > 1 else pixels)


def dct_coefficients(thumbnails: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Return the lowest DCT coefficients of gray thumbnails.

    Args:
        thumbnails: (N, T, T, 3) uint8 RGB, the whole image squashed to a square.

    Returns:
        (N, 64) float16, low frequencies first; an image of one color has none but zeros.
    """
    gray = thumbnails.astype(np.float32) @ _LUMINANCE
    coefficients = (_DCT @ gray @ _DCT.T)[:, _DOWN, _ACROSS]
    # An image of one color rounds to nearly nothing, and its signs would be those of the rounding.
    cleaned = np.where(np.abs(coefficients) < 1e-2, 0, coefficients)
    return np.ascontiguousarray(cleaned, dtype=np.float16)


def perceptual_hashes(coefficients: NDArray[np.float16]) -> NDArray[np.uint64]:
    """Return the signs of coefficients, (N, 64), as (N,) words of 64 bits."""
    return np.ascontiguousarray(np.packbits(coefficients > 0, axis=1)).view(np.uint64)[:, 0]


def projection_hashes(coefficients: NDArray[np.float16]) -> NDArray[np.uint64]:
    """Return on which side of 64 random planes images lie, as (N,) words of 64 bits.

    The signs of coefficients that are nearly nothing are noise, and in smooth images most are. On
    which side of a plane an image lies is decided by all of them (Charikar 2002): of two images as
    similar as 0.98 about 4 of 64 bits differ, whatever they show.

    Args:
        coefficients: (N, 64).
    """
    planes = np.random.default_rng(0).standard_normal((HASH_BITS, HASH_BITS)).astype(np.float32)
    sides = _unit_length(coefficients, _WEIGHTS[1]) @ planes > 0
    return np.ascontiguousarray(np.packbits(sides, axis=1)).view(np.uint64)[:, 0]


def similarities(a: NDArray[np.float16], b: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return how similar pairs of images are, 1 for the same: the lesser of two correlations.

    Brightness and contrast do not count.

    Args:
        a: coefficients, (n, 64), or (64,) of one image.
        b: coefficients, (n, 64): the images that they are compared with, one by one.

    Returns:
        (n,) float32 in -1..1; 0 where one of the two is of one color.
    """
    units = ((_unit_length(a, weights), _unit_length(b, weights)) for weights in _WEIGHTS)
    return np.minimum(*(np.einsum("...k,...k->...", one, other) for one, other in units))


def similarity_matrix(a: NDArray[np.float16], b: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return how similar each of n images is to each of m others, (n, m), as `similarities`."""
    units = ((_unit_length(a, weights), _unit_length(b, weights)) for weights in _WEIGHTS)
    return np.minimum(*(one @ other.T for one, other in units))


def _unit_length(
    coefficients: NDArray[np.float16], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    weighted = coefficients.astype(np.float32) * weights
    return weighted / np.maximum(np.linalg.norm(weighted, axis=-1, keepdims=True), _TINY)


_EQUAL_BANDS = 3  # more of them: fewer pairs to compare, and more orders to sort by

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Positions of the one and the other, (n,) each."""


def count_band_choices(radius: int) -> int:
    """Return how many chunks `find_near_pairs` yields."""
    return len(_band_masks(radius))


def find_near_pairs(hashes: NDArray[np.uint64], radius: int) -> Iterator[Pairs]:
    """Yield, chunk by chunk, every pair of hashes that differ in at most `radius` bits.

    The bits are split into `radius` + 3 bands. Of a near pair at most `radius` bands differ, so
    three are equal: sorted by each choice of three bands, near pairs lie among equal keys.

    A pair comes at least once, and again in other chunks where more than three bands are equal.

    Args:
        hashes: (N,); equal hashes are many pairs, so pass each hash once.
        radius: 0 .. 61 bits.
    """
    for mask in _band_masks(radius):
        keys = hashes & mask
        order = np.argsort(keys)
        yield _near_pairs_of_equal_keys(keys[order], hashes[order], order, radius)


def hamming_distances(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return in how many bits words differ, (n,): ones are added up in pairs, fours, eights.

    `np.bitwise_count` does the same from numpy 2.0 on; this package runs with 1.26.
    """
    x = a ^ b
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return ((x * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.int64)


def _band_masks(radius: int) -> list[np.uint64]:
    """Return the bits of each three bands; neighboring bits are in different bands."""
    count = radius + _EQUAL_BANDS
    bands = [sum(1 << bit for bit in range(band, HASH_BITS, count)) for band in range(count)]
    return [np.uint64(sum(chosen)) for chosen in itertools.combinations(bands, _EQUAL_BANDS)]


def _near_pairs_of_equal_keys(
    keys: NDArray[np.uint64], hashes: NDArray[np.uint64], order: NDArray[np.int64], radius: int
) -> Pairs:
    """Return the near pairs among hashes of equal keys, all of them in sorted order.

    Each hash is compared with the next one, then each with the next but one, and so on.
    """
    new = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    bounds = np.concatenate([[0], new, [len(keys)]])
    ends = np.repeat(bounds[1:], np.diff(bounds))
    pairs: list[Pairs] = []
    at, step = np.arange(len(keys)), 1
    while len(at := at[at + step < ends[at]]):
        near = at[hamming_distances(hashes[at], hashes[at + step]) <= radius]
        pairs.append((order[near], order[near + step]))
        step += 1
    first, second = zip(*pairs, strict=True) if pairs else ((), ())
    none = np.zeros(0, dtype=np.int64)
    return np.concatenate([none, *first]), np.concatenate([none, *second])
