"""Fully connected layers."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["FullyConnected"]


class FullyConnected(nn.Linear):
    """torch's layer, which reads maps as a row, channel by channel.

    Its first weights are left to `alexnet.nn.initialise`. torch would draw them first, and on the
    device "meta" load a symbolic algebra for it, which takes longer than reading a picture.
    """

    def reset_parameters(self) -> None:
        """Leave the numbers as they are: nothing in particular until they are drawn or loaded."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return (N, outputs) for (N, ...)."""
        return super().forward(input.flatten(1) if input.dim() > 2 else input)
