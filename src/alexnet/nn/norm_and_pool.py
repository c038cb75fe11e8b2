"""The paper's first stages behind a convolution: ReLU, normalisation and pooling, as one."""

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
    rectify_before: bool = False,
    rectify_behind: bool = False,
) -> Tensor:
    """Return what the layers give one after the other, in one pass over memory where that is had.

    Args:
        x: (N, C, H, W).
        norm: the normalisation.
        pool: the pooling behind it.
        rectify_before: a ReLU stands before the normalisation.
        rectify_behind: a ReLU stands behind the pooling.
    """
    if norm.region == "channels" and norm.fuses(x) and pool.fuses(x):
        return _Fused.apply(x, norm, pool, rectify_before, rectify_behind)  # type: ignore[no-any-return]
    return pool(norm(x, rectify=rectify_before), rectify=rectify_behind)


class _Fused(torch.autograd.Function):
    """Keeps the input and one byte for each number of the output."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, norm: ResponseNorm, pool: MaxPool, before: bool, behind: bool
    ) -> Tensor:
        from alexnet.kernels import norm_pool as fused_norm_pool

        rows, columns = (pool.window.outputs(size) for size in x.shape[2:])
        shape = (*x.shape[:2], rows, columns)
        y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
        place = torch.empty_like(y, dtype=torch.uint8)
        ctx.norm = (norm.size, norm.scale, norm.k, norm.towers)
        ctx.window = (pool.window.kernel, pool.window.stride)
        ctx.before = before
        fused_norm_pool.forward(x, y, place, ctx.norm, ctx.window, (before, behind))
        ctx.save_for_backward(x, place)
        return y

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, None, None, None, None]:
        from alexnet.kernels import norm_pool as fused_norm_pool

        x, place = ctx.saved_tensors
        g = gradients[0].to(x.dtype).contiguous(memory_format=torch.channels_last)
        dx = torch.empty_like(x)
        fused_norm_pool.back(x, g, place, dx, ctx.norm, ctx.window, ctx.before)
        return dx, None, None, None, None
