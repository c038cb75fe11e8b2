"""A part of an input, another shape, one grey channel of three."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn, tensor

__all__ = ["Grey", "Part", "Reshape"]

_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, as JPEG and OpenCV weigh them


class Part(nn.Module):
    """Take a part of the input.

    Args:
        axis: along which; 1 is the channels.
        start: the first that is taken, from 0.
        length: how many are.
    """

    def __init__(self, axis: int, start: int, length: int) -> None:
        super().__init__()
        self.axis, self.start, self.length = axis, start, length

    def forward(self, x: Tensor) -> Tensor:
        """Return the part."""
        return x.narrow(self.axis, self.start, self.length)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"axis={self.axis}, {self.start} to {self.start + self.length - 1}"


class Reshape(nn.Module):
    """Read the numbers of each picture in another shape.

    Args:
        shape: without the batch, every size in full.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, *shape)."""
        return x.reshape(-1, *self.shape)  # not by len: a trace would keep that number

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return str(self.shape)


class Grey(nn.Module):
    """Make one channel of three, for networks that take grey pictures.

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
