"""Layers of which two processes hold a tower each, as the paper's two GPUs did.

Every process sees all images, and computes its half of the maps or units. Where a layer reads both
towers (conv3 and the fully connected layers, section 3.5 and figure 2 of the paper), the halves are
sent to the other process before it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from alexnet.distributed import add_in_order, exchange, gather_parts, part_sizes, world
from alexnet.nn.convolution import Convolution
from alexnet.nn.fully_connected import FullyConnected, has_bias

__all__ = ["TowerConvolution", "TowerFullyConnected"]


class TowerConvolution(Convolution):
    """One tower's maps of a convolution.

    Args:
        whole: the layer that both processes make up; its weights are not copied.
        reads_images: it reads the images themselves, which every process has.
    """

    def __init__(self, whole: Convolution, *, reads_images: bool) -> None:
        size = world().size
        own = whole.groups == size
        super().__init__(
            whole.in_channels // size if own else whole.in_channels,
            whole.out_channels // size,
            kernel=whole.window.kernel,
            stride=whole.window.stride,
            padding=whole.window.padding,
            ceiling=whole.window.ceiling,
            bias=whole.bias is not None,
        )
        self.meets = not own and not reads_images

    def forward(self, input: Tensor, *, relu: bool = False) -> Tensor:  # noqa: A002 - torch's name
        """Return this tower's maps; the input is this tower's, or the images."""
        return super().forward(_meet(input) if self.meets else input, relu=relu)


class TowerFullyConnected(FullyConnected):
    """One tower's units of a fully connected layer, which reads both towers.

    Args:
        whole: the layer that both processes make up; its weights are not copied.
        gives_logits: the logits of all classes are given, and not this tower's alone.
    """

    def __init__(self, whole: FullyConnected, *, gives_logits: bool) -> None:
        columns = part_sizes(whole.out_features, world().size)
        super().__init__(whole.in_features, columns[world().rank], bias=has_bias(whole))
        self.columns, self.gives_logits = columns, gives_logits

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return (B, units of this tower), or (B, K) logits."""
        units = super().forward(_meet(input.flatten(1)))
        return _Join.apply(units, self.columns) if self.gives_logits else units  # type: ignore[no-any-return]


def _meet(x: Tensor) -> Tensor:
    return _Meet.apply(x)  # type: ignore[no-any-return]


class _Meet(torch.autograd.Function):
    """Both towers' channels, from one tower's; backward, what both ask of this tower's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        del ctx
        mine = x.movedim(1, -1).contiguous()
        parts = gather_parts(mine, [len(mine)] * world().size)
        return torch.cat(parts, -1).movedim(-1, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # type: ignore[override]
        del ctx
        parts = gradients[0].movedim(1, -1).chunk(world().size, -1)
        asked = add_in_order(exchange(parts, [part.shape for part in parts]))
        return asked.movedim(-1, 1)


class _Join(torch.autograd.Function):
    """The logits of all classes, from some; both processes go on alike, so nothing is added up."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, columns: list[int]) -> Tensor:
        start = sum(columns[: world().rank])
        ctx.part = slice(start, start + columns[world().rank])
        return torch.cat(gather_parts(logits.t().contiguous(), columns)).t().contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return gradients[0][:, ctx.part].contiguous(), None
