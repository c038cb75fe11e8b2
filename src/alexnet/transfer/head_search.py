"""Classic classifiers on features: parameters searched by cross-validation, by scikit-learn.

Legend: N rows, D features, K classes.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.data import stratified_group_folds
from alexnet.errors import AlexNetError, RecipeError, SourceError
from alexnet.locks import own_warning_filters
from alexnet.progress import track
from alexnet.records import HeadCandidate, plain_values

try:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import ParameterGrid, StratifiedKFold
    from threadpoolctl import threadpool_limits

    from alexnet.transfer.head_calibration import (
        ClassWeight,
        HeldOut,
        choose_candidate,
        row_weights,
    )
    from alexnet.transfer.head_kinds import (
        KINDS,
        HeadKind,
        Pairs,
        final_classifier,
        fitted,
        logits_of,
    )
except ImportError:
    raise AlexNetError(
        'Classifiers on features need scikit-learn: pip install "alexnet[learn]"'
    ) from None

__all__ = ["HeadKind", "HeadSearch", "Scaling", "fold_pairs", "search_head"]

_log = logging.getLogger(__name__)

_FOLDS = 5
_MAX_SEARCH_ROWS = 4000  # the head is fitted on more, but they do not take part in the search
# From so many numbers on linear algebra gains by several threads. With fewer, threads that wait for
# each other made fits twenty times as long where another program was busy.
_THREADED_SIZE = 10_000_000


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


def search_head(
    kind: HeadKind,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    class_weight: ClassWeight = "balanced",
    groups: NDArray[np.int64] | None = None,
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
        groups: (N,) numbers of groups that folds do not divide; None: each row is alone.
        seed: of folds and of initial weights.

    Raises:
        RecipeError: no such kind.
        SourceError: a class with a single row, which no fold can hold out.
    """
    if kind not in KINDS:
        raise RecipeError(f'head must be one of {", ".join(KINDS)}; got "{kind}".')
    counts = np.bincount(labels)
    folds = min(_FOLDS, int(counts.min()))
    if folds < 2 or len(counts) < 2:
        raise SourceError(
            "A head is searched by cross-validation, and needs at least two training images of "
            f"each of two classes; the smallest of {len(counts)} has {int(counts.min())}. Add some."
        )
    rows = _search_rows(labels, seed)
    pairs = fold_pairs(labels[rows], None if groups is None else groups[rows], folds, seed)
    everything = pairs if len(rows) == len(labels) else fold_pairs(labels, groups, folds, seed)
    threads = None if features.size >= _THREADED_SIZE else 1
    with own_warning_filters(record=True) as caught, threadpool_limits(threads):
        warnings.simplefilter("always", ConvergenceWarning)
        grid, held_out, top1 = _hold_out(
            kind, features[rows], labels[rows], row_weights(labels[rows], class_weight), pairs, seed
        )
        best = choose_candidate(held_out)
        scaling = Scaling.fit(features)
        classifier = fitted(
            final_classifier(kind, grid[best], folds if groups is None else everything, seed),
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
        len(pairs),
        len(rows),
        1.0 if kind == "svm" else held_out[best].temperature,
    )


def fold_pairs(
    labels: NDArray[np.int64], groups: NDArray[np.int64] | None, folds: int, seed: int
) -> Pairs:
    """Return which rows each fold fits on and holds out, stratified, groups undivided.

    Args:
        labels: (N,).
        groups: (N,) numbers; None: each row is alone.
        folds: how many; fewer come back where there are fewer groups.
        seed: of the draw.
    """
    if groups is None:
        splitter: Any = StratifiedKFold(folds, shuffle=True, random_state=seed)
        return list(splitter.split(np.zeros((len(labels), 1)), labels))
    fold_of = stratified_group_folds(labels, groups, folds, seed)
    return [
        (np.flatnonzero(fold_of != k), np.flatnonzero(fold_of == k)) for k in np.unique(fold_of)
    ]


def _hold_out(
    kind: HeadKind,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64] | None,
    pairs: Pairs,
    seed: int,
) -> tuple[list[dict[str, Any]], list[HeldOut], NDArray[np.float64]]:
    """Fit each choice of parameters on all folds but one, in turn.

    Returns:
        The choices; what each says about the rows held out; and its accuracy in each fold.
    """
    folds = len(pairs)
    fewest = min(len(train) for train, _ in pairs)
    grid: list[dict[str, Any]] = [
        dict(parameters)
        for parameters in ParameterGrid(dict(KINDS[kind].grid))
        if parameters.get("n_neighbors", 1) <= fewest
    ]
    logits = np.zeros((len(grid), len(labels), int(labels.max()) + 1), dtype=np.float32)
    accuracy = np.zeros((len(grid), folds))
    with track(f"searching the {kind} head", len(grid) * folds) as advance:
        for fold, (train, held_out) in enumerate(pairs):
            scaling = Scaling.fit(features[train])
            x, x_held_out = scaling(features[train]), scaling(features[held_out])
            for i, parameters in enumerate(grid):
                made = KINDS[kind].make(seed).set_params(**parameters)
                model = fitted(made, x, labels[train], None if weights is None else weights[train])
                logits[i, held_out] = logits_of(model, x_held_out)
                accuracy[i, fold] = (model.predict(x_held_out) == labels[held_out]).mean()
                advance(1)
    scaled = KINDS[kind].has_logits
    return grid, [HeldOut(each, labels, weights, scaled) for each in logits], accuracy


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


def _search_rows(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Choose the rows of the search: all, or of each class in proportion, at least two."""
    if len(labels) <= _MAX_SEARCH_ROWS:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    fraction = _MAX_SEARCH_ROWS / len(labels)
    parts = [order[labels[order] == k] for k in range(int(labels.max()) + 1)]
    counts = [min(len(part), max(_FOLDS, round(fraction * len(part)))) for part in parts]
    return np.sort(np.concatenate([part[:n] for part, n in zip(parts, counts, strict=True)]))
