"""Layers of several inputs: side by side, or combined number by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["Combine", "Combining", "Concat"]

Combining = Literal["sum", "product", "max"]


class Concat(nn.Module):
    """Lay inputs side by side.

    Args:
        axis: along which; 1 is the channels.
    """

    def __init__(self, axis: int = 1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return one tensor of inputs that are of equal shape but for the axis."""
        return torch.cat(inputs, self.axis)


class Combine(nn.Module):
    """Combine inputs of one shape number by number.

    Args:
        how: "sum", "product" or "max".
        coefficients: of a sum, one for each input; None: all 1.
    """

    def __init__(self, how: Combining, coefficients: Sequence[float] | None = None) -> None:
        super().__init__()
        self.how: Combining = how
        self.coefficients = None if coefficients is None else tuple(coefficients)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return one tensor of the inputs' shape."""
        if self.coefficients is not None:
            inputs = tuple(c * each for c, each in zip(self.coefficients, inputs, strict=True))
        total = inputs[0]
        for each in inputs[1:]:
            if self.how == "max":
                total = torch.maximum(total, each)
            else:
                total = total * each if self.how == "product" else total + each
        return total

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return self.how if self.coefficients is None else f"{self.how}, {self.coefficients}"
