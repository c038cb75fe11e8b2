"""Pooling whose windows may overlap and hang over the edge: the part inside the map counts.

`MaxPool` and `AvgPool` are the paper's and its program's, `CaffePool` counts windows and padding as
Caffe does, `OffsetPool` has what else the program's layer files can say; `AdaptiveAvgPool` fits its
windows to the map.
"""

from __future__ import annotations

import functools
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from alexnet.errors import RecipeError
from alexnet.nn.windows import Window

__all__ = [
    "AdaptiveAvgPool",
    "AvgPool",
    "CaffePool",
    "CaffePoolKind",
    "MaxPool",
    "OffsetPool",
    "OffsetPoolKind",
]


class _Pool(nn.Module):
    """Kernel and stride of a pooling layer; `ceiling` rounds the number of windows up.

    Raises:
        RecipeError: a stride larger than the kernel, which leaves gaps (the program's rule).
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

    def forward(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """Return (N, C, H', W').

        Args:
            x: (N, C, H, W).
            relu: set outputs below zero to zero; the same as a ReLU before or after, in one pass
                over memory.
        """
        window = self.window
        if self.can_fuse(x):
            return _Fused.apply(x, window, relu)  # type: ignore[no-any-return]
        y = functional.max_pool2d(x, window.kernel, window.stride, ceil_mode=window.ceiling)
        return y.relu() if relu else y

    def can_fuse(self, x: Tensor) -> bool:
        """Whether the compiled kernels take this input."""
        return (
            x.device.type == "cpu"
            and x.dtype in (torch.float32, torch.bfloat16)
            and x.requires_grad  # without a gradient torch's own pooling is as fast
            and x.dim() == 4
            and x.numel() > 0
            and self.window.kernel <= min(15, *x.shape[2:])
            and x.is_contiguous(memory_format=torch.channels_last)
            and pool_kernels() is not None
        )


class AvgPool(_Pool):
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


class AdaptiveAvgPool(nn.Module):
    """The mean of each cell of a grid that is laid over the map, whatever the map's size.

    Row i of the grid covers rows floor(i H / grid) to ceil((i + 1) H / grid), as in torch; cells
    overlap where H is no multiple of the grid.

    Args:
        grid: rows and columns of the output.

    Raises:
        RecipeError: a grid under 1.
    """

    def __init__(self, grid: int) -> None:
        super().__init__()
        if grid < 1:
            raise RecipeError(f"Adaptive pooling needs a grid of at least 1; got {grid}.")
        self.grid = grid

    def cells(self, size: int) -> list[tuple[int, int]]:
        """Return where each cell begins and ends along an axis of `size` positions."""
        return [(i * size // self.grid, -(-(i + 1) * size // self.grid)) for i in range(self.grid)]

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, grid, grid) for (N, C, H, W)."""
        if not (x.is_cuda and x.requires_grad):
            return functional.adaptive_avg_pool2d(x, self.grid)
        # torch's own gradient on a GPU adds up overlapping cells in an order that changes
        rows, columns = (self.cells(size) for size in x.shape[2:])
        means = [
            x[:, :, top:bottom, left:right].mean((2, 3))
            for top, bottom in rows
            for left, right in columns
        ]
        return torch.stack(means, dim=2).reshape(*x.shape[:2], self.grid, self.grid)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return str(self.grid)


@functools.cache
def pool_kernels() -> Any:
    """Return the module of compiled kernels, or None where numba is not installed."""
    try:
        from alexnet.kernels import pool
    except ImportError:
        return None
    return pool


