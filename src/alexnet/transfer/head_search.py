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
import torch
from numpy.typing import NDArray

from alexnet.errors import AlexNetError, RecipeError, SourceError
from alexnet.models import Head, make_head
from alexnet.progress import track
from alexnet.records import HeadCandidate, plain_values

__all__ = ["as_head"]

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

__all__ = ["FoundHead", "HeadKind", "Scaling", "search_head"]

_log = logging.getLogger(__name__)

HeadKind = Literal["logistic", "svm", "knn", "mlp", "tree"]

_FOLDS = 5
_SEARCHED_ROWS = 4000  # more teach the head, but do not take part in the search
_MANY_NUMBERS = 10_000_000
"""Features from which linear algebra gains by several threads. Of fewer, threads that wait for each
other made fits twenty times as long where another program was busy."""
_SOME = tuple(10.0**n for n in range(-5, 2))


@dataclass(frozen=True)
class Scaling:
    """Each feature less its mean, over its deviation, in numbers that the weights file keeps."""

    shift: NDArray[np.float32]  # (D,)
    scale: NDArray[np.float32]  # (D,), above 0; 1 where a feature never changes

    @classmethod
    def of(cls, features: NDArray[np.float32]) -> Scaling:
        """Take mean and deviation of (N, D) features."""
        mean = features.mean(axis=0, dtype=np.float64)
        deviation = features.std(axis=0, dtype=np.float64)
        still = deviation <= 1e-7 * np.maximum(np.abs(mean), 1e-30)
        return cls(mean.astype(np.float32), np.where(still, 1.0, deviation).astype(np.float32))

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, D) features as heads see them; computed as `models.Head` does, bit for bit."""
        scaled = (features.astype(np.float64) - self.shift) / self.scale
        return scaled.astype(np.float32)


@dataclass(frozen=True)
class FoundHead:
    """A classifier that was taught on all rows with the parameters that the search chose."""

    kind: HeadKind
    scaling: Scaling
    classifier: Any  # scikit-learn's, for scaled features and labels 0..K-1
    chosen: dict[str, Any]  # its parameters, plain values
    candidates: list[HeadCandidate]  # in the order of the grid
    folds: int
    searched_on: int  # rows

    @property
    def best(self) -> HeadCandidate:
        """The candidate that was chosen."""
        return next(each for each in self.candidates if each.parameters == self.chosen)

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (N, K) probabilities as scikit-learn computes them."""
        return self.classifier.predict_proba(self.scaling(features))


@dataclass(frozen=True)
class _Kind:
    """How one kind is made for the search, which parameters are tried, and how it is made at last.

    Of the parameters with the best score the first are taken: the plainer ones stand first.
    """

    make: Callable[[int], Any]  # from a seed
    grid: Mapping[str, tuple[Any, ...]]


_KINDS: Mapping[str, _Kind] = {
    "logistic": _Kind(lambda seed: LogisticRegression(max_iter=1000), {"C": _SOME}),
    "svm": _Kind(lambda seed: LinearSVC(max_iter=5000, random_state=seed), {"C": _SOME}),
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
) -> FoundHead:
    """Search the parameters of a classifier by stratified cross-validation, and teach it.

    Scaled by what each fold learns from. The share of right answers decides; of more than 4,000
    rows some that many take part in the search, and all teach the classifier that is chosen.

    Args:
        kind: logistic, svm (linear, with Platt's probabilities), knn, mlp or tree.
        features: (N, D) float32.
        labels: (N,) classes 0..K-1, each there.
        seed: of folds and of first weights.

    Raises:
        RecipeError: no such kind.
        SourceError: a class with a single row: nothing can be held against it.
    """
    if kind not in _KINDS:
        raise RecipeError(f'head must be one of {", ".join(_KINDS)}; got "{kind}".')
    counts = np.bincount(labels)
    folds = min(_FOLDS, int(counts.min()))
    if folds < 2 or len(counts) < 2:
        raise SourceError(
            "A head is searched by cross-validation, and needs at least two training pictures of "
            f"each of two classes; the smallest of {len(counts)} has {int(counts.min())}. Add some."
        )
    rows = _some_rows(labels, seed)
    threads = threadpool_limits(None if features.size >= _MANY_NUMBERS else 1)
    with warnings.catch_warnings(record=True) as caught, threads:
        warnings.simplefilter("always", ConvergenceWarning)
        candidates = _scores(kind, features[rows], labels[rows], folds, seed)
        chosen = max(candidates, key=lambda each: each.top1).parameters
        scaling = Scaling.of(features)
        classifier = _final(kind, chosen, folds, seed).fit(scaling(features), labels)
    if unsettled := sum(issubclass(each.category, ConvergenceWarning) for each in caught):
        _log.info("%d fits of the search had not settled when they were stopped.", unsettled)
    return FoundHead(kind, scaling, classifier, dict(chosen), candidates, folds, len(rows))


