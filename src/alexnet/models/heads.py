"""Classic classifiers on a layer's numbers, as layers: what scikit-learn learnt, computed by torch.

A head is described by plain settings, which say its kind and its sizes, and holds its numbers as
buffers: so it travels in the weights file as any layer does, and nothing in it is code. Every head
first brings each feature to the scale that it was taught on.

Legend: n pictures, D features, K classes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.errors import RecipeError, did_you_mean
from alexnet.models.network import Network

__all__ = ["HEADS", "Head", "HeadedNetwork", "bare", "make_head", "with_head"]

_MOST = 2**27  # of any size, so that no product of two is absurd
_ROWS_AT_ONCE = 1024  # neighbours whose numbers are doubled at once


class Head(nn.Module):
    """From features (n, D) to the logarithms of probabilities (n, K).

    Args:
        settings: kind, layer, features, classes and the kind's own sizes; see `make_head`.

    Attributes:
        settings: as plain values; `make_head(head.settings)` makes an empty one of the same sizes.
    """

    sizes: ClassVar[tuple[str, ...]] = ()
    """What settings must say beside the numbers of features and classes, whole numbers from 1."""

    shift: Tensor
    scale: Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.settings = dict(settings)
        self.layer = str(settings["layer"])
        self.features, self.classes = int(settings["features"]), int(settings["classes"])
        self.keep("shift", self.features)
        self.keep("scale", self.features)

    def keep(self, name: str, *shape: int, dtype: torch.dtype = torch.float32) -> None:
        """Make room for a tensor of the head."""
        self.register_buffer(name, torch.zeros(shape, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, K) float32 logarithms of probabilities for features (n, D) float32."""
        scaled = (x.double() - self.shift.double()) / self.scale.double()
        return self.answer(scaled.float()).float()

    def answer(self, x: Tensor) -> Tensor:
        """Return (n, K) logarithms for scaled features (n, D)."""
        raise NotImplementedError

    def flaw(self) -> str | None:
        """Return what is wrong with the numbers of a head that somebody hands in; None: nothing."""
        for name, tensor in self.named_buffers():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                return f'"{name}" holds numbers that are not finite'
        return (
            None if bool((self.scale > 0).all()) else '"scale" holds numbers that are not above 0'
        )


class Logistic(Head):
    """Logistic regression: the softmax of a sum for each class."""

    weight: Tensor
    bias: Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self.keep("weight", self.classes, self.features)
        self.keep("bias", self.classes)

    def answer(self, x: Tensor) -> Tensor:
        return functional.log_softmax(self.sums(x), dim=1)

    def sums(self, x: Tensor) -> Tensor:
        return x.double() @ self.weight.double().T + self.bias.double()


class Margins(Logistic):
    """Linear support vector machines, one against the rest: sigmoids that are divided by their sum.

    Sums are those of the machine, already brought to Platt's scale.
    """

    def answer(self, x: Tensor) -> Tensor:
        sure = functional.logsigmoid(self.sums(x))
        return sure - sure.logsumexp(dim=1, keepdim=True)


class Perceptron(Head):
    """One hidden layer with ReLU, then a softmax."""

    sizes = ("hidden",)
    hidden_weight: Tensor
    hidden_bias: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        hidden = int(settings["hidden"])
        self.keep("hidden_weight", hidden, self.features)
        self.keep("hidden_bias", hidden)
        self.keep("weight", self.classes, hidden)
        self.keep("bias", self.classes)

    def answer(self, x: Tensor) -> Tensor:
        hidden = x.double() @ self.hidden_weight.double().T + self.hidden_bias.double()
        sums = hidden.relu() @ self.weight.double().T + self.bias.double()
        return functional.log_softmax(sums, dim=1)


