"""Classifiers on a layer's output, as layers: fitted by scikit-learn, computed by torch.

A head is described by plain settings, its kind and sizes, and holds its numbers as buffers: so it
travels in the weights file as any layer does, and nothing in it is code. Every head first scales
each feature as it was scaled when the head was fitted.

Legend: n images, D features, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.errors import RecipeError, did_you_mean
from alexnet.models.pooled_features import Block, PooledFeatures

__all__ = ["HEADS", "Head", "make_head"]

_LARGEST_SIZE = 2**27  # so that no product of two sizes is absurd
_ROWS_AT_ONCE = 1024  # neighbors whose features are held in float64 at once


class Head(nn.Module):
    """From features (n, D) to log probabilities (n, K).

    Args:
        settings: kind, layer, features, classes and the kind's own sizes; see `make_head`.

    Attributes:
        settings: as plain values; `make_head(head.settings)` makes an empty one of the same sizes.
        layer: name of the layer whose output it takes; of several, with commas.
        pooling: what makes the features of the outputs of its layers; None: they are the features.
    """

    sizes: ClassVar[tuple[str, ...]] = ()
    """Settings beside the numbers of features and classes, whole numbers from 1."""

    shift: Tensor
    scale: Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.settings = dict(settings)
        self.layer = str(settings["layer"])
        blocks = [Block.parse(text) for text in settings.get("blocks", ())]
        self.pooling = PooledFeatures(blocks) if blocks else None
        self.features, self.classes = int(settings["features"]), int(settings["classes"])
        self.add_buffer("shift", self.features)
        self.add_buffer("scale", self.features)

    @property
    def features_from(self) -> str:
        """What it takes, in words: "relu7", or its blocks, such as "mean:fire9/concat"."""
        return ", ".join(map(str, self.pooling.blocks)) if self.pooling else self.layer

    def add_buffer(self, name: str, *shape: int, dtype: torch.dtype = torch.float32) -> None:
        """Register a buffer of zeros."""
        self.register_buffer(name, torch.zeros(shape, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, K) float32 log probabilities for features (n, D) float32."""
        # in float64, and rounded once
        scaled = (x.double() - self.shift.double()) / self.scale.double()
        return self.log_probabilities(scaled.float()).float()

    def log_probabilities(self, x: Tensor) -> Tensor:
        """Return (n, K) for scaled features (n, D)."""
        raise NotImplementedError

    def find_problem(self) -> str | None:
        """Return what is wrong with the numbers of a head out of a file; None: nothing."""
        for name, tensor in self.named_buffers():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                return f'"{name}" holds numbers that are not finite'
        return (
            None if bool((self.scale > 0).all()) else '"scale" holds numbers that are not above 0'
        )


class LogisticRegression(Head):
    """Logistic regression: the softmax of a logit for each class."""

    weight: Tensor
    bias: Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self.add_buffer("weight", self.classes, self.features)
        self.add_buffer("bias", self.classes)

    def log_probabilities(self, x: Tensor) -> Tensor:
        return functional.log_softmax(self.logits(x), dim=1)

    def logits(self, x: Tensor) -> Tensor:
        return x.double() @ self.weight.double().T + self.bias.double()


class Ridge(LogisticRegression):
    """Least squares on labels of +1 and -1; the softmax of its outputs over a temperature."""


class LinearSVM(LogisticRegression):
    """Linear support vector machines, one against the rest: sigmoids divided by their sum.

    Weights and biases have Platt's scaling in them.
    """

    def log_probabilities(self, x: Tensor) -> Tensor:
        log_sigmoids = functional.logsigmoid(self.logits(x))
        return log_sigmoids - log_sigmoids.logsumexp(dim=1, keepdim=True)


class MultilayerPerceptron(Head):
    """One hidden layer with ReLU, then a softmax."""

    sizes = ("hidden",)
    hidden_weight: Tensor
    hidden_bias: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        hidden = int(settings["hidden"])
        self.add_buffer("hidden_weight", hidden, self.features)
        self.add_buffer("hidden_bias", hidden)
        self.add_buffer("weight", self.classes, hidden)
        self.add_buffer("bias", self.classes)

    def log_probabilities(self, x: Tensor) -> Tensor:
        hidden = x.double() @ self.hidden_weight.double().T + self.hidden_bias.double()
        logits = hidden.relu() @ self.weight.double().T + self.bias.double()
        return functional.log_softmax(logits, dim=1)


class NearestNeighbors(Head):
    """The classes of the k nearest training images, each with one vote.

    Or, where `by_distance` is 1 and not 2, with a vote of one over its distance.
    """

    sizes = ("rows", "neighbors", "by_distance")
    rows: Tensor
    labels: Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        count = int(settings["rows"])
        self.neighbors, self.by_distance = int(settings["neighbors"]), settings["by_distance"]
        if self.neighbors > count or self.by_distance > 2:
            raise RecipeError(
                f"The head takes {self.neighbors} neighbors out of {count} rows with by_distance "
                f"{self.by_distance}; it can take no more than its rows, and by_distance is 1 or 2."
            )
        self.add_buffer("rows", count, self.features)
        self.add_buffer("labels", count, dtype=torch.int64)

    def log_probabilities(self, x: Tensor) -> Tensor:
        x = x.double()
        starts = range(0, len(self.rows), _ROWS_AT_ONCE)
        parts = [torch.cdist(x, self.rows[i : i + _ROWS_AT_ONCE].double()) for i in starts]
        nearest = torch.cat(parts, dim=1).topk(self.neighbors, largest=False).indices
        weights = torch.ones_like(nearest, dtype=torch.float64)
        if self.by_distance == 1:
            # Once more, because cdist (torch 2.13) may compute distances by a matrix product, whose
            # rounding leaves a distance of 0 above 0.
            distances = torch.stack(
                [(x - self.rows[rank].double()).norm(dim=1) for rank in nearest.T]
            ).T
            same = distances == 0
            weights = torch.where(same.any(dim=1, keepdim=True), same.double(), 1 / distances)
        votes = x.new_zeros((x.shape[0], self.classes))
        votes = votes.scatter_add(1, self.labels[nearest], weights)
        return (votes / votes.sum(dim=1, keepdim=True)).log()

    def find_problem(self) -> str | None:
        inside = (self.labels >= 0) & (self.labels < self.classes)
        problem = None if bool(inside.all()) else '"labels" holds numbers that are no class'
        return super().find_problem() or problem


