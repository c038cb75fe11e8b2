"""Heads whose parameters are known: measured by repeated cross-validation, and fitted to more rows.

Legend: N rows, D features, K classes.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import special
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from alexnet.locks import own_warning_filters
from alexnet.progress import track
from alexnet.transfer.head_calibration import ClassWeight, HeldOut, row_weights
from alexnet.transfer.head_kinds import KINDS, final_classifier, fitted, logits_of
from alexnet.transfer.head_search import HeadSearch, Scaling, fold_pairs

__all__ = ["FEW_ROWS", "cross_validated_probabilities", "fitted_on_all"]

FEW_ROWS = 300
"""Under so many rows the folds are drawn three times."""

_REPEATS = 3


def fitted_on_all(
    search: HeadSearch,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    class_weight: ClassWeight = "balanced",
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> HeadSearch:
    """Fit the classifier that a search chose to other rows, such as those of the search and more.

    Args:
        search: of some rows; its parameters and temperature stay.
        features: (N, D).
        labels: (N,) classes 0..K-1, each there.
        class_weight: as the search had it.
        groups: (N,) numbers of groups that folds do not divide; None: each row is alone.
        seed: of initial weights, and of the folds that Platt's sigmoids are fitted on.
    """
    scaling = Scaling.fit(features)
    pairs = fold_pairs(labels, groups, search.folds, seed)
    with own_warning_filters(record=True), threadpool_limits(1):
        warnings.simplefilter("always", ConvergenceWarning)  # kept off the screen: search says it
        classifier = fitted(
            final_classifier(search.kind, search.best_parameters, pairs, seed),
            scaling(features),
            labels,
            row_weights(labels, class_weight),
        )
    return replace(search, scaling=scaling, classifier=classifier)


def cross_validated_probabilities(
    search: HeadSearch,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    class_weight: ClassWeight = "balanced",
    seed: int = 0,
) -> NDArray[np.float64]:
    """Predict each row by classifiers that were fitted without it and its group.

    The parameters are those of the search. Of fewer than 300 rows the folds are drawn three times,
    and the probabilities of a row averaged: which rows meet in a fold then matters less.

    Args:
        search: what was chosen for these rows.
        features: (N, D).
        labels: (N,) classes 0..K-1.
        groups: (N,) numbers of groups that folds do not divide.
        class_weight: as the search had it.
        seed: of the first draw; the others follow it.

    Returns:
        (N, K) probabilities.
    """
    kind, weights = KINDS[search.kind], row_weights(labels, class_weight)
    repeats = _REPEATS if len(labels) < FEW_ROWS else 1
    total = np.zeros((len(labels), int(labels.max()) + 1))
    draws = [fold_pairs(labels, groups, search.folds, seed + i) for i in range(repeats)]
    with (
        own_warning_filters(record=True),
        threadpool_limits(1),
        track("measuring the head by cross-validation", sum(map(len, draws))) as advance,
    ):
        warnings.simplefilter("always", ConvergenceWarning)
        for pairs in draws:
            logits = np.zeros(total.shape)
            for train, held_out in pairs:
                scaling = Scaling.fit(features[train])
                model = kind.make(seed).set_params(**_within(search.best_parameters, len(train)))
                own = None if weights is None else weights[train]
                model = fitted(model, scaling(features[train]), labels[train], own)
                logits[held_out] = logits_of(model, scaling(features[held_out]))
                advance(1)
            sure = HeldOut(logits, labels, weights, kind.has_logits)
            total += special.softmax(logits / sure.temperature, axis=1)
    return total / repeats


def _within(parameters: dict[str, object], rows: int) -> dict[str, object]:
    """Return the parameters with no more neighbors than there are rows."""
    neighbors = parameters.get("n_neighbors")
    if not isinstance(neighbors, int):
        return parameters
    return {**parameters, "n_neighbors": min(neighbors, rows)}
