"""Fully connected layers."""

from __future__ import annotations

from torch import nn

__all__ = ["FullyConnected"]


class FullyConnected(nn.Linear):
    """torch's layer, whose first weights are left to `alexnet.nn.initialise`.

    torch would draw them first, and on the device "meta" load a symbolic algebra for it, which
    takes longer than reading a picture.
    """

    def reset_parameters(self) -> None:
        """Leave the numbers as they are: nothing in particular until they are drawn or loaded."""
