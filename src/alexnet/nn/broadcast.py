"""A factor or summand spread over maps, axes in another order, and squares made rectangles."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "AxisResize",
    "Broadcast",
    "BroadcastOperation",
    "ChannelBias",
    "Permute",
    "axis_weights",
]

BroadcastOperation = Literal["product", "sum"]


class Broadcast(nn.Module):
    """Multiply or add a second input that has fewer axes (Caffe's Scale and Bias of two inputs).

    Args:
        operation: "product" or "sum".
        axis: the first input's axis that the second's first axis behind the batch belongs to.
    """

    def __init__(self, operation: BroadcastOperation, axis: int = 1) -> None:
        super().__init__()
        self.operation: BroadcastOperation = operation
        self.axis = axis

    def forward(self, x: Tensor, few: Tensor) -> Tensor:
        """Return the shape of `x`."""
        before = self.axis - 1
        behind = x.dim() - self.axis - (few.dim() - 1)
        spread = few.reshape(-1, *(1,) * before, *few.shape[1:], *(1,) * behind)
        return x * spread if self.operation == "product" else x + spread

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"{self.operation}, axis={self.axis}"


class ChannelBias(nn.Module):
    """Add a learned number for each channel (Caffe's Bias).

    Args:
        shape: of the numbers: (C,), or of further axes behind the channels.
        axis: the input's axis that the first of them belongs to; 1 is the channels.
    """

    def __init__(self, shape: tuple[int, ...], *, axis: int = 1) -> None:
        super().__init__()
        self.axis = axis
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape of `x`."""
        behind = x.dim() - self.axis - self.bias.dim()
        return x + self.bias.view(*self.bias.shape, *(1,) * behind)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"{tuple(self.bias.shape)}, axis={self.axis}"


class Permute(nn.Module):
    """Give the axes behind the batch another order.

    Args:
        order: for each axis of the output, which of the input it is; 1 is the channels.
    """

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        """Return the input in the other order."""
        return x.permute(0, *self.order).contiguous()

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return str(self.order)


class AxisResize(nn.Module):
    """Resize images to height and width, as Pillow does bilinearly: a square becomes a rectangle.

    Args:
        size: height and width, each at most that of the images.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, height, width) for (N, C, H, W)."""
        down, across = (
            axis_weights(int(before), after).to(x)
            for before, after in zip(x.shape[2:], self.size, strict=True)
        )
        return down @ x @ across.T

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"{self.size[0]} x {self.size[1]}"


def axis_weights(before: int, after: int) -> Tensor:
    """Return (after, before): how much of each position goes into each of fewer positions."""
    unit = torch.eye(before, device="cpu")
    if before == after:
        return unit
    rows = functional.interpolate(
        unit[:, None, None], size=(1, after), mode="bilinear", antialias=True
    )
    return rows[:, 0, 0].T.contiguous()
