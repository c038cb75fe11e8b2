"""Pooling whose windows may overlap and hang over the edge: the part inside the map counts."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from alexnet.errors import RecipeError
from alexnet.nn.windows import Window

__all__ = ["MaxPool", "MeanPool"]


class _Pool(nn.Module):
    """Kernel and stride of a pooling layer; `ceiling` rounds the number of windows up.

    Raises:
        RecipeError: a stride larger than the kernel, which leaves gaps (so does the program).
    """

    def __init__(self, kernel: int = 3, *, stride: int = 2, ceiling: bool = True) -> None:
        super().__init__()
        if stride > kernel:
            raise RecipeError(
                f"Pooling windows of {kernel} with stride {stride} leave gaps between them; the "
                "stride must be at most the kernel."
            )
        self.window = Window(kernel, stride, 0, ceiling)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"{self.window.kernel}, stride={self.window.stride}, ceiling={self.window.ceiling}"


class MaxPool(_Pool):
    """The largest activation of each window (paper section 3.4: 3 x 3, stride 2).

    Among equal activations the gradient goes to one of them (in the program to each).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H', W')."""
        window = self.window
        return functional.max_pool2d(x, window.kernel, window.stride, ceil_mode=window.ceiling)


class MeanPool(_Pool):
    """The mean over the part of each window that lies inside the map (the program's `avg`)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H', W')."""
        return functional.avg_pool2d(
            x,
            self.window.kernel,
            self.window.stride,
            ceil_mode=self.window.ceiling,
            count_include_pad=False,
        )
