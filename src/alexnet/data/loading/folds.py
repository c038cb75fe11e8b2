"""Folds of a cross-validation: stratified by class, groups of images kept whole.

Legend: n images, K classes, G groups, F folds.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.data.loading.counter_random import permutation
from alexnet.errors import RecipeError, SourceError
from alexnet.text import format_count

__all__ = ["stratified_group_folds"]

_log = logging.getLogger(__name__)


def stratified_group_folds(
    labels: NDArray[np.int64], groups: NDArray[np.int64], folds: int, seed: int
) -> NDArray[np.int64]:
    """Divide images into folds, each class as evenly as its groups allow, no group divided.

    The largest groups are placed first, each where its classes have fewest images so far (in shares
    of their images), then where fewest images are; among groups of equal size the seed decides. No
    fold takes the last group of a class whose other groups it holds already, so that whichever fold
    is held out, the others have images of every class. A class with fewer groups than folds is held
    out by so many folds alone. One whose images are all of one group could not be held out
    at all: its group is divided into images, and that is logged.

    Args:
        labels: (n,) classes 0..K-1; a class may be missing.
        groups: (n,) numbers; images of one number are of one group, of whatever classes.
        folds: F, at least 2.
        seed: of the order of groups of equal size.

    Returns:
        (n,) folds 0..F-1; a fold may be empty where there are fewer groups than folds.

    Raises:
        RecipeError: fewer than two folds.
        SourceError: a class has a single image, which no fold can hold out.
    """
    if folds < 2:
        raise RecipeError(f"A cross-validation needs at least 2 folds; got {folds}.")
    images = np.bincount(labels)
    if (images == 1).any():
        count = format_count(int((images == 1).sum()), "class has", "classes have")
        raise SourceError(
            f"{count} a single image, which cannot be trained on and held out as well. Add images."
        )
    group_of, groups_of = _divided(labels, groups)
    ends = np.cumsum(np.bincount(group_of))
    members = np.split(np.argsort(group_of, kind="stable"), ends[:-1])
    order = permutation(len(members), seed, 0, "folds")
    sizes = np.array([len(each) for each in members], dtype=np.int64)
    order = order[np.argsort(-sizes[order], kind="stable")]
    placed = np.zeros((folds, len(images)), dtype=np.int64)  # images of each class in each fold
    placed_groups = np.zeros_like(placed)
    chosen = np.zeros(len(labels), dtype=np.int64)
    for group in order.tolist():
        classes, counts = np.unique(labels[members[group]], return_counts=True)
        load: Any = (placed[:, classes] * (counts / images[classes] ** 2)).sum(axis=1)
        left = groups_of[classes] - placed_groups[:, classes]
        ends_class: NDArray[np.bool_] = ((left == 1) & (groups_of[classes] > 1)).any(axis=1)
        keys: list[Any] = [placed.sum(axis=1), np.round(load, 12), ends_class]
        fold = int(np.lexsort(keys)[0])
        placed[fold, classes] += counts
        placed_groups[fold, classes] += 1
        chosen[members[group]] = fold
    return chosen


def _divided(
    labels: NDArray[np.int64], groups: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide the groups that are a whole class.

    Returns:
        (n,) group numbers 0..G-1, and (K,) how many groups each class has images of.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    whole = np.flatnonzero(_count_groups(labels, group_of) == 1)
    if len(whole):
        divided = np.isin(group_of, group_of[np.isin(labels, whole)])
        apart = len(group_of) + np.arange(len(group_of))
        _, group_of = np.unique(np.where(divided, apart, group_of), return_inverse=True)
        _log.warning(
            "The images of %s are all of one group (near duplicates, or taken in one burst): their "
            "folds divide it, and the figures flatter. Add images that were made another time.",
            format_count(len(whole), "class", "classes"),
        )
    group_of = group_of.astype(np.int64)
    return group_of, _count_groups(labels, group_of)


def _count_groups(labels: NDArray[np.int64], group_of: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (K,) how many groups each class has images of."""
    classes = int(labels.max()) + 1
    return np.bincount(np.unique(group_of * classes + labels) % classes, minlength=classes)