def _scores(
    kind: HeadKind,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    folds: int,
    seed: int,
) -> list[HeadCandidate]:
    """Return how each choice of parameters fared on the rows that were held out of its fit."""
    parts: Any = StratifiedKFold(folds, shuffle=True, random_state=seed)
    pairs = list(parts.split(features, labels))
    most = min(len(learnt) for learnt, _ in pairs)
    tried: list[dict[str, Any]] = [
        dict(each)
        for each in ParameterGrid(dict(_KINDS[kind].grid))
        if each.get("n_neighbors", 1) <= most
    ]
    right = np.zeros((len(tried), folds))
    with track(f"searching the {kind} head", len(tried) * folds) as advance:
        for fold, (learnt, held_out) in enumerate(pairs):
            scaling = Scaling.of(features[learnt])
            x, asked = scaling(features[learnt]), scaling(features[held_out])
            for place, parameters in enumerate(tried):
                model = _KINDS[kind].make(seed).set_params(**parameters).fit(x, labels[learnt])
                right[place, fold] = (model.predict(asked) == labels[held_out]).mean()
                advance(1)
    return [
        HeadCandidate(
            parameters=plain_values(parameters),
            top1=float(each.mean()),
            deviation=float(each.std()),
        )
        for parameters, each in zip(tried, right, strict=True)
    ]


def _final(kind: HeadKind, chosen: Mapping[str, Any], folds: int, seed: int) -> Any:
    """Make the classifier that answers with probabilities."""
    model = _KINDS[kind].make(seed).set_params(**chosen)
    if kind == "svm":
        calibrated: Any = CalibratedClassifierCV
        return calibrated(model, ensemble=False, cv=folds)
    return model


def _some_rows(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Choose the rows that are searched on: all, or of each class in proportion, at least two."""
    if len(labels) <= _SEARCHED_ROWS:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    share = _SEARCHED_ROWS / len(labels)
    parts = [order[labels[order] == k] for k in range(int(labels.max()) + 1)]
    counts = [min(len(part), max(_FOLDS, round(share * len(part)))) for part in parts]
    return np.sort(np.concatenate([part[:n] for part, n in zip(parts, counts, strict=True)]))


_Parts = tuple[dict[str, int], dict[str, NDArray[Any]]]
"""The sizes of a kind, and its arrays by name."""


def as_head(found: FoundHead, *, layer: str, classes: int) -> Head:
    """Return a head that answers as the classifier does.

    Args:
        found: the classifier, for labels 0..K-1.
        layer: name of the layer whose output are its features.
        classes: K.
    """
    sizes, arrays = _PARTS[found.kind](found.classifier)
    head = make_head(
        {
            "kind": found.kind,
            "layer": layer,
            "features": len(found.scaling.shift),
            "classes": classes,
            "chosen": found.chosen,
            **sizes,
        }
    )
    arrays |= {"shift": found.scaling.shift, "scale": found.scaling.scale}
    kinds = {name: each.dtype for name, each in head.state_dict().items()}
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(array)).to(kinds[name])  # pyright: ignore[reportUnknownMemberType]
        for name, array in arrays.items()
    }
    head.load_state_dict(tensors, assign=True)
    return head.eval()


def _logistic(model: Any) -> _Parts:
    weight, bias = _for_each_class(model.coef_, model.intercept_)
    return {}, {"weight": weight, "bias": bias}


def _svm(model: Any) -> _Parts:
    """Fold Platt's a and b into the machine: the probability is the sigmoid of -(a f + b).

    For two classes there is one machine, for the second class; the first has its opposite.
    """
    (found,) = model.calibrated_classifiers_
    machine, platt = found.estimator, found.calibrators
    a, b = (np.array([getattr(each, name) for each in platt]) for name in ("a_", "b_"))
    weight, bias = -a[:, None] * machine.coef_, -(a * machine.intercept_ + b)
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]), np.concatenate([-bias, bias])
    return {}, {"weight": weight, "bias": bias}


def _mlp(model: Any) -> _Parts:
    hidden, last = model.coefs_
    weight, bias = _for_each_class(last.T, model.intercepts_[1])
    arrays = {"hidden_weight": hidden.T, "hidden_bias": model.intercepts_[0]}
    return {"hidden": hidden.shape[1]}, arrays | {"weight": weight, "bias": bias}


def _knn(model: Any) -> _Parts:
    rows: NDArray[np.float32] = model._fit_X
    labels = np.asarray(model.classes_)[model._y].reshape(-1)
    by_distance = 1 if model.weights == "distance" else 2
    sizes = {"rows": len(rows), "neighbours": model.n_neighbors, "by_distance": by_distance}
    return sizes, {"rows": rows, "labels": labels}


def _tree(model: Any) -> _Parts:
    """Round limits down to float32: of the float32 features the same lie at most there."""
    tree = model.tree_
    limit = tree.threshold.astype(np.float32)
    above = limit.astype(np.float64) > tree.threshold
    limit[above] = np.nextafter(limit[above], np.float32(-np.inf))
    leaf = tree.children_left < 0
    counts = tree.value[:, 0, :]
    arrays = {
        "asks": np.where(leaf, -1, tree.feature),
        "limit": np.where(leaf, np.float32(0), limit),
        "at_most": np.where(leaf, 0, tree.children_left),
        "above": np.where(leaf, 0, tree.children_right),
        "value": counts / counts.sum(axis=1, keepdims=True),
    }
    return {"nodes": int(tree.node_count), "depth": max(int(tree.max_depth), 1)}, arrays


def _for_each_class(weight: NDArray[Any], bias: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give two classes a sum each where there is one for the second: the first has 0."""
    if len(weight) > 1:
        return weight, bias
    return np.concatenate([np.zeros_like(weight), weight]), np.concatenate([[0.0], bias])


_PARTS: Mapping[str, Callable[[Any], _Parts]] = {
    "logistic": _logistic,
    "svm": _svm,
    "knn": _knn,
    "mlp": _mlp,
    "tree": _tree,
}
