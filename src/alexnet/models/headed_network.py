"""A trained network with a head on one or several of its layers, as one network."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from alexnet.errors import RecipeError
from alexnet.models.heads import Head, make_head
from alexnet.models.network import Network
from alexnet.models.pooled_features import Block

__all__ = ["HeadedNetwork", "backbone_of", "default_features", "with_head"]


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


def default_features(network: Network) -> str:
    """Return what is taken of an image where no layer is named: "relu7", or "mean:fire9/concat".

    The input of the classifier; where that is a convolution, whose scores are averaged over the
    map, the mean over the map. Of a network with a head what the head takes; if that is made of
    several layers, the input of the classifier that was there before.

    Args:
        network: its layers; one image of zeros may be run through it.
    """
    if isinstance(network, HeadedNetwork):
        head = network.classifier
        if head.pooling is None or len(head.pooling.blocks) == 1:
            return str(head.pooling.blocks[0]) if head.pooling else head.layer
        network = network.backbone
    name = network.features_layer
    classifier = network.get_submodule(network.head) if network.head else None
    if not isinstance(classifier, nn.Conv2d):
        return name
    device = next(network.parameters()).device
    x = torch.zeros(1, 3, network.crop_px, network.crop_px, device=device)
    with torch.inference_mode():
        output = network.stage(x, name)
    averaged = output[0, 0].numel() > 1  # a map of one position is its own mean
    return str(Block(name, 1, raw=True)) if averaged else name


def with_head(backbone: Network, settings: Mapping[str, Any]) -> HeadedNetwork:
    """Put a head, without its numbers, on a network.

    Raises:
        RecipeError: settings that make no head.
    """
    return HeadedNetwork(backbone, make_head(settings))
