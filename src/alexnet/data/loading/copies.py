"""Which images of a pack are copies of each other, so that none is measured on its own copy.

Three things make copies: equal files, equal pixels (the same image as BMP and as PNG), and near
duplicates (compressed again, resized, brightened). They are looked for among the squares that the
network sees, by what the pack's index keeps of each.

Legend: N images of the pack, C contents: files that differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alexnet.data.checks.duplicates import (
    UnionFind,
    choose_min_similarity,
    near_duplicate_groups,
)
from alexnet.data.checks.hashing import (
    HASH_BITS,
    dct_coefficients,
    perceptual_hashes,
    projection_hashes,
    similarity_matrix,
    square_thumbnail,
)
from alexnet.data.packs.pack import Pack
from alexnet.progress import track

__all__ = ["Copies", "content_ids", "find_copies", "pixel_coefficients"]

_LIMITS = (0.94, 0.95, 0.96, 0.97, 0.98, 0.985)
_LARGEST_GROUP = 10  # images; or a hundredth of the set
_ALL_PAIRS = 4096  # contents that are compared with all others
_ROWS = 512  # of them at once
_READ_BYTES = 32 << 20  # of pixels, at once


@dataclass(frozen=True)
class Copies:
    """Numbers of groups; images of one number belong together. (N,) each."""

    files: NDArray[np.int64]  # equal files
    similar: NDArray[np.int64]  # whatever may be a copy: belongs on one side of a drawn split
    certain: NDArray[np.int64]  # copies by the stricter limit of `alexnet check`: worth a warning


def find_copies(pack: Pack) -> Copies:
    """Find the copies among the images of a pack.

    The numbers depend on the files' contents alone, not on names or on the order of the images.
    """
    files = content_ids(pack.digests)
    count = int(files.max(initial=-1)) + 1
    first = np.empty(count, dtype=np.int64)  # an image that has each content
    first[files[::-1]] = np.arange(len(files) - 1, -1, -1)
    coefficients = pixel_coefficients(pack, first)
    equal = _pairs_of_equal_pixels(pack.index.checksums[first], coefficients)
    shaped = np.flatnonzero((coefficients != 0).any(axis=1))  # images of one color are not similar
    similar, limit = _similar_groups(coefficients[shaped])
    strict = max(limit, choose_min_similarity(coefficients[shaped]))
    certain = similar if strict == limit else _near_groups(coefficients[shaped], strict)
    return Copies(
        files,
        _roots(count, equal, shaped, similar)[files],
        _roots(count, equal, shaped, certain)[files],
    )


def content_ids(digests: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number images by their content, in the order of the digests: equal contents, equal numbers.

    Args:
        digests: (N, 16).

    Returns:
        (N,) numbers from 0 to C - 1.
    """
    halves = np.ascontiguousarray(digests).view(">u8").astype(np.uint64)
    high, low = halves[:, 0], halves[:, 1]
    order = np.lexsort((low, high))
    new = np.ones(len(order), dtype=np.int64)
    new[1:] = (np.diff(high[order]) != 0) | (np.diff(low[order]) != 0)
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(new) - 1
    return numbers


def pixel_coefficients(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.float16]:
    """Return the DCT coefficients of some images of a pack, (n, 64); see `hashing`.

    Packs keep them in their index; of older ones the pixels are read.

    Args:
        pack: the images.
        indices: (n,) positions in it.
    """
    if pack.coefficients is not None:
        return pack.coefficients[indices]
    step = max(1, _READ_BYTES // (3 * pack.image_px**2))
    parts = [np.zeros((0, HASH_BITS), dtype=np.float16)]
    with track("hashing images", len(indices)) as advance:
        for start in range(0, len(indices), step):
            images = pack.read(indices[start : start + step])
            parts.append(dct_coefficients(np.stack([square_thumbnail(image) for image in images])))
            advance(len(images))
    return np.concatenate(parts)


def _pairs_of_equal_pixels(
    checksums: NDArray[np.uint32], coefficients: NDArray[np.float16]
) -> NDArray[np.int64]:
    """Return (n, 2) pairs of contents whose stored pixels are equal: by checksum and by look."""
    order = np.argsort(checksums, kind="stable")
    pairs = np.stack([order[:-1], order[1:]], axis=1)
    one, other = pairs[:, 0], pairs[:, 1]
    pairs = pairs[checksums[one] == checksums[other]]
    alike = (coefficients[pairs[:, 0]] == coefficients[pairs[:, 1]]).all(axis=1)
    return pairs[alike]


def _similar_groups(coefficients: NDArray[np.float16]) -> tuple[list[list[int]], float]:
    """Return the groups of similar images, and how similar their members are at least.

    Copies come in small groups of which each is like each. Images that are alike by nature (frames
    of one film, handwritten digits) make chains that join half of the set, so the limit is raised
    until they do not.
    """
    largest = max(_LARGEST_GROUP, len(coefficients) // 100)
    groups: list[list[int]] = []
    for limit in _LIMITS:
        groups = _near_groups(coefficients, limit)
        if max(map(len, groups), default=0) <= largest:
            return groups, limit
    return groups, _LIMITS[-1]


def _near_groups(coefficients: NDArray[np.float16], limit: float) -> list[list[int]]:
    """Return the groups of images that are at least as similar as `limit`."""
    if len(coefficients) > _ALL_PAIRS:
        return near_duplicate_groups(
            coefficients, min_similarity=limit, hashes=(perceptual_hashes, projection_hashes)
        )
    joined = UnionFind(len(coefficients))
    for start in range(0, len(coefficients), _ROWS):
        rows = similarity_matrix(coefficients[start : start + _ROWS], coefficients[start:])
        one, other = np.nonzero(np.triu(rows >= limit, 1))
        joined.union(one + start, other + start)
    return joined.groups()


def _roots(
    count: int, equal: NDArray[np.int64], shaped: NDArray[np.int64], groups: Sequence[list[int]]
) -> NDArray[np.int64]:
    """Return for each of C contents the least number of a content in its group, (C,)."""
    joined = UnionFind(count)
    joined.union(equal[:, 0], equal[:, 1])
    for group in groups:
        members = shaped[group]
        joined.union(members[:-1], members[1:])
    return joined.find_all(np.arange(count))