class _Fused(torch.autograd.Function):
    """Max pooling that saves one byte a number for the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: Window, relu: bool) -> Tensor:
        rows, columns = (window.outputs(size) for size in x.shape[2:])
        shape = (*x.shape[:2], rows, columns)
        y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
        argmax = torch.empty_like(y, dtype=torch.uint8)
        pool_kernels().forward(x, y, argmax, window.kernel, window.stride, relu)
        ctx.save_for_backward(argmax)
        ctx.settings, ctx.shape, ctx.dtype = (window.kernel, window.stride), x.shape, x.dtype
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (argmax,) = ctx.saved_tensors
        g = gradients[0].to(ctx.dtype).contiguous(memory_format=torch.channels_last)
        dx = torch.empty(ctx.shape, dtype=ctx.dtype, memory_format=torch.channels_last)
        pool_kernels().backward(g, argmax, dx, *ctx.settings)
        return dx, None, None


CaffePoolKind = Literal["max", "avg", "avg_inside"]

_FILL = {"max": float("-inf"), "avg": 0.0}


class CaffePool(nn.Module):
    """The largest or the mean activation of each window, as Caffe lays and counts them.

    The number of windows is rounded up; a last window that would begin beyond the map and its
    padding is left out. A mean is over the window's part inside the padding, zeros included. A
    window larger than map and padding sees all of both, where rounding up leaves room for one.

    Args:
        kind: "max", "avg", or "avg_inside": the mean over the part inside the map.
        kernel, stride, padding: height and width, in positions; the padding is under the kernel.
        ceiling: round the number of windows up, as Caffe does unless it is told otherwise.

    Raises:
        RecipeError: a kernel or stride under 1, or a padding of the kernel or more.
    """

    def __init__(
        self,
        kind: CaffePoolKind,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        ceiling: bool = True,
    ) -> None:
        super().__init__()
        if min(kernel) < 1 or min(stride) < 1 or min(padding) < 0:
            raise RecipeError(
                "Pooling needs a kernel and a stride of at least 1 and a padding of at least 0; "
                f"got kernel {kernel}, stride {stride}, padding {padding}."
            )
        if padding[0] >= kernel[0] or padding[1] >= kernel[1]:
            raise RecipeError(
                f"A pooling padding of {padding} is not under its kernel of {kernel}: a window "
                "would see nothing but padding."
            )
        self.kind: CaffePoolKind = kind
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.ceiling = ceiling

    def outputs(self, height: int, width: int) -> tuple[int, int]:
        """Return how many windows lie on a map of H x W, down and across; 0 where none fits."""
        down, across = (self._count(axis, size) for axis, size in enumerate((height, width)))
        return down, across

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H', W') for (N, C, H, W)."""
        if self.kind == "avg_inside":
            ones = torch.ones_like(x[:1, :1])
            return self._pooled(x, "avg") / self._pooled(ones, "avg")
        return self._pooled(x, self.kind)

    def window(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of what a window sees of a map of H x W and its padding."""
        tall, wide = (
            min(self.kernel[axis], size + 2 * self.padding[axis])
            for axis, size in enumerate((height, width))
        )
        return tall, wide

    def _pooled(self, x: Tensor, kind: Literal["max", "avg"]) -> Tensor:
        height, width = int(x.shape[2]), int(x.shape[3])
        rows, columns = self.outputs(height, width)
        (down, across), (tall, wide) = self.padding, self.window(height, width)
        padding = self.padding
        if 2 * down > tall or 2 * across > wide:  # more than torch pads by itself
            x = functional.pad(x, (across, across, down, down), value=_FILL[kind])
            padding = (0, 0)
        pool = functional.max_pool2d if kind == "max" else functional.avg_pool2d
        y = pool(x, (tall, wide), self.stride, padding, ceil_mode=self.ceiling)
        return y[:, :, :rows, :columns]

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"{self.kind}, {self.kernel}, stride={self.stride}, padding={self.padding}"

    def _count(self, axis: int, size: int) -> int:
        stride, padding = self.stride[axis], self.padding[axis]
        free = size + 2 * padding - self.kernel[axis]  # below 0 where the window is larger
        windows = (-(-free // stride) if self.ceiling else free // stride) + 1
        return max(0, windows - 1 if (windows - 1) * stride >= size + padding else windows)


OffsetPoolKind = Literal["max", "maxabs", "avg"]


class OffsetPool(nn.Module):
    """Windows from `start` on; of each the part inside the map counts, nothing else.

    `MaxPool` and `AvgPool` begin at the first position and cover the map.

    Args:
        kind: "max", "maxabs" (the number farthest from zero), or "avg".
        kernel: side of a window, in positions.
        stride: from one window to the next; at most the kernel.
        start: first position of the first window; below 0 it reaches over the top and left edge.
        outputs: windows in a row.

    Raises:
        RecipeError: another kind, or a geometry that leaves gaps.
    """

    def __init__(
        self, kind: OffsetPoolKind, kernel: int, *, stride: int, start: int = 0, outputs: int
    ) -> None:
        super().__init__()
        if kind not in get_args(OffsetPoolKind) or not 1 <= stride <= kernel or outputs < 1:
            raise RecipeError(
                'Pooling is "max", "maxabs" or "avg", with a stride between 1 and the kernel and '
                f'at least one output; got "{kind}", kernel {kernel}, stride {stride}, outputs '
                f"{outputs}."
            )
        self.kind: OffsetPoolKind = kind
        self.kernel, self.stride, self.start, self.outputs = kernel, stride, start, outputs

    def has_empty_window(self, size: int) -> bool:
        """Say whether the first or the last window lies outside a map of this side."""
        last = self.start + (self.outputs - 1) * self.stride
        return self.start + self.kernel <= 0 or last >= size

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, outputs, outputs) for (N, C, H, W)."""
        if self.kind == "avg":
            return self._sums(x) / self._sums(torch.ones_like(x[:1, :1]))
        highest = functional.max_pool2d(self._window_span(x, -torch.inf), self.kernel, self.stride)
        if self.kind == "max":
            return highest
        lowest = -functional.max_pool2d(self._window_span(-x, -torch.inf), self.kernel, self.stride)
        return torch.where(highest >= -lowest, highest, lowest)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return (
            f"{self.kind}, {self.kernel}, stride={self.stride}, start={self.start}, "
            f"outputs={self.outputs}"
        )

    def _sums(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(
            self._window_span(x, 0.0), self.kernel, self.stride, divisor_override=1
        )

    def _window_span(self, x: Tensor, fill: float) -> Tensor:
        """Return the positions from the first window's beginning to the last one's end."""
        span = (self.outputs - 1) * self.stride + self.kernel
        ends = [span + self.start - int(size) for size in x.shape[2:]]  # negative: cut off
        return functional.pad(x, (-self.start, ends[1], -self.start, ends[0]), value=fill)
