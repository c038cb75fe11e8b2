"""A trained network with a head on one or several of its layers, as one network."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from alexnet.errors import RecipeError
from alexnet.models.heads import Head, make_head
from alexnet.models.network import Network

__all__ = ["HeadedNetwork", "backbone_of", "with_head"]


class HeadedNetwork(Network):
    """A trained network and a head that predicts other classes from the output of one layer.

    Its outputs are log probabilities: their softmax is the probabilities themselves, so it is used
    as any network is. Layers after the one that the head takes are not run.

    Args:
        backbone: the network, for the classes that it was trained on.
        classifier: the head.

    Attributes:
        backbone: the network.
        classifier: the head.
    """

    def __init__(self, backbone: Network, classifier: Head) -> None:
        super().__init__(
            OrderedDict(backbone=backbone, classifier=classifier),
            model=backbone.model,
            arguments={**backbone.arguments, "head": classifier.settings},
            weight_decay={},
        )
        self.backbone, self.classifier = backbone, classifier
        self.classes = classifier.classes

    @property
    def features_layer(self) -> str:
        """Name of the layer whose output the head takes."""
        return self.classifier.layer

    @property
    def head(self) -> str:
        """None: no layer is trained by gradients."""
        return ""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return log probabilities (N, K) for images (N, 3, c, c).

        Raises:
            RecipeError: images of another shape, or a layer with another number of features than
                the head was fitted on.
        """
        features = self.features(input)
        if features.shape[1] != self.classifier.features:
            raise RecipeError(
                f'The head was fitted on {self.classifier.features} features, and "'
                f'{self.classifier.layer}" makes {features.shape[1]}. The weights file is not '
                "consistent: fit the head again."
            )
        return self.classifier(features)

    def features(self, x: Tensor) -> Tensor:
        """Return what the head takes: (N, D) float32 for images (N, 3, c, c)."""
        head = self.classifier
        if head.pooling is None:
            return self.backbone.stage(x, head.layer).float().flatten(1)
        return head.pooling(self.backbone.outputs(x, head.pooling.layers))

    def stages(self, x: Tensor) -> dict[str, Tensor]:
        """Return every layer's output by name, the head's as "classifier"."""
        return {**self.backbone.stages(x), "classifier": self(x)}

    def stage(self, x: Tensor, name: str) -> Tensor:
        """Return the output of one layer, or of the head: "classifier".

        Raises:
            RecipeError: no such layer (the nearest names are given), or images of another shape.
        """
        return self(x) if name == "classifier" else self.backbone.stage(x, name)


def backbone_of(network: Network) -> Network:
    """Return a network without the head that it may have."""
    return network.backbone if isinstance(network, HeadedNetwork) else network


def with_head(backbone: Network, settings: Mapping[str, Any]) -> HeadedNetwork:
    """Put a head, without its numbers, on a network.

    Raises:
        RecipeError: settings that make no head.
    """
    return HeadedNetwork(backbone, make_head(settings))
