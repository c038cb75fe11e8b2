"""Whether folds look easier than new images will be: sets that were photographed in bursts.

Legend: n images, D features, K classes, F folds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alexnet.data import find_alike_features, relative_distances, stratified_group_folds
from alexnet.text import format_count

__all__ = ["FoldDifficulty", "fold_difficulty", "fold_warning"]

_FOLDS = 5
_PENALTY = 0.03  # over the mean squared length of the centered rows
_MOST = 4096  # images: more take too long, and are not measured by folds


@dataclass(frozen=True)
class FoldDifficulty:
    """The accuracy of one classifier on images that were held out in three ways, in 0..1."""

    one_by_one: float  # folds drawn image by image
    by_groups: float  # folds that keep groups together
    none_alike: float  # no image in training that is as close as those of one burst


def fold_warning(
    features: NDArray[np.float32], labels: NDArray[np.int64], groups: NDArray[np.int64]
) -> str | None:
    """Say where cross-validation looks easier than new images will be.

    That is so where the set was evidently taken in bursts (see `AlikeFeatures`): whatever is kept
    together, what the folds hold out was taken by the same person, at the same places and in the
    same light. The sentence has a ridge classifier's accuracy on images held out in three ways.

    Args:
        features: (n, D) of a network's layers.
        labels: (n,) classes 0..K-1.
        groups: (n,) as `burst_groups` gives them.

    Returns:
        A sentence or two; None where nothing speaks against the folds.
    """
    alike = find_alike_features(features, labels)
    if not alike.in_bursts:
        return None
    count = round(alike.close_share * len(labels))
    said = (
        f"{count:,} of {format_count(len(labels), 'training image')} have another one of their "
        "class that is far closer than different images are, as when several are taken of one "
        "thing, one after the other. "
    )
    if len(labels) <= _MOST:
        found = fold_difficulty(features, labels, groups, alike.limit)
        said += (
            f"A simple classifier is right on {100 * found.one_by_one:.0f} % of them when they are "
            f"held out one by one, on {100 * found.by_groups:.0f} % when what belongs together is "
            f"held out together, and on {100 * found.none_alike:.0f} % when it has seen nothing "
            "that is nearly the same. "
        )
    return (
        f"{said}Folds of these images look easier than new ones will be: expect less on images "
        "from another place or day, and keep some of those in a folder test."
    )


def fold_difficulty(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    limit: float,
) -> FoldDifficulty:
    """Measure one ridge classifier on images that are held out in three ways.

    Args:
        features: (n, D).
        labels: (n,) classes 0..K-1, at least two images of each.
        groups: (n,) numbers of groups.
        limit: relative distance within which images are alike, see `relative_distances`.
    """
    ridge = _Ridge(features, labels)
    alone = np.arange(len(labels))
    return FoldDifficulty(
        ridge.accuracy_by_folds(stratified_group_folds(labels, alone, _FOLDS, 0)),
        ridge.accuracy_by_folds(stratified_group_folds(labels, groups, _FOLDS, 0)),
        ridge.accuracy_without(_alike_sets(features, labels, limit)),
    )


def _alike_sets(
    features: NDArray[np.float32], labels: NDArray[np.int64], limit: float
) -> list[NDArray[np.int64]]:
    """Return for each image the positions of itself, first, and of those that are alike."""
    sets = [np.array([i], dtype=np.int64) for i in range(len(labels))]
    for members, relative in relative_distances(features, labels):
        np.fill_diagonal(relative, np.inf)
        for row, image in enumerate(members.tolist()):
            sets[image] = np.concatenate([[image], members[relative[row] <= limit]])
    return sets


class _Ridge:
    """Kernel ridge regression on labels of +1 and -1, of which any images can be left out.

    What a fit without the images S predicts of them follows from the fit to all: with
    G = (K + penalty)^-1 and a = G y, the residuals are G_SS^-1 a_S (Cook and Weisberg 1982, 2.2.8).
    """

    def __init__(self, features: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        x = features.astype(np.float64) - features.mean(axis=0)
        gram = x @ x.T
        gram += np.eye(len(gram)) * max(_PENALTY * float(np.trace(gram)) / len(gram), 1e-12)
        self._labels = labels
        self._targets = 2 * np.eye(int(labels.max()) + 1)[labels] - 1
        self._inverse: NDArray[np.float64] = np.linalg.inv(
            gram + 1
        )  # an intercept, as a feature that is always 1
        self._dual: NDArray[np.float64] = self._inverse @ self._targets

    def accuracy_by_folds(self, folds: NDArray[np.int64]) -> float:
        """Return the accuracy over folds, (n,)."""
        parts = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
        right = [self._predicted(part) == self._labels[part] for part in parts]
        return float(np.concatenate(right).mean())

    def accuracy_without(self, sets: list[NDArray[np.int64]]) -> float:
        """Return the accuracy on the first image of each set, without the set in training."""
        right = [self._predicted(each)[0] == self._labels[each[0]] for each in sets]
        return float(np.mean(right))

    def _predicted(self, left_out: NDArray[np.int64]) -> NDArray[np.int64]:
        own = self._inverse[np.ix_(left_out, left_out)]
        residuals = np.linalg.solve(own, self._dual[left_out])
        return (self._targets[left_out] - residuals).argmax(axis=1)
