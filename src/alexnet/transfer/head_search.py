"""Classic classifiers on features: parameters searched by cross-validation, by scikit-learn.

Legend: N rows, D features, K classes.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import AlexNetError, RecipeError, SourceError
from alexnet.progress import track
from alexnet.records import HeadCandidate, plain_values

try:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import ParameterGrid, StratifiedKFold
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import LinearSVC
    from sklearn.tree import DecisionTreeClassifier
    from threadpoolctl import threadpool_limits
except ImportError:
    raise AlexNetError(
        'Classifiers on features need scikit-learn: pip install "alexnet[learn]"'
    ) from None

__all__ = ["HeadKind", "HeadSearch", "Scaling", "search_head"]

_log = logging.getLogger(__name__)

HeadKind = Literal["logistic", "svm", "knn", "mlp", "tree"]

_FOLDS = 5
_MAX_SEARCH_ROWS = 4000  # the head is fitted on more, but they do not take part in the search
# From so many numbers on linear algebra gains by several threads. With fewer, threads that wait for
# each other made fits twenty times as long where another program was busy.
_THREADED_SIZE = 10_000_000
_POWERS_OF_TEN = tuple(10.0**n for n in range(-5, 2))


@dataclass(frozen=True)
class Scaling:
    """Each feature minus its mean, over its standard deviation, as the weights file keeps them."""

    shift: NDArray[np.float32]  # (D,)
    scale: NDArray[np.float32]  # (D,), above 0; 1 where a feature never changes

    @classmethod
    def fit(cls, features: NDArray[np.float32]) -> Scaling:
        """Compute mean and standard deviation of (N, D) features."""
        mean = features.mean(axis=0, dtype=np.float64)
        std = features.std(axis=0, dtype=np.float64)
        constant = std <= 1e-7 * np.maximum(np.abs(mean), 1e-30)
        return cls(mean.astype(np.float32), np.where(constant, 1.0, std).astype(np.float32))

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scaled (N, D) features; computed as `models.Head` does, bit for bit."""
        scaled = (features.astype(np.float64) - self.shift) / self.scale
        return scaled.astype(np.float32)


