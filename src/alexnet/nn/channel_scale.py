"""A learned factor, and a learned summand, for each channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ChannelScale"]


class ChannelScale(nn.Module):
    """Multiply by a learned number for each channel, and add another (Caffe's Scale).

    Args:
        shape: of the numbers: (C,), or of further axes behind the channels.
        axis: the input's axis that the first of them belongs to; 1 is the channels.
        bias: whether there is something to add.
    """

    bias: nn.Parameter | None

    def __init__(self, shape: tuple[int, ...], *, axis: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.axis = axis
        self.weight = nn.Parameter(torch.ones(shape))
        self.register_parameter("bias", nn.Parameter(torch.zeros(shape)) if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape of `x`."""
        behind = x.dim() - self.axis - self.weight.dim()
        shape = (*self.weight.shape, *(1,) * behind)
        scaled = x * self.weight.view(shape)
        return scaled if self.bias is None else scaled + self.bias.view(shape)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"{tuple(self.weight.shape)}, axis={self.axis}, bias={self.bias is not None}"
