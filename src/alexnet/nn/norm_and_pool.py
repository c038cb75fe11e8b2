"""The paper's first stages after a convolution: ReLU, normalization and pooling, as one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from alexnet.nn.pooling import MaxPool
from alexnet.nn.response_norm import ResponseNorm

__all__ = ["norm_and_pool"]


def norm_and_pool(
    x: Tensor,
    norm: ResponseNorm,
    pool: MaxPool,
    *,
    relu_before: bool = False,
    relu_after: bool = False,
) -> Tensor:
    """Return what the layers give one after the other, in one pass over memory where possible.

    Args:
        x: (N, C, H, W).
        norm: the normalization.
        pool: the pooling after it.
        relu_before: a ReLU stands before the normalization.
        relu_after: a ReLU stands after the pooling.
    """
    if norm.region == "channels" and norm.can_fuse(x) and pool.can_fuse(x):
        return _Fused.apply(x, norm, pool, relu_before, relu_after)  # type: ignore[no-any-return]
    return pool(norm(x, relu=relu_before), relu=relu_after)


class _Fused(torch.autograd.Function):
    """Saves the input and one byte for each number of the output."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        norm: ResponseNorm,
        pool: MaxPool,
        relu_before: bool,
        relu_after: bool,
    ) -> Tensor:
        from alexnet.kernels import norm_pool

        rows, columns = (pool.window.outputs(size) for size in x.shape[2:])
        shape = (*x.shape[:2], rows, columns)
        y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
        argmax = torch.empty_like(y, dtype=torch.uint8)
        ctx.norm = norm.settings
        ctx.window = (pool.window.kernel, pool.window.stride)
        ctx.relu_before = relu_before
        norm_pool.forward(x, y, argmax, ctx.norm, ctx.window, (relu_before, relu_after))
        ctx.save_for_backward(x, argmax)
        return y

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, None, None, None, None]:
        from alexnet.kernels import norm_pool

        x, argmax = ctx.saved_tensors
        g = gradients[0].to(x.dtype).contiguous(memory_format=torch.channels_last)
        dx = torch.empty_like(x)
        norm_pool.backward(x, g, argmax, dx, ctx.norm, ctx.window, ctx.relu_before)
        return dx, None, None, None, None
