"""Slices, other shapes, one gray channel of three, and inputs joined or combined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn, tensor

__all__ = ["ChannelScale", "Concat", "Eltwise", "EltwiseOperation", "Grayscale", "Reshape", "Slice"]

_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, as JPEG and OpenCV weigh them


class Slice(nn.Module):
    """Take a slice of the input (torch's narrow).

    Args:
        axis: along which; 1 is the channels.
        start: the first that is taken, from 0.
        length: how many are taken.
    """

    def __init__(self, axis: int, start: int, length: int) -> None:
        super().__init__()
        self.axis, self.start, self.length = axis, start, length

    def forward(self, x: Tensor) -> Tensor:
        """Return the slice."""
        return x.narrow(self.axis, self.start, self.length)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"axis={self.axis}, {self.start} to {self.start + self.length - 1}"


class Reshape(nn.Module):
    """Read the numbers of each image in another shape.

    Args:
        shape: without the batch, every size in full.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, *shape)."""
        return x.reshape(-1, *self.shape)  # not len(x): a trace would keep that number

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return str(self.shape)


class Grayscale(nn.Module):
    """Make one channel of three, for networks that take gray images.

    Args:
        order: of the channels that come in.
    """

    def __init__(self, order: Literal["RGB", "BGR"] = "RGB") -> None:
        super().__init__()
        self.order = order

    @property
    def luma(self) -> tuple[float, ...]:
        """The factor of each channel, in the order in which they come in."""
        return _LUMA if self.order == "RGB" else _LUMA[::-1]

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 1, H, W) for (N, 3, H, W)."""
        return (x * tensor(self.luma, dtype=x.dtype, device=x.device)[:, None, None]).sum(1, True)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return self.order


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


EltwiseOperation = Literal["sum", "product", "max"]


class Concat(nn.Module):
    """Concatenate inputs.

    Args:
        axis: along which; 1 is the channels.
    """

    def __init__(self, axis: int = 1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return one tensor; the inputs have equal shapes but for the axis."""
        return torch.cat(inputs, self.axis)


class Eltwise(nn.Module):
    """Combine inputs of one shape element by element (Caffe's Eltwise).

    Args:
        operation: "sum", "product" or "max".
        coefficients: of a sum, one for each input; None: all 1.
    """

    def __init__(
        self, operation: EltwiseOperation, coefficients: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.operation: EltwiseOperation = operation
        self.coefficients = None if coefficients is None else tuple(coefficients)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return one tensor of the inputs' shape."""
        if self.coefficients is not None:
            inputs = tuple(c * x for c, x in zip(self.coefficients, inputs, strict=True))
        total = inputs[0]
        for x in inputs[1:]:
            if self.operation == "max":
                total = torch.maximum(total, x)
            else:
                total = total * x if self.operation == "product" else total + x
        return total

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return (
            self.operation
            if self.coefficients is None
            else f"{self.operation}, {self.coefficients}"
        )
