"""Which images of one class have features that are too close for different images.

How close is too close is a matter of the class: handwritten digits are all alike, photographs of
ants are not. So distances are taken in shares of the class's typical one, the median over its
pairs. In sets of separate images an image's first neighbor is not much nearer than its fifth: a
quarter of the images have ratios under 0.6 (hand signs, ants and bees, CIFAR-10, the 200-class set)
or 0.5 (digits). Where photographs were taken one after the other they are under 0.35 to 0.45, and a
quarter and more of the images have a neighbor within a quarter of the typical distance.

Legend: n images, D features, P pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["AlikeFeatures", "find_alike_features", "relative_distances"]

COPY_DISTANCE = 0.2
"""In shares of the typical distance: images as close as that are of one moment in any set."""

CLOSE_DISTANCE = 0.25
"""Few images of a set of separate ones have a neighbor as close as that."""

BURST_DISTANCE = 0.5
"""The most that joins images in sets that were evidently taken in bursts."""

_BURST_SHARE = 0.15  # of images with a neighbor within CLOSE_DISTANCE, from which on a set is such
_BURST_RATIO = 0.47  # first neighbor's distance over the fifth's, which a quarter is under there
_BURST_BEND = 2.5  # how much faster distances grow to the fifth neighbor than to the tenth there
_BURST_WIDTH = 1.4  # limit there, over the median distance of first neighbors
_FEWEST = 6  # images of a class: fewer have no typical distance
_MOST = 4096  # images of a class that are compared with each other; of more it is not needed
_NEIGHBORS = 10  # of each image that may be in its group


@dataclass(frozen=True)
class AlikeFeatures:
    """Pairs of images of one class that are close, and whether the set was taken in bursts."""

    pairs: NDArray[np.int64]  # (P, 2), the closest first
    distances: NDArray[np.float32]  # (P,) rising, in shares of the class's typical distance
    in_bursts: bool
    limit: float  # distance within which images of this set are too close for different images
    close_share: float  # of the images, 0..1: those with a neighbor within CLOSE_DISTANCE

    def too_close(self) -> NDArray[np.int64]:
        """Return the pairs within the limit, (p, 2), the closest first."""
        return self.pairs[self.distances <= self.limit]


def find_alike_features(features: NDArray[np.float32], labels: NDArray[np.int64]) -> AlikeFeatures:
    """Find pairs of images of one class whose features are close.

    Args:
        features: (n, D) of a layer, or of several, pooled or not.
        labels: (n,) classes.
    """
    pairs, distances = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.float32)]
    nearest_ones = [np.zeros((0, 3), np.float32)]
    for members, relative in relative_distances(features, labels):
        np.fill_diagonal(relative, np.inf)
        count = min(_NEIGHBORS, len(members) - 1)
        nearest = np.argpartition(relative, count - 1, axis=1)[:, :count]
        of_nearest = np.take_along_axis(relative, nearest, axis=1)
        sorted_distances = np.sort(of_nearest, axis=1)
        nearest_ones.append(sorted_distances[:, [0, min(4, count - 1), count - 1]])
        rows, columns = np.nonzero(of_nearest <= BURST_DISTANCE)
        pairs.append(members[np.stack([rows, nearest[rows, columns]], axis=1)])
        distances.append(of_nearest[rows, columns])
    found, lengths = np.concatenate(pairs), np.concatenate(distances)
    order = np.argsort(lengths, kind="stable")
    limit, in_bursts, share = COPY_DISTANCE, False, 0.0
    if len(neighbors := np.concatenate(nearest_ones)):
        share = float((neighbors[:, 0] <= CLOSE_DISTANCE).mean())
        in_bursts = share >= _BURST_SHARE and _has_bursts(neighbors)
    if in_bursts:
        typical = _BURST_WIDTH * float(np.median(neighbors[:, 0]))
        limit = min(max(typical, COPY_DISTANCE), BURST_DISTANCE)
    return AlikeFeatures(found[order], lengths[order], in_bursts, limit, share)


def _has_bursts(neighbors: NDArray[np.float32]) -> bool:
    """Whether first neighbors are nearer than the distances of the next ones would let expect.

    Logarithms of distances grow from the first neighbor to the fifth 1.8 to 2.2 times as much as
    from the fifth to the tenth on sets of separate images, and 2.8 to 3.1 times on photographs
    taken in bursts. Random points in only 2 to 4 dimensions reach 2.7 and may be mistaken for
    bursts.

    Args:
        neighbors: (n, 3) distances of the first, the fifth and the tenth.
    """
    logs = np.log(np.maximum(neighbors, 1e-9))
    inner, outer = np.median(logs[:, 1] - logs[:, 0]), np.median(logs[:, 2] - logs[:, 1])
    ratio = float(np.quantile(np.exp(logs[:, 0] - logs[:, 1]), 0.25))
    return ratio < _BURST_RATIO and float(inner) > _BURST_BEND * float(outer)


def relative_distances(
    features: NDArray[np.float32], labels: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield each class's images and how far they are from each other.

    Rows are scaled to length 1, squared distances divided by their median over the class's pairs.

    Args:
        features: (n, D).
        labels: (n,) classes.

    Yields:
        (m,) positions of a class's images, and (m, m) float32 relative distances; classes of
        fewer than 6 images, of more than 4,096, and of images that are all the same, are left out.
    """
    rows = features.astype(np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    for label in np.unique(labels).tolist():
        members = np.flatnonzero(labels == label).astype(np.int64)
        if not _FEWEST <= len(members) <= _MOST:
            continue
        own = rows[members]
        squares = np.maximum(2 - 2 * (own @ own.T), 0)
        typical = float(np.median(squares[np.triu_indices(len(members), 1)]))
        if typical > 1e-6:
            yield members, squares / np.float32(typical)
