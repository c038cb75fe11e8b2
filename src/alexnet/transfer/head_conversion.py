"""scikit-learn's classifiers as heads: the same predictions, from tensors that torch computes with.

Legend: D features, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.models import Block, Head, make_head
from alexnet.transfer.head_search import HeadSearch

__all__ = ["head_from_sklearn"]


_Parts = tuple[dict[str, int], dict[str, NDArray[Any]]]
"""The sizes of a kind, and its arrays by name."""


def head_from_sklearn(search: HeadSearch, *, layer: str, classes: int) -> Head:
    """Return a head that predicts as the classifier does.

    Args:
        search: the classifier, for labels 0..K-1.
        layer: name of the layer whose output are its features; "mean:NAME": the means of its maps.
        classes: K.
    """
    sizes, arrays = _PARTS[search.kind](search.classifier)
    head = make_head(
        {
            "kind": search.kind,
            **_taken(layer),
            "features": len(search.scaling.shift),
            "classes": classes,
            "chosen": search.best_parameters,
            **sizes,
        }
    )
    if search.temperature != 1:  # of kinds whose last layer makes logits
        arrays |= {name: arrays[name] / search.temperature for name in ("weight", "bias")}
    arrays |= {"shift": search.scaling.shift, "scale": search.scaling.scale}
    dtypes = {name: tensor.dtype for name, tensor in head.state_dict().items()}
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(array)).to(dtypes[name])  # pyright: ignore[reportUnknownMemberType]
        for name, array in arrays.items()
    }
    head.load_state_dict(tensors, assign=True)
    return head.eval()


def _taken(layer: str) -> dict[str, Any]:
    """Return the settings that say what a head takes."""
    averaged = layer.startswith("mean:")
    return {"layer": Block.parse(layer).layer, "blocks": [layer]} if averaged else {"layer": layer}


def _logistic(model: Any) -> _Parts:
    weight, bias = _logit_of_each_class(model.coef_, model.intercept_)
    return {}, {"weight": weight, "bias": bias}


def _svm(model: Any) -> _Parts:
    """Fold Platt's a and b into the linear layer: the probability is the sigmoid of -(a f + b).

    For two classes there is one row, for the second class; the first gets its negative.
    """
    (calibrated,) = model.calibrated_classifiers_
    svm, platt = calibrated.estimator, calibrated.calibrators
    a, b = (np.array([getattr(sigmoid, name) for sigmoid in platt]) for name in ("a_", "b_"))
    weight, bias = -a[:, None] * svm.coef_, -(a * svm.intercept_ + b)
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]), np.concatenate([-bias, bias])
    return {}, {"weight": weight, "bias": bias}


def _mlp(model: Any) -> _Parts:
    hidden, last = model.coefs_
    weight, bias = _logit_of_each_class(last.T, model.intercepts_[1])
    arrays = {"hidden_weight": hidden.T, "hidden_bias": model.intercepts_[0]}
    return {"hidden": hidden.shape[1]}, arrays | {"weight": weight, "bias": bias}


def _knn(model: Any) -> _Parts:
    rows: NDArray[np.float32] = model._fit_X
    labels = np.asarray(model.classes_)[model._y].reshape(-1)
    by_distance = 1 if model.weights == "distance" else 2
    sizes = {"rows": len(rows), "neighbors": model.n_neighbors, "by_distance": by_distance}
    return sizes, {"rows": rows, "labels": labels}


def _tree(model: Any) -> _Parts:
    """Round thresholds down to float32: the same float32 features are at most that."""
    tree = model.tree_
    threshold = tree.threshold.astype(np.float32)
    above = threshold.astype(np.float64) > tree.threshold
    threshold[above] = np.nextafter(threshold[above], np.float32(-np.inf))
    leaf = tree.children_left < 0
    counts = tree.value[:, 0, :]
    arrays = {
        "split_feature": np.where(leaf, -1, tree.feature),
        "threshold": np.where(leaf, np.float32(0), threshold),
        "left_child": np.where(leaf, 0, tree.children_left),
        "right_child": np.where(leaf, 0, tree.children_right),
        "value": counts / counts.sum(axis=1, keepdims=True),
    }
    return {"nodes": int(tree.node_count), "depth": max(int(tree.max_depth), 1)}, arrays


def _logit_of_each_class(
    weight: NDArray[Any], bias: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give two classes a logit each where there is one for the second: the first gets 0."""
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
