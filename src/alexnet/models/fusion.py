"""Which layers in a row are computed together: the same numbers in fewer passes over memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from alexnet.nn import Convolution, MaxPool, ResponseNorm, norm_and_pool

__all__ = ["fused_step", "fused_steps", "has_hooks"]

_LONGEST = 4  # layers in a row that a pattern can match


def fused_steps(layers: Sequence[nn.Module]) -> Iterator[Callable[[Tensor], Tensor]]:
    """Yield what to call one after the other: single layers, or several of them as one.

    A normalization or a max pooling takes over a ReLU beside it, else the convolution before it
    does, and a normalization takes over the pooling after it. A layer with a hook is called by
    itself, so that the hook sees its output.
    """
    position = 0
    while position < len(layers):
        count, step = fused_step(layers[position : position + _LONGEST])
        yield step
        position += count


def fused_step(ahead: Sequence[nn.Module]) -> tuple[int, Callable[[Tensor], Tensor]]:
    """Return how many of the layers ahead are computed together, and the function that does."""
    match [None if has_hooks(layer) else layer for layer in ahead[:_LONGEST]]:
        case [nn.ReLU(), ResponseNorm() as norm, MaxPool() as pool, *_]:
            return 3, partial(norm_and_pool, norm=norm, pool=pool, relu_before=True)
        case [ResponseNorm() as norm, MaxPool() as pool, nn.ReLU(), *_]:
            return 3, partial(norm_and_pool, norm=norm, pool=pool, relu_after=True)
        case [ResponseNorm() as norm, MaxPool() as pool, *_]:
            return 2, partial(norm_and_pool, norm=norm, pool=pool)
        case [Convolution(), nn.ReLU(), ResponseNorm() | MaxPool(), *_]:
            return 1, ahead[0]
        case [Convolution() as convolution, nn.ReLU(), *_]:
            return 2, partial(convolution, relu=True)
        case [nn.ReLU(), (ResponseNorm() | MaxPool()) as other, *_]:
            return 2, partial(other, relu=True)
        case [MaxPool() as pool, nn.ReLU(), *_]:
            return 2, partial(pool, relu=True)
        case _:
            return 1, ahead[0]


def has_hooks(layer: nn.Module) -> bool:
    """Whether a hook reads what goes through a layer."""
    hooks: Any = (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks)  # pyright: ignore[reportPrivateUsage]
    return any(hooks)