@dataclass(frozen=True)
class HeadSearch:
    """A classifier fitted on all rows with the best parameters of a search."""

    kind: HeadKind
    scaling: Scaling
    classifier: Any  # scikit-learn's, for scaled features and labels 0..K-1
    best_parameters: dict[str, Any]  # plain values
    candidates: list[HeadCandidate]  # in the order of the grid
    folds: int
    search_rows: int

    @property
    def best(self) -> HeadCandidate:
        """The candidate with the best parameters."""
        return next(c for c in self.candidates if c.parameters == self.best_parameters)

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (N, K) probabilities as scikit-learn computes them."""
        return self.classifier.predict_proba(self.scaling(features))


@dataclass(frozen=True)
class _Kind:
    """How one kind is made, and which parameters are tried.

    Of parameters with equal scores the first are chosen: the simpler ones stand first.
    """

    make: Callable[[int], Any]  # from a seed
    grid: Mapping[str, tuple[Any, ...]]


_KINDS: Mapping[str, _Kind] = {
    "logistic": _Kind(lambda seed: LogisticRegression(max_iter=1000), {"C": _POWERS_OF_TEN}),
    "svm": _Kind(lambda seed: LinearSVC(max_iter=5000, random_state=seed), {"C": _POWERS_OF_TEN}),
    "knn": _Kind(
        lambda seed: KNeighborsClassifier(algorithm="brute"),
        {"n_neighbors": (25, 15, 9, 5, 3, 1), "weights": ("uniform", "distance")},
    ),
    "mlp": _Kind(
        lambda seed: MLPClassifier(solver="lbfgs", max_iter=100, random_state=seed),
        {"hidden_layer_sizes": ((32,), (128,)), "alpha": (10.0, 0.1)},
    ),
    "tree": _Kind(
        lambda seed: DecisionTreeClassifier(random_state=seed),
        {"max_depth": (1, 2, 4, 8, 16), "min_samples_leaf": (8, 1)},
    ),
}


def search_head(
    kind: HeadKind, features: NDArray[np.float32], labels: NDArray[np.int64], *, seed: int = 0
) -> HeadSearch:
    """Search the parameters of a classifier by stratified cross-validation, and fit it.

    Features are scaled by the training part of each fold. Accuracy decides; of more than 4,000 rows
    about that many take part in the search, and the chosen classifier is fitted on all.

    Args:
        kind: logistic, svm (linear, with Platt's probabilities), knn, mlp or tree.
        features: (N, D) float32.
        labels: (N,) classes 0..K-1, each there.
        seed: of folds and of initial weights.

    Raises:
        RecipeError: no such kind.
        SourceError: a class with a single row, which no fold can hold out.
    """
    if kind not in _KINDS:
        raise RecipeError(f'head must be one of {", ".join(_KINDS)}; got "{kind}".')
    counts = np.bincount(labels)
    folds = min(_FOLDS, int(counts.min()))
    if folds < 2 or len(counts) < 2:
        raise SourceError(
            "A head is searched by cross-validation, and needs at least two training images of "
            f"each of two classes; the smallest of {len(counts)} has {int(counts.min())}. Add some."
        )
    rows = _search_rows(labels, seed)
    threads = threadpool_limits(None if features.size >= _THREADED_SIZE else 1)
    with warnings.catch_warnings(record=True) as caught, threads:
        warnings.simplefilter("always", ConvergenceWarning)
        candidates = _scores(kind, features[rows], labels[rows], folds, seed)
        best = max(candidates, key=lambda candidate: candidate.top1).parameters
        scaling = Scaling.fit(features)
        classifier = _final(kind, best, folds, seed).fit(scaling(features), labels)
    if count := sum(issubclass(warning.category, ConvergenceWarning) for warning in caught):
        _log.info("%d fits of the search had not converged when they were stopped.", count)
    return HeadSearch(kind, scaling, classifier, dict(best), candidates, folds, len(rows))


def _scores(
    kind: HeadKind,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    folds: int,
    seed: int,
) -> list[HeadCandidate]:
    """Return the accuracy of each choice of parameters on the rows held out of its fit."""
    splitter: Any = StratifiedKFold(folds, shuffle=True, random_state=seed)
    pairs = list(splitter.split(features, labels))
    fewest = min(len(train) for train, _ in pairs)
    grid: list[dict[str, Any]] = [
        dict(parameters)
        for parameters in ParameterGrid(dict(_KINDS[kind].grid))
        if parameters.get("n_neighbors", 1) <= fewest
    ]
    accuracy = np.zeros((len(grid), folds))
    with track(f"searching the {kind} head", len(grid) * folds) as advance:
        for fold, (train, held_out) in enumerate(pairs):
            scaling = Scaling.fit(features[train])
            x, x_held_out = scaling(features[train]), scaling(features[held_out])
            for i, parameters in enumerate(grid):
                model = _KINDS[kind].make(seed).set_params(**parameters).fit(x, labels[train])
                accuracy[i, fold] = (model.predict(x_held_out) == labels[held_out]).mean()
                advance(1)
    return [
        HeadCandidate(
            parameters=plain_values(parameters),
            top1=float(of_folds.mean()),
            top1_std=float(of_folds.std()),
        )
        for parameters, of_folds in zip(grid, accuracy, strict=True)
    ]


def _final(kind: HeadKind, parameters: Mapping[str, Any], folds: int, seed: int) -> Any:
    """Make the classifier that returns probabilities."""
    model = _KINDS[kind].make(seed).set_params(**parameters)
    if kind == "svm":
        calibrated: Any = CalibratedClassifierCV
        return calibrated(model, ensemble=False, cv=folds)
    return model


def _search_rows(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Choose the rows of the search: all, or of each class in proportion, at least two."""
    if len(labels) <= _MAX_SEARCH_ROWS:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    fraction = _MAX_SEARCH_ROWS / len(labels)
    parts = [order[labels[order] == k] for k in range(int(labels.max()) + 1)]
    counts = [min(len(part), max(_FOLDS, round(fraction * len(part)))) for part in parts]
    return np.sort(np.concatenate([part[:n] for part, n in zip(parts, counts, strict=True)]))
