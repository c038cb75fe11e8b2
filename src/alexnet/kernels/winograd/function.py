"""Winograd's convolution as a function with a gradient, for layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from alexnet.kernels.winograd.convolution import (
    Filters,
    find_wild,
    forward,
    input_gradient,
    suits,
    weight_gradient,
)
from alexnet.kernels.winograd.plan import Plan

__all__ = ["convolution", "convolve"]


def convolution(
    plan: Plan, x: Tensor, weight: Tensor, bias: Tensor | None, *, relu: bool = False
) -> Tensor:
    """Return a convolution by Winograd's minimal filtering; torch's of images it does not suit.

    Args:
        plan: of `make_plan`, for the shapes of x and weight.
        x: (N, C, H, W) float32.
        weight: (K, C / groups, k, k) float32.
        bias: (K,).
        relu: put zero for what is below it.

    Returns:
        (N, K, H', W'), channels last.
    """
    return _Winograd.apply(x, weight, bias, plan, relu)  # type: ignore[no-any-return]


class _Winograd(torch.autograd.Function):
    """Saves its inputs, as torch's convolution does, and with a ReLU its output too."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, plan: Plan, relu: bool
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        filters = Filters(plan, weight) if suits(weight) else None
        y, wild = convolve(plan, x, weight, bias, filters, relu=relu)
        ctx.plan, ctx.wild, ctx.has_bias = plan, wild, bias is not None
        ctx.suits = filters is not None
        ctx.save_for_backward(x, weight, y if relu else None)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, weight, y = ctx.saved_tensors
        g = gradients[0].contiguous(memory_format=torch.channels_last)
        if y is not None:
            g = torch.ops.aten.threshold_backward(g, y, 0)
        wild = find_wild(g, gradients=True)
        needs_x, *needs_filters = ctx.needs_input_grad[:3]
        dx = None
        if needs_x and ctx.suits and ctx.plan.block == 1:
            dx = _input_gradient(ctx.plan, x, weight, g, wild)
        elif needs_x:
            dx = _plain_gradients(ctx.plan, x, weight, g, inputs=True)[0]
        if not any(needs_filters):
            return dx, None, None, None, None
        dw, db = _weight_gradient(ctx.plan, x, weight, g, wild | ctx.wild)
        return dx, dw, db if ctx.has_bias else None, None, None


def convolve(
    plan: Plan,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    filters: Filters | None,
    *,
    relu: bool,
) -> tuple[Tensor, Any]:
    """Return the outputs, and (N,): 1 for an image that torch has computed.

    Args:
        plan: of the convolution.
        x: (N, C, H, W) float32, channels last.
        weight: (K, C / groups, k, k) float32.
        bias: (K,).
        filters: of `weight`; None: they do not suit this form, and torch computes all.
        relu: put zero for what is below it.
    """
    wild = find_wild(x)
    if filters is None:
        return _plain(plan, x, weight, bias, relu=relu), wild
    y = forward(plan, x, filters, bias, wild, relu=relu)
    if wild.any():
        plain = _indices(wild)
        y[plain] = _plain(plan, x[plain], weight, bias, relu=relu)
    return y, wild


def _input_gradient(plan: Plan, x: Tensor, weight: Tensor, g: Tensor, wild: Any) -> Tensor:
    dx = input_gradient(plan, g, Filters(plan, weight, turned=True), x.shape, wild)
    if wild.any():
        plain = _indices(wild)
        dx[plain] = _plain_gradients(plan, x[plain], weight, g[plain], inputs=True)[0]
    return dx


def _weight_gradient(
    plan: Plan, x: Tensor, weight: Tensor, g: Tensor, wild: Any
) -> tuple[Tensor, Tensor]:
    dw, db = weight_gradient(plan, x, g, weight.shape, wild)
    if wild.any():
        plain = _indices(wild)
        dw += _plain_gradients(plan, x[plain], weight, g[plain], inputs=False)[1]
        db += g[plain].sum((0, 2, 3))
    return dw, db


def _indices(wild: Any) -> list[int]:
    return [int(each) for each in wild.nonzero()[0]]


def _plain(plan: Plan, x: Tensor, weight: Tensor, bias: Tensor | None, *, relu: bool) -> Tensor:
    """Return torch's convolution."""
    down, right = plan.overhang
    padded = functional.pad(x, (0, right, 0, down))
    y = functional.conv2d(padded, weight, bias, plan.block, plan.padding, groups=plan.groups)
    return y.relu_() if relu else y


def _plain_gradients(
    plan: Plan, x: Tensor, weight: Tensor, g: Tensor, *, inputs: bool
) -> tuple[Any, Any]:
    """Return torch's gradient of the inputs or of the filters, in its place."""
    down, right = plan.overhang
    padded = functional.pad(x, (0, right, 0, down))
    operator: Any = torch.ops.aten.convolution_backward
    windows = ([plan.block] * 2, [plan.padding] * 2, [1, 1], False, [0, 0], plan.groups)
    dx, dw, _ = operator(g, padded, weight, None, *windows, [inputs, not inputs, False])
    return (dx[:, :, : x.shape[2], : x.shape[3]] if inputs else None), dw
