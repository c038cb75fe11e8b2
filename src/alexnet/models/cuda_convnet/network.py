"""The networks of layer files: layers that read others by name, sum several inputs, or group.

Two towers meet in conv3 and in the fully connected layers.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from alexnet.models.graph.network import BranchedNetwork
from alexnet.nn import Dropout

__all__ = ["IMAGES", "GroupedLayers", "LayerFileNetwork", "SummedLayers"]

IMAGES = ""
"""What layers call the network's input; no layer can have this name."""


class LayerFileNetwork(BranchedNetwork):
    """A network that a layer file describes."""

    IMAGES = IMAGES

    @property
    def features_layer(self) -> str:
        """Name of the last hidden layer; where several feed the last one, all, with commas."""
        names = self.inputs[list(self._modules)[-1]]
        while len(names) == 1 and isinstance(self._modules.get(names[0]), Dropout):
            names = self.inputs[names[0]]
        return ",".join(self._before_dropout(name) for name in names)

    def stage(self, x: Tensor, name: str) -> Tensor:
        """Return the output of one layer; the layers behind it are not run.

        Args:
            x: (N, 3, c, c).
            name: of a layer; or several with commas, whose outputs are concatenated: (N, D).

        Raises:
            RecipeError: no such layer (the nearest names are given), or images of another shape.
        """
        names = name.split(",")
        if len(names) == 1:
            return super().stage(x, name)
        return torch.cat(
            [super(LayerFileNetwork, self).stage(x, part).flatten(1) for part in names], dim=1
        )

    def _before_dropout(self, name: str) -> str:
        while isinstance(self._modules.get(name), Dropout):
            (name,) = self.inputs[name]
        return name


class SummedLayers(nn.ModuleList):
    """Layers with weights, one for each input, whose outputs are added.

    Attributes:
        bias: one for each map and position, (C, H, W), where no part has biases of its own.
    """

    bias: nn.Parameter | None

    def __init__(self, parts: list[nn.Module], bias: Tensor | None = None) -> None:
        super().__init__(parts)
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the sum."""
        total = self[0](inputs[0])
        for part, x in zip(list(self)[1:], inputs[1:], strict=True):
            total = total + part(x)
        return cast("Tensor", total if self.bias is None else total + self.bias.to(total.dtype))


class GroupedLayers(nn.ModuleList):
    """Layers that each see their own share of the channels; outputs are concatenated."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, all outputs, H', W')."""
        chunks = x.chunk(len(self), dim=1)
        return torch.cat([part(chunk) for part, chunk in zip(self, chunks, strict=True)], dim=1)
