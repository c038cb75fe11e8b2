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
from alexnet.locks import own_warning_filters
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
    from sklearn.utils import validation
    from threadpoolctl import threadpool_limits

    from alexnet.transfer.head_calibration import (
        ClassWeight,
        HeldOut,
        choose_candidate,
        row_weights,
    )
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
    temperature: float = 1.0  # that its logits are divided by; see `HeldOut`

    @property
    def best(self) -> HeadCandidate:
        """The candidate with the best parameters."""
        return next(c for c in self.candidates if c.parameters == self.best_parameters)

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (N, K) probabilities as scikit-learn computes them, at the temperature."""
        probabilities: NDArray[np.float64] = self.classifier.predict_proba(self.scaling(features))
        if self.temperature == 1:
            return probabilities
        powers = (probabilities / probabilities.max(axis=1, keepdims=True)) ** (
            1 / self.temperature
        )
        return powers / powers.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class _Kind:
    """How one kind is made, and which parameters are tried, the most regularized first."""

    make: Callable[[int], Any]  # from a seed
    grid: Mapping[str, tuple[Any, ...]]
    has_logits: bool = False  # that a temperature can divide


_KINDS: Mapping[str, _Kind] = {
    "logistic": _Kind(
        lambda seed: LogisticRegression(max_iter=1000), {"C": _POWERS_OF_TEN}, has_logits=True
    ),
    "svm": _Kind(
        lambda seed: LinearSVC(max_iter=5000, random_state=seed),
        {"C": _POWERS_OF_TEN},
        has_logits=True,
    ),
    "knn": _Kind(
        lambda seed: KNeighborsClassifier(algorithm="brute"),
        {"n_neighbors": (25, 15, 9, 5, 3, 1), "weights": ("uniform", "distance")},
    ),
    "mlp": _Kind(
        lambda seed: MLPClassifier(solver="lbfgs", max_iter=100, random_state=seed),
        {"hidden_layer_sizes": ((32,), (128,)), "alpha": (10.0, 0.1)},
        has_logits=True,
    ),
    "tree": _Kind(
        lambda seed: DecisionTreeClassifier(random_state=seed),
        {"max_depth": (1, 2, 4, 8, 16), "min_samples_leaf": (8, 1)},
    ),
}


def search_head(
    kind: HeadKind,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    class_weight: ClassWeight = "balanced",
    seed: int = 0,
) -> HeadSearch:
    """Search the parameters of a classifier by stratified cross-validation, and fit it.

    Features are scaled by the training part of each fold. Accuracy decides, balanced accuracy where
    classes are; `choose_candidate` says what does in a tie. Of more than 4,000 rows about that many
    take part in the search, and the chosen classifier is fitted on all. Its probabilities are
    calibrated on the rows that were held out: svm by Platt's sigmoids, logistic and mlp by a
    temperature; knn and tree count their neighbors and leaves.

    Args:
        kind: logistic, svm (linear, with Platt's probabilities), knn, mlp or tree.
        features: (N, D) float32.
        labels: (N,) classes 0..K-1, each there.
        class_weight: "balanced": each class weighs the same however many rows it has, in the fit
            (but of knn, which has no weights), the search and the calibration; a weight for each
            class; or None: each row weighs the same.
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
    threads = None if features.size >= _THREADED_SIZE else 1
    with own_warning_filters(record=True) as caught, threadpool_limits(threads):
        warnings.simplefilter("always", ConvergenceWarning)
        grid, held_out, top1 = _hold_out(
            kind, features[rows], labels[rows], row_weights(labels[rows], class_weight), folds, seed
        )
        best = choose_candidate(held_out)
        scaling = Scaling.fit(features)
        classifier = _fitted(
            _final(kind, grid[best], folds, seed),
            scaling(features),
            labels,
            row_weights(labels, class_weight),
        )
    if count := sum(issubclass(warning.category, ConvergenceWarning) for warning in caught or ()):
        _log.info("%d fits of the search had not converged when they were stopped.", count)
    candidates = [
        _candidate(parameters, each, accuracies)
        for parameters, each, accuracies in zip(grid, held_out, top1, strict=True)
    ]
    return HeadSearch(
        kind,
        scaling,
        classifier,
        candidates[best].parameters,
        candidates,
        folds,
        len(rows),
        1.0 if kind == "svm" else held_out[best].temperature,
    )


def _hold_out(
    kind: HeadKind,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64] | None,
    folds: int,
    seed: int,
) -> tuple[list[dict[str, Any]], list[HeldOut], NDArray[np.float64]]:
    """Fit each choice of parameters on all folds but one, in turn.

    Returns:
        The choices; what each says about the rows held out; and its accuracy in each fold.
    """
    splitter: Any = StratifiedKFold(folds, shuffle=True, random_state=seed)
    pairs = list(splitter.split(features, labels))
    fewest = min(len(train) for train, _ in pairs)
    grid: list[dict[str, Any]] = [
        dict(parameters)
        for parameters in ParameterGrid(dict(_KINDS[kind].grid))
        if parameters.get("n_neighbors", 1) <= fewest
    ]
    logits = np.zeros((len(grid), len(labels), int(labels.max()) + 1), dtype=np.float32)
    accuracy = np.zeros((len(grid), folds))
    with track(f"searching the {kind} head", len(grid) * folds) as advance:
        for fold, (train, held_out) in enumerate(pairs):
            scaling = Scaling.fit(features[train])
            x, x_held_out = scaling(features[train]), scaling(features[held_out])
            for i, parameters in enumerate(grid):
                made = _KINDS[kind].make(seed).set_params(**parameters)
                model = _fitted(made, x, labels[train], None if weights is None else weights[train])
                logits[i, held_out] = _logits(model, x_held_out)
                accuracy[i, fold] = (model.predict(x_held_out) == labels[held_out]).mean()
                advance(1)
    scaled = _KINDS[kind].has_logits
    return grid, [HeldOut(each, labels, weights, scaled) for each in logits], accuracy


def _fitted(
    model: Any, x: NDArray[Any], labels: NDArray[np.int64], weights: NDArray[np.float64] | None
) -> Any:
    """Fit a classifier, with weights of its rows where it takes some."""
    takes: Any = validation
    if weights is None or not takes.has_fit_parameter(model, "sample_weight"):
        return model.fit(x, labels)
    return model.fit(x, labels, sample_weight=weights)


def _logits(model: Any, x: NDArray[np.float32]) -> NDArray[np.float64]:
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


def _candidate(
    parameters: Mapping[str, Any], held_out: HeldOut, accuracies: NDArray[np.float64]
) -> HeadCandidate:
    return HeadCandidate(
        parameters=plain_values(dict(parameters)),
        top1=float(accuracies.mean()),
        top1_std=float(accuracies.std()),
        score=held_out.score,
        log_loss=float(np.average(held_out.losses, weights=held_out.weights)),
    )


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
