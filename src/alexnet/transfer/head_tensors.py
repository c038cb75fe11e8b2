"""From a classifier that scikit-learn taught to a head of ours: settings and tensors, no pickle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.models import Head, make_head
from alexnet.transfer.head_search import FoundHead

__all__ = ["as_head"]

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
