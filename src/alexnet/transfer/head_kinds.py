"""The kinds of heads: how scikit-learn makes each, what is searched, and how it is fitted.

Legend: N and n rows, D features, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import validation

__all__ = ["KINDS", "HeadKind", "Kind", "Pairs", "final_classifier", "fitted", "logits_of"]

HeadKind = Literal["logistic", "svm", "knn", "mlp", "tree"]

Pairs = Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Of each fold the rows that are fitted on, and those that are held out."""

_POWERS_OF_TEN = tuple(10.0**n for n in range(-5, 2))


@dataclass(frozen=True)
class Kind:
    """How one kind is made, and which parameters are tried, the most regularized first."""

    make: Callable[[int], Any]  # from a seed
    grid: Mapping[str, tuple[Any, ...]]
    has_logits: bool = False  # that a temperature can divide


KINDS: Mapping[str, Kind] = {
    "logistic": Kind(
        lambda seed: LogisticRegression(max_iter=1000), {"C": _POWERS_OF_TEN}, has_logits=True
    ),
    "svm": Kind(
        lambda seed: LinearSVC(max_iter=5000, random_state=seed),
        {"C": _POWERS_OF_TEN},
        has_logits=True,
    ),
    "knn": Kind(
        lambda seed: KNeighborsClassifier(algorithm="brute"),
        {"n_neighbors": (25, 15, 9, 5, 3, 1), "weights": ("uniform", "distance")},
    ),
    "mlp": Kind(
        lambda seed: MLPClassifier(solver="lbfgs", max_iter=100, random_state=seed),
        {"hidden_layer_sizes": ((32,), (128,)), "alpha": (10.0, 0.1)},
        has_logits=True,
    ),
    "tree": Kind(
        lambda seed: DecisionTreeClassifier(random_state=seed),
        {"max_depth": (1, 2, 4, 8, 16), "min_samples_leaf": (8, 1)},
    ),
}


def fitted(
    model: Any, x: NDArray[Any], labels: NDArray[np.int64], weights: NDArray[np.float64] | None
) -> Any:
    """Fit a classifier, with weights of its rows where it takes some."""
    takes: Any = validation
    if weights is None or not takes.has_fit_parameter(model, "sample_weight"):
        return model.fit(x, labels)
    return model.fit(x, labels, sample_weight=weights)


def logits_of(model: Any, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (n, K) logits, or log probabilities where a classifier counts votes.

    A vote more is shared by all classes, so that a neighbor or a leaf of one row is not taken for
    certainty.
    """
    if isinstance(model, LinearSVC):
        decision = np.asarray(model.decision_function(x), dtype=np.float64)
        return np.stack([-decision, decision], axis=1) if decision.ndim == 1 else decision
    probabilities = np.asarray(model.predict_proba(x), dtype=np.float64)
    votes = getattr(model, "n_neighbors", getattr(model, "min_samples_leaf", None))
    if votes is None:
        return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    return np.log((probabilities * votes + 1 / probabilities.shape[1]) / (votes + 1))


def final_classifier(
    kind: HeadKind, parameters: Mapping[str, Any], folds: int | Pairs, seed: int
) -> Any:
    """Make the classifier that returns probabilities.

    Args:
        kind: of head.
        parameters: that were chosen.
        folds: how many, or which, Platt's sigmoids are fitted on.
        seed: of initial weights.
    """
    model = KINDS[kind].make(seed).set_params(**parameters)
    if kind == "svm":
        calibrated: Any = CalibratedClassifierCV
        return calibrated(model, ensemble=False, cv=folds)
    return model
