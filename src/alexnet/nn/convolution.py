"""Convolution with the authors' ceiling rule and with towers."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from alexnet.devices import convolution_form
from alexnet.errors import RecipeError
from alexnet.nn.windows import Window

__all__ = ["Convolution"]

_FEW_CHANNELS = 4
_LONG_WINDOW = 256  # numbers; torch's own kernel is faster for shorter ones, such as 5 x 5 x 3
_CACHED = 1 << 20  # numbers of unfolded windows at a time: 4 MB, which stay in the cache


@functools.cache
def winograd_planner() -> Any:
    """Return `kernels.winograd.plan.plan_or_reason`; None where numba (extra: fast) is missing."""
    try:
        from alexnet.kernels.winograd.plan import plan_or_reason
    except ImportError:
        return None
    return plan_or_reason


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
        """Leave the initial weights to `nn.initialization`, and the global generator alone."""
        with torch.no_grad():
            self.weight.zero_()
            if self.bias is not None:
                self.bias.zero_()

    def forward(self, input: Tensor, *, relu: bool = False) -> Tensor:  # noqa: A002 - torch's name
        """Return (N, outputs, H', W') for (N, inputs, H, W).

        Args:
            input: on any device.
            relu: a ReLU stands after the convolution.
        """
        if convolution_form() == "winograd":
            plan = self.winograd_plan(input)
            if plan is not None:
                from alexnet.kernels.winograd.function import convolution

                return convolution(plan, input, self.weight, self.bias, relu=relu)
        down, right = self._overhang(input)
        padded = functional.pad(input, (0, right, 0, down)) if down or right else input
        if self._is_first_in_training(padded):
            y = _convolve_images(padded, self.weight, self.bias, self.window)
        else:
            y = super().forward(padded)
        return y.relu_() if relu else y

    def winograd_plan(self, x: Tensor) -> Any:
        """Return how Winograd's form computes this of (N, inputs, H, W); None: it does not."""
        fits = (
            x.device.type == "cpu"
            and x.dtype == self.weight.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and len(x) > 0
            and not (x.requires_grad and self.in_channels <= _FEW_CHANNELS)
        )
        found = self.winograd_plan_or_reason(tuple(x.shape[1:])) if fits else ""
        return None if isinstance(found, str) else found

    def winograd_plan_or_reason(self, shape: tuple[int, ...]) -> Any:
        """Return how Winograd's form computes float32 maps on a processor, or why it does not.

        Args:
            shape: of an image's maps: (inputs, H, W).

        Returns:
            A `kernels.winograd.plan.Plan`, or a phrase.
        """
        plan_or_reason = winograd_planner()
        if plan_or_reason is None:
            return "numba (extra: fast) is not installed"
        if self.dilation != (1, 1):
            return "windows with dilation have no tiles"
        overhang = (self.window.overhang(shape[1]), self.window.overhang(shape[2]))
        windows = (self.window.stride, self.window.padding, self.groups, overhang)
        return plan_or_reason(shape, tuple(self.weight.shape), *windows)

    def _overhang(self, x: Tensor) -> tuple[int, int]:
        """Return the positions below and right of (N, inputs, H, W) that are read as zeros."""
        return self.window.overhang(int(x.shape[2])), self.window.overhang(int(x.shape[3]))

    def _is_first_in_training(self, x: Tensor) -> bool:
        """Whether this layer reads images, in training, in float32 on a processor."""
        return (
            self.in_channels <= _FEW_CHANNELS
            and self.weight[0].numel() >= _LONG_WINDOW
            and self.groups == 1
            and torch.is_grad_enabled()
            and self.weight.requires_grad
            and not x.requires_grad
            and x.dtype == torch.float32
            and x.device.type == "cpu"
            and not torch.is_autocast_enabled("cpu")
        )


class _FirstConvolution(torch.autograd.Function):
    """A convolution over images, whose weights' gradient is made as matrix products (im2col).

    oneDNN's kernel for that gradient is made for many channels and reaches a third of the
    processor's peak with three. Windows unfolded into rows, some images at a time so that they stay
    in the cache, make it a plain product. Images need no gradient, so none is made for them.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
        ctx.save_for_backward(x)
        ctx.window, ctx.shape, ctx.has_bias = window, weight.shape, bias is not None
        return functional.conv2d(x, weight, bias, window.stride, window.padding)

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, *gradients: Tensor
    ) -> tuple[None, Tensor, Tensor | None, None]:
        (x,) = ctx.saved_tensors
        window: Window = ctx.window
        outputs, channels, kernel, _ = ctx.shape
        images = functional.pad(x, (window.padding,) * 4).permute(0, 2, 3, 1).contiguous()
        g = gradients[0].permute(0, 2, 3, 1).contiguous()
        count, height, width = g.shape[:3]
        row, column = images.stride(1), images.stride(2)
        # A row of a window is one run of kernel * channels numbers, channels last.
        strides = (images.stride(0), window.stride * row, window.stride * column, row, 1)
        numbers = kernel * kernel * channels
        chunk = max(1, _CACHED // (height * width * numbers))
        total = torch.zeros(outputs, numbers)
        for start in range(0, count, chunk):
            g_chunk = g[start : start + chunk]
            shape = (len(g_chunk), height, width, kernel, kernel * channels)
            windows = images.as_strided(shape, strides, start * strides[0]).reshape(-1, numbers)
            total.addmm_(g_chunk.reshape(-1, outputs).t(), windows)
        weight_gradient = total.view(outputs, kernel, kernel, channels).permute(0, 3, 1, 2)
        return None, weight_gradient, g.sum((0, 1, 2)) if ctx.has_bias else None, None


def _convolve_images(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    return _FirstConvolution.apply(x, weight, bias, window)  # type: ignore[no-any-return]
