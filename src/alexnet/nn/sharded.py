"""Fully connected layers of which every process holds some outputs, for the images of all.

The fully connected layers have most of a network's parameters and least of its work: sending their
inputs to every process takes a fraction of the bytes of sending their gradients (Krizhevsky 2014,
"One weird trick for parallelizing convolutional neural networks", section 4). Each process's part
of the batch passes the layer in turn, while the next part is under way.

Legend: B images of the whole batch, n of them here, D inputs, O outputs, P of them here.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from alexnet.distributed import (
    add_in_order,
    batch_share,
    exchange,
    part_sizes,
    shares_of,
    slices,
    start_gathering,
    traffic,
    world,
)
from alexnet.errors import RunError
from alexnet.nn.fully_connected import FullyConnected, has_bias

__all__ = ["ShardedFullyConnected"]


class ShardedFullyConnected(FullyConnected):
    """Takes and gives what the whole layer does for this process's images.

    Its weight (P, D) and bias (P,) are rows of the whole layer's, and their gradients are whole:
    they are sums over the images of all processes.

    Args:
        whole: the layer; its rows are not copied.
    """

    def __init__(self, whole: FullyConnected) -> None:
        columns = part_sizes(whole.out_features, world().size)
        super().__init__(
            whole.in_features,
            columns[world().rank],
            bias=has_bias(whole),
            device="meta",  # the whole layer's rows take their place
        )
        self.columns = columns

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return (n, O) for (n, ...); every process calls this at the same time.

        Raises:
            RunError: it is called outside a step that several processes make together.
        """
        share = batch_share()
        if share is None:
            raise RunError("A sharded layer computes within a step of all processes alone.")
        images = [each.held for each in shares_of(share.whole, len(self.columns))]
        rows = input.flatten(1) if input.dim() > 2 else input
        return _multiply(rows, self, images)


def _multiply(rows: Tensor, layer: ShardedFullyConnected, images: list[int]) -> Tensor:
    multiply = cast("Any", _ShardedProduct).apply
    return multiply(rows, layer.weight, layer.bias, layer, images)


class _ShardedProduct(torch.autograd.Function):
    """Keeps the inputs of the whole batch, (B, D)."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        layer: ShardedFullyConnected,
        images: list[int],
    ) -> Tensor:
        parts, works = start_gathering(rows.contiguous(), images)
        products: list[Tensor] = []
        for part, work in zip(parts, works, strict=True):
            with traffic.waiting():
                work.wait()
            products.append(layer.product(part))
        mine = images[world().rank]
        received = exchange(products, [(mine, count) for count in layer.columns])
        ctx.save_for_backward(torch.cat(parts), weight)
        ctx.images, ctx.columns = images, layer.columns
        return torch.cat(received, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        (g,) = gradients
        rows, weight = ctx.saved_tensors
        rank = world().rank
        needs_rows, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        columns: list[int] = ctx.columns
        images: list[int] = ctx.images
        parts = [g[:, part] for part in slices(columns)]
        received = exchange(parts, [(count, columns[rank]) for count in images])
        g = torch.cat(received)
        rows_gradient = None
        if needs_rows:
            asked = [part.mm(weight.to(g.dtype)) for part in received]
            shape = (images[rank], rows.shape[1])
            rows_gradient = add_in_order(exchange(asked, [shape] * len(asked)))
        return (
            rows_gradient,
            g.t().mm(rows.to(g.dtype)).to(weight.dtype) if needs_weight else None,
            g.sum(0).to(weight.dtype) if needs_bias else None,
            None,
            None,
        )
