"""What layer files of the authors' program make: two towers that meet, and layers that add.

The files wire their layers by name: towers meet in conv3 and in the fully connected layers.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from alexnet.models.graph.network import Branching
from alexnet.nn import Dropout

__all__ = ["PICTURES", "Grouped", "Summed", "Wired"]

PICTURES = ""
"""What layers call the network's input; no layer can have this name."""


class Wired(Branching):
    """A network that a layer file describes."""

    PICTURES = PICTURES

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
            name: of a layer; or several with commas, whose numbers stand side by side: (N, D).

        Raises:
            RecipeError: no such layer (the nearest names are given), or pictures of another shape.
        """
        wanted = name.split(",")
        if len(wanted) == 1:
            return super().stage(x, name)
        return torch.cat([super(Wired, self).stage(x, each).flatten(1) for each in wanted], dim=1)

    def _before_dropout(self, name: str) -> str:
        while isinstance(self._modules.get(name), Dropout):
            (name,) = self.inputs[name]
        return name


class Summed(nn.ModuleList):
    """Layers with weights, one for each input, whose answers are added.

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


class Grouped(nn.ModuleList):
    """Layers that each see their own share of the channels, outputs side by side."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, all outputs, H', W')."""
        shares = x.chunk(len(self), dim=1)
        return torch.cat([part(share) for part, share in zip(self, shares, strict=True)], dim=1)
