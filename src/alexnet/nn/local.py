"""Locally connected layers: a convolution whose filters differ from position to position."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
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
        ceiling: round the number of windows up, as the program does; the last one then reads zeros
            beyond the edge.
        bias: whether there are biases.

    Attributes:
        weight: (P * P, inputs * kernel * kernel, outputs).
        bias: (outputs, P, P), one for each position (the program does not share them either).
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        positions: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        ceiling: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.positions = inputs, outputs, positions
        self.window = Window(kernel, stride, padding, ceiling)
        area = positions * positions
        self.weight = nn.Parameter(torch.zeros(area, inputs * kernel * kernel, outputs))
        offsets = nn.Parameter(torch.zeros(outputs, positions, positions)) if bias else None
        self.register_parameter("bias", offsets)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, P, P) for (N, inputs, H, W).

        Raises:
            RecipeError: an input with other than P x P windows.
        """
        window = self.window
        sides = tuple(window.outputs(size) for size in x.shape[2:])
        if sides != (self.positions, self.positions):
            raise RecipeError(
                f"A locally connected layer has weights for {self.positions} x {self.positions} "
                f"positions; an input of {tuple(x.shape)} has {' x '.join(map(str, sides))}."
            )
        down, right = (window.padding + window.overhang(size) for size in x.shape[2:])
        padded = functional.pad(x, (window.padding, right, window.padding, down))
        patches = _patches(padded, window, self.positions)
        by_map = cast("Tensor", self.weight.unflatten(1, (self.inputs, -1)))  # (P * P, C, k * k, O)
        weight = by_map.transpose(1, 2).flatten(1, 2)
        products = torch.bmm(patches, weight.to(patches.dtype))
        maps = products.transpose(0, 1).reshape(len(x), *sides, self.outputs).permute(0, 3, 1, 2)
        return maps if self.bias is None else maps + self.bias.to(maps.dtype)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        window = self.window
        return (
            f"{self.inputs}, {self.outputs}, positions={self.positions}, kernel={window.kernel}, "
            f"stride={window.stride}, padding={window.padding}"
        )


def _patches(x: Tensor, window: Window, positions: int) -> Tensor:
    """Return (P * P, N, k * k * C)."""
    return cast("Tensor", _Patches.apply(x, window, positions))


class _Patches(torch.autograd.Function):
    """Gather the windows of (N, C, H, W) as (P * P, N, k * k * C), channels innermost.

    With channels last that copies whole runs of channels, where torch's unfold (2.13) goes number
    by number.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: Window, positions: int) -> Tensor:
        ctx.window, ctx.positions, ctx.shape = window, positions, x.shape
        rows = x.permute(0, 2, 3, 1)
        patches = rows.new_empty(
            positions, positions, len(x), window.kernel, window.kernel, x.shape[1]
        )
        for i, j, shifted in _shifted(rows, window, positions):
            patches[:, :, :, i, j] = shifted.permute(1, 2, 0, 3)
        return patches.reshape(positions**2, len(x), -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        n, channels, height, width = ctx.shape
        kernel, positions = ctx.window.kernel, ctx.positions
        patches = gradients[0].view(positions, positions, n, kernel, kernel, channels)
        rows = patches.new_zeros(n, height, width, channels)
        for i, j, shifted in _shifted(rows, ctx.window, positions):
            shifted += patches[:, :, :, i, j].permute(2, 0, 1, 3)
        return rows.permute(0, 3, 1, 2), None, None


def _shifted(rows: Tensor, window: Window, positions: int) -> Iterator[tuple[int, int, Tensor]]:
    """Yield each row and column of a window with a view of the (N, P, P, C) inputs there."""
    span = (positions - 1) * window.stride + 1
    for i in range(window.kernel):
        for j in range(window.kernel):
            yield i, j, rows[:, i : i + span : window.stride, j : j + span : window.stride]
