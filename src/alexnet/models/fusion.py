"""Which layers in a row are computed together: the same numbers in fewer passes over memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from alexnet.nn import MaxPool, ResponseNorm, norm_and_pool

__all__ = ["fused_step", "fused_steps", "watched"]

_MOST = 4  # layers that are looked at together


def fused_steps(layers: Sequence[nn.Module]) -> Iterator[Callable[[Tensor], Tensor]]:
    """Yield what to call one after the other: single layers, or several of them as one.

    A normalisation or a max pooling takes over a ReLU beside it, and a normalisation the pooling
    behind it. A layer that somebody watches by a hook is called as it stands.
    """
    position = 0
    while position < len(layers):
        count, step = fused_step(layers[position : position + _MOST])
        yield step
        position += count


def fused_step(ahead: Sequence[nn.Module]) -> tuple[int, Callable[[Tensor], Tensor]]:
    """Return how many of the layers ahead are taken together, and what computes them."""
    match [each if not watched(each) else None for each in ahead[:_MOST]]:
        case [nn.ReLU(), ResponseNorm() as norm, MaxPool() as pool, *_]:
            return 3, partial(norm_and_pool, norm=norm, pool=pool, rectify_before=True)
        case [ResponseNorm() as norm, MaxPool() as pool, nn.ReLU(), *_]:
            return 3, partial(norm_and_pool, norm=norm, pool=pool, rectify_behind=True)
        case [ResponseNorm() as norm, MaxPool() as pool, *_]:
            return 2, partial(norm_and_pool, norm=norm, pool=pool)
        case [nn.ReLU(), (ResponseNorm() | MaxPool()) as other, *_]:
            return 2, partial(other, rectify=True)
        case [MaxPool() as pool, nn.ReLU(), *_]:
            return 2, partial(pool, rectify=True)
        case _:
            return 1, ahead[0]


def watched(layer: nn.Module) -> bool:
    """Whether somebody looks at what goes through a layer."""
    hooks: Any = (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks)  # pyright: ignore[reportPrivateUsage]
    return any(hooks)