class DecisionTree(Head):
    """A decision tree: left where the split feature is at most the threshold, else right.

    A node comes before its children; a leaf has the split feature -1.
    """

    sizes = ("nodes", "depth")
    split_feature: Tensor
    threshold: Tensor
    left_child: Tensor
    right_child: Tensor
    value: Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        nodes, self.depth = int(settings["nodes"]), int(settings["depth"])
        if self.depth > nodes:
            raise RecipeError(f"A tree of {nodes} nodes is not {self.depth} levels deep.")
        self.add_buffer("split_feature", nodes, dtype=torch.int64)
        self.add_buffer("threshold", nodes)
        self.add_buffer("left_child", nodes, dtype=torch.int64)
        self.add_buffer("right_child", nodes, dtype=torch.int64)
        self.add_buffer("value", nodes, self.classes)

    def log_probabilities(self, x: Tensor) -> Tensor:
        node = torch.zeros(x.shape[0], dtype=torch.int64, device=x.device)
        for _ in range(self.depth):
            feature = self.split_feature[node]
            value = x.gather(1, feature.clamp(min=0)[:, None])[:, 0]
            is_left = value <= self.threshold[node]
            child = torch.where(is_left, self.left_child[node], self.right_child[node])
            node = torch.where(feature < 0, node, child)
        return self.value[node].double().log()

    def find_problem(self) -> str | None:
        inner = self.split_feature >= 0
        parents = torch.arange(len(self.split_feature))[inner]
        for name in ("left_child", "right_child"):
            children = cast("Tensor", getattr(self, name))[inner]
            if not bool(((children > parents) & (children < len(self.split_feature))).all()):
                return f'"{name}" leads out of the tree or backward'
        if bool((self.split_feature >= self.features).any()):
            return '"split_feature" names a feature that does not exist'
        sums = self.value.double().sum(dim=1)
        if bool((self.value < 0).any()) or not bool((sums - 1).abs().max() < 1e-3):
            return '"value" holds no probabilities'
        return super().find_problem() or self._depth_problem()

    def _depth_problem(self) -> str | None:
        level = torch.zeros(1, dtype=torch.int64)
        for _ in range(self.depth):
            inner = level[self.split_feature[level] >= 0]
            level = cast(
                "Tensor", torch.cat([self.left_child[inner], self.right_child[inner]]).unique()
            )
        deeper = bool((self.split_feature[level] >= 0).any())
        return f"its tree is deeper than its {self.depth} levels" if deeper else None


HEADS: Mapping[str, type[Head]] = {
    "logistic": LogisticRegression,
    "ridge": Ridge,
    "svm": LinearSVM,
    "knn": NearestNeighbors,
    "mlp": MultilayerPerceptron,
    "tree": DecisionTree,
}
"""Each kind of head by its name."""


def make_head(settings: Mapping[str, Any]) -> Head:
    """Make a head of its settings, without its numbers: buffers lie on torch's meta device.

    Args:
        settings: kind, one of `HEADS`; layer, the name of the layer whose output it takes;
            features D; classes K; the sizes of its kind; blocks, where the features are made of
            several layers (see `Block.parse`); and, for people, what was chosen for it.

    Raises:
        RecipeError: a setting is missing, is not known, or makes no sense.
    """
    if not isinstance(settings, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RecipeError(f"A head is described by an object; got {settings!r:.60}.")
    kind = settings.get("kind")
    if not isinstance(kind, str) or kind not in HEADS:
        suggestion = did_you_mean(kind, HEADS) if isinstance(kind, str) else ""
        raise RecipeError(f"There is no head {kind!r:.60}.{suggestion} Heads: {', '.join(HEADS)}.")
    if not isinstance(settings.get("layer"), str):
        raise RecipeError(
            f'The {kind} head has no text as "layer": the layer whose output it takes.'
        )
    sizes = ("features", "classes", *HEADS[kind].sizes)
    for name in sizes:
        value = settings.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < _LARGEST_SIZE:
            raise RecipeError(
                f'The {kind} head has {value!r:.60} as "{name}", not a whole number from 1.'
            )
    unknown = sorted(set(settings) - {"kind", "layer", "chosen", "blocks", *sizes})
    if unknown:
        raise RecipeError(f'The {kind} head has a setting "{unknown[0]}", which it does not know.')
    if not isinstance(settings.get("blocks", []), list):
        raise RecipeError(
            f'The {kind} head has {settings["blocks"]!r:.60} as "blocks", not a list of texts.'
        )
    with torch.device("meta"):  # sizes out of an untrusted file take no memory
        return HEADS[kind](settings)