class Neighbours(Head):
    """The classes of the nearest pictures that it was taught with, each with one voice.

    Or, where `by_distance` is 1 and not 2, with a voice that is one over its distance.
    """

    sizes = ("rows", "neighbours", "by_distance")
    rows: Tensor
    labels: Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        count = int(settings["rows"])
        self.neighbours, self.by_distance = int(settings["neighbours"]), settings["by_distance"]
        if self.neighbours > count or self.by_distance > 2:
            raise RecipeError(
                f"The head asks {self.neighbours} neighbours out of {count} with by_distance "
                f"{self.by_distance}: it has no more than its rows, and that is 1 or 2."
            )
        self.keep("rows", count, self.features)
        self.keep("labels", count, dtype=torch.int64)

    def answer(self, x: Tensor) -> Tensor:
        x = x.double()
        starts = range(0, len(self.rows), _ROWS_AT_ONCE)
        parts = [torch.cdist(x, self.rows[i : i + _ROWS_AT_ONCE].double()) for i in starts]
        nearest = torch.cat(parts, dim=1).topk(self.neighbours, largest=False).indices
        voices = torch.ones_like(nearest, dtype=torch.float64)
        if self.by_distance == 1:
            # Once more, without the rounding of many products: a distance of 0 must be 0.
            apart = torch.stack([(x - self.rows[each].double()).norm(dim=1) for each in nearest.T])
            same = apart.T == 0
            voices = torch.where(same.any(dim=1, keepdim=True), same.double(), 1 / apart.T)
        votes = x.new_zeros((x.shape[0], self.classes)).scatter_add(1, self.labels[nearest], voices)
        return (votes / votes.sum(dim=1, keepdim=True)).log()

    def flaw(self) -> str | None:
        inside = (self.labels >= 0) & (self.labels < self.classes)
        return super().flaw() or (None if bool(inside.all()) else '"labels" names no class of it')


class Tree(Head):
    """Questions "is this feature at most so much?", one after the other, to a leaf.

    A node comes before those below it; a leaf asks for the feature -1.
    """

    sizes = ("nodes", "depth")
    asks: Tensor
    limit: Tensor
    at_most: Tensor
    above: Tensor
    value: Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        nodes, self.depth = int(settings["nodes"]), int(settings["depth"])
        if self.depth > nodes:
            raise RecipeError(f"A tree of {nodes} nodes is not {self.depth} levels deep.")
        self.keep("asks", nodes, dtype=torch.int64)
        self.keep("limit", nodes)
        self.keep("at_most", nodes, dtype=torch.int64)
        self.keep("above", nodes, dtype=torch.int64)
        self.keep("value", nodes, self.classes)

    def answer(self, x: Tensor) -> Tensor:
        node = torch.zeros(x.shape[0], dtype=torch.int64, device=x.device)
        for _ in range(self.depth):
            asked = self.asks[node]
            number = x.gather(1, asked.clamp(min=0)[:, None])[:, 0]
            below = torch.where(number <= self.limit[node], self.at_most[node], self.above[node])
            node = torch.where(asked < 0, node, below)
        return self.value[node].double().log()

    def flaw(self) -> str | None:
        inner = self.asks >= 0
        here = torch.arange(len(self.asks))[inner]
        for name, below in (("at_most", self.at_most[inner]), ("above", self.above[inner])):
            if not bool(((below > here) & (below < len(self.asks))).all()):
                return f'"{name}" leads out of the tree or back'
        if bool((self.asks >= self.features).any()):
            return '"asks" names a feature that there is not'
        sums = self.value.double().sum(dim=1)
        if bool((self.value < 0).any()) or not bool((sums - 1).abs().max() < 1e-3):
            return '"value" holds no probabilities'
        return super().flaw() or self._too_deep()

    def _too_deep(self) -> str | None:
        level = torch.zeros(1, dtype=torch.int64)
        for _ in range(self.depth):
            inner = level[self.asks[level] >= 0]
            level = cast("Tensor", torch.cat([self.at_most[inner], self.above[inner]]).unique())
        deeper = bool((self.asks[level] >= 0).any())
        return f"its tree is deeper than its {self.depth} levels" if deeper else None


