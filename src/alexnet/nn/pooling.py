"""Pooling whose windows may overlap and hang over the edge: the part inside the map counts."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
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

    def forward(self, x: Tensor, *, rectify: bool = False) -> Tensor:
        """Return (N, C, H', W').

        Args:
            x: (N, C, H, W).
            rectify: set outputs below zero to zero; the same as a ReLU before or behind, in one
                pass over memory.
        """
        window = self.window
        if self.fuses(x):
            return _Fused.apply(x, window, rectify)  # type: ignore[no-any-return]
        y = functional.max_pool2d(x, window.kernel, window.stride, ceil_mode=window.ceiling)
        return y.relu() if rectify else y

    def fuses(self, x: Tensor) -> bool:
        """Whether the compiled kernels take this input."""
        return (
            x.device.type == "cpu"
            and x.dtype in (torch.float32, torch.bfloat16)
            and x.requires_grad  # without a gradient torch's own pooling is as good
            and x.dim() == 4
            and x.numel() > 0
            and self.window.kernel <= min(15, *x.shape[2:])
            and x.is_contiguous(memory_format=torch.channels_last)
            and fused_kernels() is not None
        )


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


@functools.cache
def fused_kernels() -> Any:
    """Return the module of compiled kernels, or None where numba is not installed."""
    try:
        from alexnet.nn import fused_pool
    except ImportError:
        return None
    return fused_pool


class _Fused(torch.autograd.Function):
    """Max pooling that keeps one byte a number for the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: Window, rectify: bool) -> Tensor:
        rows, columns = (window.outputs(size) for size in x.shape[2:])
        shape = (*x.shape[:2], rows, columns)
        y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
        place = torch.empty_like(y, dtype=torch.uint8)
        fused_kernels().pool(x, y, place, window.kernel, window.stride, rectify)
        ctx.save_for_backward(place)
        ctx.settings, ctx.shape, ctx.dtype = (window.kernel, window.stride), x.shape, x.dtype
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (place,) = ctx.saved_tensors
        g = gradients[0].to(ctx.dtype).contiguous(memory_format=torch.channels_last)
        dx = torch.empty(ctx.shape, dtype=ctx.dtype, memory_format=torch.channels_last)
        fused_kernels().pool_back(g, place, dx, *ctx.settings)
        return dx, None, None
