"""Initial weights: Gaussian with a layer's own deviation and a constant bias, He's, or torch's."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from alexnet.nn.local import LocallyConnected

__all__ = ["fan_in", "gaussian", "he", "uniform"]


def gaussian(
    layer: nn.Module, std: float, bias: float = 0.0, *, generator: torch.Generator
) -> None:
    """Draw the weights from N(0, std**2) and set the biases (paper section 5)."""
    weight, offset = _tensors(layer)
    with torch.no_grad():
        weight.normal_(0, std, generator=generator)
        if offset is not None:
            offset.fill_(bias)


def he(layer: nn.Module, *, generator: torch.Generator) -> None:
    """Draw the weights from N(0, 2 / fan-in), biases 0 (He et al. 2015): ReLUs keep the signal."""
    gaussian(layer, math.sqrt(2 / fan_in(layer)), generator=generator)


def uniform(layer: nn.Module, *, generator: torch.Generator) -> None:
    """Draw weights and biases evenly from -1/sqrt(fan-in) to 1/sqrt(fan-in): torch's default."""
    weight, offset = _tensors(layer)
    bound = 1 / math.sqrt(fan_in(layer))
    with torch.no_grad():
        weight.uniform_(-bound, bound, generator=generator)
        if offset is not None:
            offset.uniform_(-bound, bound, generator=generator)


def fan_in(layer: nn.Module) -> int:
    """Return how many inputs one unit of the layer sums over."""
    weight, _ = _tensors(layer)
    return weight.shape[1] if isinstance(layer, LocallyConnected) else weight[0].numel()


def _tensors(layer: nn.Module) -> tuple[Tensor, Tensor | None]:
    weight, bias = layer.weight, layer.bias
    if not isinstance(weight, Tensor):
        raise TypeError(f"{type(layer).__name__} has no weights.")
    return weight, bias if isinstance(bias, Tensor) else None