HEADS: Mapping[str, type[Head]] = {
    "logistic": Logistic,
    "svm": Margins,
    "knn": Neighbours,
    "mlp": Perceptron,
    "tree": Tree,
}
"""Each kind of head by its name."""


def make_head(settings: Mapping[str, Any]) -> Head:
    """Make a head of a description, its numbers still missing: they lie on torch's meta device.

    Args:
        settings: kind, one of `HEADS`; layer, the name of the layer that it looks at; features D;
            classes K; the sizes of its kind; and, for people, what was chosen for it.

    Raises:
        RecipeError: a setting is missing, is not known, or makes no sense.
    """
    if not isinstance(settings, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RecipeError(f"A head is described by an object; got {settings!r:.60}.")
    kind = settings.get("kind")
    if not isinstance(kind, str) or kind not in HEADS:
        near = did_you_mean(kind, HEADS) if isinstance(kind, str) else ""
        raise RecipeError(f"There is no head {kind!r:.60}.{near} Heads: {', '.join(HEADS)}.")
    if not isinstance(settings.get("layer"), str):
        raise RecipeError(f'The {kind} head has no text as "layer": the layer that it looks at.')
    sizes = ("features", "classes", *HEADS[kind].sizes)
    for name in sizes:
        value = settings.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < _MOST:
            raise RecipeError(
                f'The {kind} head has {value!r:.60} as "{name}", not a whole number from 1.'
            )
    unknown = sorted(set(settings) - {"kind", "layer", "chosen", *sizes})
    if unknown:
        raise RecipeError(f'The {kind} head has a setting "{unknown[0]}", which it does not know.')
    with torch.device("meta"):  # sizes that somebody else wrote take no memory
        return HEADS[kind](settings)


class HeadedNetwork(Network):
    """A trained network, whole, and a head that answers for other classes from one of its layers.

    Its answers are logarithms of probabilities: their softmax is the probabilities themselves, so
    that it is asked as any network is. Layers behind the one that the head looks at are not run.

    Args:
        body: the network, for the classes that it was trained on.
        classifier: the head.

    Attributes:
        body: the network.
        classifier: the head.
    """

    def __init__(self, body: Network, classifier: Head) -> None:
        super().__init__(
            OrderedDict(body=body, classifier=classifier),
            model=body.model,
            arguments={**body.arguments, "head": classifier.settings},
            decay={},
        )
        self.body, self.classifier = body, classifier
        self.classes = classifier.classes

    @property
    def features_layer(self) -> str:
        """Name of the layer that the head looks at."""
        return self.classifier.layer

    @property
    def head(self) -> str:
        """No layer that a training could teach."""
        return ""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return logarithms of probabilities (N, K) for pictures (N, 3, c, c).

        Raises:
            RecipeError: pictures of another shape, or a layer that makes other features than the
                head was taught on.
        """
        features = self.body.stage(input, self.classifier.layer).float().flatten(1)
        if features.shape[1] != self.classifier.features:
            raise RecipeError(
                f'The head was taught on {self.classifier.features} numbers, and "'
                f'{self.classifier.layer}" makes {features.shape[1]}. The file was put together '
                "wrongly: teach the head again."
            )
        return self.classifier(features)

    def stages(self, x: Tensor) -> dict[str, Tensor]:
        """Return every layer's output by name, the head's as "classifier"."""
        return {**self.body.stages(x), "classifier": self(x)}

    def stage(self, x: Tensor, name: str) -> Tensor:
        """Return the output of one layer, or of the head: "classifier".

        Raises:
            RecipeError: no such layer (the nearest names are given), or pictures of another shape.
        """
        return self(x) if name == "classifier" else self.body.stage(x, name)


def bare(network: Network) -> Network:
    """Return a network without the head that it may have."""
    return network.body if isinstance(network, HeadedNetwork) else network


def with_head(body: Network, settings: Mapping[str, Any]) -> HeadedNetwork:
    """Put a head, its numbers still missing, on a network.

    Raises:
        RecipeError: settings that make no head.
    """
    return HeadedNetwork(body, make_head(settings))
