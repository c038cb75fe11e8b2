"""Convolution with the authors' ceiling rule and with towers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.errors import RecipeError
from alexnet.nn.windows import Window

__all__ = ["Convolution"]


class Convolution(nn.Conv2d):
    """A convolution whose last window may hang over the right and bottom edge and read zeros there.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel, stride, padding: of the square window, in positions.
        towers: groups that see only their own share of the inputs (two GPUs in the paper).
        ceiling: round the number of windows up, as the program does; else down.
        bias: whether each map has a bias.

    Raises:
        RecipeError: channels that the towers do not divide, or a window that cannot be.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        towers: int = 1,
        ceiling: bool = False,
        bias: bool = True,
    ) -> None:
        window = Window(kernel, stride, padding, ceiling)
        if towers < 1 or inputs % towers or outputs % towers:
            raise RecipeError(
                f"{towers} towers cannot share {inputs} channels in and {outputs} out evenly; both "
                "must be multiples of the number of towers."
            )
        super().__init__(inputs, outputs, kernel, stride, padding, groups=towers, bias=bias)
        self.window = window

    def reset_parameters(self) -> None:
        """Leave the first weights to `alexnet.nn.initialise`, and the global generator alone."""
        with torch.no_grad():
            self.weight.zero_()
            if self.bias is not None:
                self.bias.zero_()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return (N, outputs, H', W') for (N, inputs, H, W)."""
        down, right = (self.window.overhang(size) for size in input.shape[2:])
        whole = functional.pad(input, (0, right, 0, down)) if down or right else input
        return super().forward(whole)
