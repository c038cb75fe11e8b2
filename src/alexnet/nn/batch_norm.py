"""Batch normalization by the statistics of a whole batch that several processes share.

torch's own `SyncBatchNorm` refuses processors (2.13). Each process sends the mean and the squared
deviations of its images, and all combine them in the same order (Chan, Golub, LeVeque 1979), so
that every process has the same statistics to the bit.

Legend: C channels, M numbers of a channel in the whole batch.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from alexnet.distributed import add_in_order, batch_share, gather_parts, world

__all__ = ["WholeBatchNorm1d", "WholeBatchNorm2d", "whole_batch_norm"]


class _WholeBatchNorm(nn.modules.batchnorm._BatchNorm):  # pyright: ignore[reportPrivateUsage]
    """In evaluation, and where a process has the whole batch, torch's layer."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return the shape of the input, (n, C, ...)."""
        share = batch_share()
        if share is None or not (self.training or self.running_mean is None):
            return super().forward(input)
        counted = 0 if share.counted == 0 else input.numel() // input.shape[1]
        normalize = cast("Any", _Normalize).apply
        y, mean, variance, count = normalize(input, self.weight, self.bias, counted, self.eps)
        self._remember(mean, variance, int(count))
        return y

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the statistics for evaluation toward those of a batch, as torch does."""
        tracked = self.num_batches_tracked
        if self.running_mean is None or self.running_var is None or tracked is None:
            return
        tracked.add_(1)
        part = 1 / int(tracked) if self.momentum is None else self.momentum
        unbiased = variance * (count / max(count - 1, 1))
        self.running_mean.mul_(1 - part).add_(mean.to(self.running_mean.dtype), alpha=part)
        self.running_var.mul_(1 - part).add_(unbiased.to(self.running_var.dtype), alpha=part)


class WholeBatchNorm1d(_WholeBatchNorm, nn.BatchNorm1d):
    """Over (n, C) and (n, C, L)."""


class WholeBatchNorm2d(_WholeBatchNorm, nn.BatchNorm2d):
    """Over (n, C, H, W)."""


def whole_batch_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.BatchNorm1d | nn.BatchNorm2d:
    """Return a layer with the same tensors that normalizes by the whole batch."""
    kind = WholeBatchNorm2d if isinstance(layer, nn.BatchNorm2d) else WholeBatchNorm1d
    made = kind(
        layer.num_features,
        eps=layer.eps,
        momentum=layer.momentum,
        affine=layer.affine,
        track_running_stats=layer.track_running_stats,
    )
    for name, tensor in layer.named_parameters(recurse=False):
        setattr(made, name, tensor)
    for name, tensor in layer.named_buffers(recurse=False):
        setattr(made, name, tensor)
    return made.train(layer.training)


class _Normalize(torch.autograd.Function):
    """Gives the batch's mean, variance (biased) and M besides, which have no gradient."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, counted: int, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes = [axis for axis in range(x.dim()) if axis != 1]
        numbers = x.double() if x.dtype == torch.float64 else x.float()
        own_mean = numbers.mean(axes)
        squares = (numbers - _along_channels(own_mean, numbers)).square_().sum(axes)
        count, mean, variance = _combined(counted, own_mean.double(), squares.double())
        inverse = (variance + eps).rsqrt()
        scale = inverse if weight is None else inverse * weight.double()
        y = (numbers - _along_channels(mean, numbers)).mul_(_along_channels(scale, numbers))
        if bias is not None:
            y += _along_channels(bias, numbers)
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.axes, ctx.counted, ctx.count = axes, counted, count
        outputs = (y.to(x.dtype), mean, variance, torch.tensor(count))
        ctx.mark_non_differentiable(*outputs[1:])
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, weight, mean, inverse = ctx.saved_tensors
        g = gradients[0].to(torch.float64 if x.dtype == torch.float64 else torch.float32)
        centered = x.to(g.dtype) - _along_channels(mean, g)
        normal = centered * _along_channels(inverse, g)
        sums = torch.stack([g.sum(ctx.axes), (g * normal).sum(ctx.axes)]).double()
        if not ctx.counted:
            sums.zero_()
        totals = add_in_order(gather_parts(sums[None], [1] * world().size))[0] / ctx.count
        rate = inverse if weight is None else inverse * weight.double()
        dx = g - _along_channels(totals[0], g) - normal * _along_channels(totals[1], g)
        dx = dx * _along_channels(rate, g) if ctx.counted else torch.zeros_like(g)
        has_weight = weight is not None
        return (
            dx.to(x.dtype),
            sums[1].to(weight.dtype) if has_weight else None,
            sums[0].to(weight.dtype) if has_weight else None,
            None,
            None,
        )


def _combined(counted: int, mean: Tensor, squares: Tensor) -> tuple[int, Tensor, Tensor]:
    """Return M, and mean and biased variance (C,) of the whole batch, in float64."""
    own = torch.stack([torch.full_like(mean, counted), mean, squares])
    parts = gather_parts(own[None], [1] * world().size)
    counts = [part[0, 0] for part in parts]
    total = add_in_order(counts)
    whole = add_in_order([count * part[0, 1] for count, part in zip(counts, parts, strict=True)])
    whole = whole / total
    deviations = [
        (part[0, 2] if count.max() > 0 else torch.zeros_like(whole))
        + count * (part[0, 1] - whole).square()
        for count, part in zip(counts, parts, strict=True)
    ]
    return int(total[0]), whole, add_in_order(deviations) / total


def _along_channels(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like.dtype).view(1, -1, *[1] * (like.dim() - 2))
