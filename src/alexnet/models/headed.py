"""A network whose answer comes from a head on one of its layers, not from its own last layer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from alexnet.errors import RecipeError
from alexnet.models.heads import Head, make_head
from alexnet.models.network import Network

__all__ = ["HeadedNetwork", "bare", "with_head"]


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
