"""Locally connected layers: a convolution whose filters differ from position to position."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.errors import RecipeError
from alexnet.nn.windows import Window

__all__ = ["LocallyConnected"]


class LocallyConnected(nn.Module):
    """Like a convolution, without sharing: each position has weights of its own (program: `local`).

    Args:
        inputs: channels in.
        outputs: channels out.
        positions: side P of the square output; there are P * P positions.
        kernel, stride, padding: of the square window, in positions of the input.

    Attributes:
        weight: (P * P, inputs * kernel * kernel, outputs).
        bias: (outputs, P, P), one for each position (the program does not share them either).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        positions: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.positions = inputs, outputs, positions
        self.window = Window(kernel, stride, padding)
        area = positions * positions
        self.weight = nn.Parameter(torch.zeros(area, inputs * kernel * kernel, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs, positions, positions))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, P, P) for (N, inputs, H, W).

        Raises:
            RecipeError: an input with other than P x P windows.
        """
        window = self.window
        found = tuple(window.outputs(size) for size in x.shape[2:])
        if found != (self.positions, self.positions):
            raise RecipeError(
                f"A locally connected layer has weights for {self.positions} x {self.positions} "
                f"positions; an input of {tuple(x.shape)} has {' x '.join(map(str, found))}."
            )
        patches = functional.unfold(
            x, window.kernel, padding=window.padding, stride=window.stride
        )  # (N, inputs * kernel**2, P * P)
        answers = torch.bmm(patches.permute(2, 0, 1), self.weight.to(patches.dtype))
        maps = answers.permute(1, 2, 0).reshape(len(x), self.outputs, *found)
        return maps + self.bias.to(maps.dtype)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        window = self.window
        return (
            f"{self.inputs}, {self.outputs}, positions={self.positions}, kernel={window.kernel}, "
            f"stride={window.stride}, padding={window.padding}"
        )
