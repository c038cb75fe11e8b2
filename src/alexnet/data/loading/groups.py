"""Which images were taken in one burst or are near duplicates, so that folds keep them together.

What was photographed within seconds is nearly one image: held out with its siblings in training, it
is recognized and not classified. Four things tell: copies (`copies`), times at which images were
taken, numbers in names that follow each other, and features that are too close.

Legend: N images of the pack, n of them that are grouped, P pairs.
"""

from __future__ import annotations

import itertools
import re

import numpy as np
from numpy.typing import NDArray

from alexnet.data.checks.duplicates import UnionFind
from alexnet.data.checks.hashing import similarities
from alexnet.data.loading.alike_features import find_alike_features
from alexnet.data.loading.copies import find_copies, pixel_coefficients
from alexnet.data.packs.pack import Pack

__all__ = ["burst_groups", "bursts_in_time", "merge_pairs"]

BURST_GAP_MS = 10_000
"""Between two images of a burst, at most."""

_SHARE = 0.2  # of a class that a group may take, unless the set was taken in bursts
_BURST_SHARE = 0.5  # that it may take there
_SMALLEST_LIMIT = 2  # images that a group may always have
_SAME_TIME = 20  # images of one instant: a clock that stood still, or a time set by a program
_NAME_GAP = 2  # between the numbers of two names that follow each other
_NAME_SIMILARITY = 0.8  # of what their images look like, see `hashing`
_NUMBER = re.compile(r"^(.*?)(\d+)(\D*)$")


def burst_groups(
    pack: Pack, indices: NDArray[np.int64], features: NDArray[np.float32] | None = None
) -> NDArray[np.int64]:
    """Group images that are copies, were taken in one burst, or are too alike.

    Copies are joined whatever their classes. The rest joins images of one class, the surest pairs
    first, and only as long as no group takes more than a fifth of its class, so that sets whose
    images are all alike (digits, icons, faces) fall into many groups. Where the features say that
    the set was taken in bursts, it may be half.

    Args:
        pack: the images.
        indices: (n,) which of them are grouped.
        features: (n, D) of a network's layers for each of them; None: these are not looked at.

    Returns:
        (n,) int64 numbers from 0; images of one number belong together.
    """
    labels = pack.labels[indices]
    alike = None if features is None else find_alike_features(features, labels)
    share = _BURST_SHARE if alike is not None and alike.in_bursts else _SHARE
    copies = find_copies(pack).similar[indices]
    groups = merge_pairs(copies, bursts_in_time(_times(pack, indices), labels), labels, share)
    groups = merge_pairs(groups, _consecutive_names(pack, indices), labels, share)
    if alike is not None:
        groups = merge_pairs(groups, alike.too_close(), labels, share)
    return groups


def merge_pairs(
    groups: NDArray[np.int64],
    pairs: NDArray[np.int64],
    labels: NDArray[np.int64],
    share: float,
) -> NDArray[np.int64]:
    """Join the groups of pairs, in their order, where the joined group is not too large.

    Args:
        groups: (n,) numbers of groups.
        pairs: (P, 2) positions among the n images, of one class each, the surest first.
        labels: (n,) classes.
        share: of its class that a joined group may have, 0 to 1; two images always may be one.

    Returns:
        (n,) numbers from 0, in the order in which the groups appear.
    """
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    joined = UnionFind(len(sizes))
    size: list[int] = sizes.tolist()
    limits = np.maximum(np.floor(share * np.bincount(labels)), _SMALLEST_LIMIT).astype(np.int64)
    ends: list[list[int]] = group_of[pairs].tolist() if len(pairs) else []
    for (one, other), limit in zip(ends, limits[labels[pairs[:, 0]]].tolist(), strict=True):
        a, b = joined.find(one), joined.find(other)
        if a != b and size[a] + size[b] <= limit:
            size[min(a, b)] += size[max(a, b)]
            joined.union(np.array([a]), np.array([b]))
    roots = joined.find_all(np.arange(len(sizes)))[group_of]
    _, first, numbers = np.unique(roots, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[numbers]


def bursts_in_time(times: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the pairs of images of a class taken within 10 seconds of each other.

    Args:
        times: (n,) milliseconds; 0: unknown. More than 20 images of one instant have no times.
        labels: (n,) classes.

    Returns:
        (P, 2) positions of neighbors in time, the closest first.
    """
    instants, number, counts = np.unique(times, return_inverse=True, return_counts=True)
    known = np.flatnonzero((instants[number] != 0) & (counts[number] <= _SAME_TIME))
    order = known[np.lexsort((known, times[known], labels[known]))]
    pairs = np.stack([order[:-1], order[1:]], axis=1)
    gaps = times[pairs[:, 1]] - times[pairs[:, 0]]
    within = (labels[pairs[:, 0]] == labels[pairs[:, 1]]) & (gaps <= BURST_GAP_MS)
    return pairs[within][np.argsort(gaps[within], kind="stable")]


def _times(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    times = pack.times
    return np.zeros(len(indices), dtype=np.int64) if times is None else times[indices]


def _consecutive_names(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (P, 2) pairs of a class that look alike and whose names' numbers follow each other.

    IMG_1201.jpg and IMG_1202.jpg come from one camera, one after the other. Numbers given by a
    program to images in any order join only what looks alike anyhow.
    """
    labels: list[int] = pack.labels[indices].tolist()
    numbered: list[tuple[int, str, str, int, int]] = []
    chosen: list[int] = indices.tolist()
    for position, (index, label) in enumerate(zip(chosen, labels, strict=True)):
        if match := _NUMBER.match(pack.paths[index]):
            numbered.append((label, match[1], match[3], int(match[2][-18:]), position))
    numbered.sort()
    pairs = np.array(
        [
            (one[4], other[4])
            for one, other in itertools.pairwise(numbered)
            if one[:3] == other[:3] and 0 < other[3] - one[3] <= _NAME_GAP
        ],
        dtype=np.int64,
    ).reshape(-1, 2)
    if not len(pairs):
        return pairs
    positions, rows = np.unique(pairs, return_inverse=True)
    coefficients = pixel_coefficients(pack, indices[positions])
    rows = rows.reshape(-1, 2)
    alike = similarities(coefficients[rows[:, 0]], coefficients[rows[:, 1]])
    order = np.argsort(-alike, kind="stable")
    return pairs[order[alike[order] >= _NAME_SIMILARITY]]
