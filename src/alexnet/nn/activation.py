"""Activations by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.errors import RecipeError, did_you_mean
from alexnet.recipe import Activation

__all__ = ["NEURONS", "Formula", "Neuron", "activation_layer", "neuron_layer"]

_LAYERS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def activation_layer(name: Activation) -> nn.Module:
    """Return a new layer: "relu" (paper section 3.1), "tanh" or "sigmoid".

    Raises:
        RecipeError: another name.
    """
    if name not in _LAYERS:
        raise RecipeError(
            f'There is no activation "{name}".{did_you_mean(name, _LAYERS)} '
            f"Activations: {', '.join(_LAYERS)}."
        )
    return _LAYERS[name]()


@dataclass(frozen=True)
class Formula:
    """What a neuron does; a and b are numbers of its own."""

    pattern: str
    numbers: int
    function: Callable[[Tensor, float, float], Tensor]

    def words(self, a: str = "a", b: str = "b") -> str:
        """Return the formula with these for its numbers."""
        return self.pattern.format(a=a, b=b)


NEURONS: dict[str, Formula] = {
    "ident": Formula("x", 0, lambda x, a, b: x),
    "relu": Formula("max(0, x)", 0, lambda x, a, b: torch.relu(x)),
    "logistic": Formula("1 / (1 + exp(-x))", 0, lambda x, a, b: torch.sigmoid(x)),
    "abs": Formula("|x|", 0, lambda x, a, b: torch.abs(x)),
    "square": Formula("x ^ 2", 0, lambda x, a, b: torch.square(x)),
    "sqrt": Formula("sqrt(x)", 0, lambda x, a, b: torch.sqrt(x)),
    "softrelu": Formula("log(1 + exp(x))", 0, lambda x, a, b: functional.softplus(x)),
    "log": Formula("log({a} + x)", 1, lambda x, a, b: torch.log(a + x)),
    "tanh": Formula("{a} tanh({b} x)", 2, lambda x, a, b: a * torch.tanh(b * x)),
    "abstanh": Formula("{a} |tanh({b} x)|", 2, lambda x, a, b: a * torch.tanh(b * x).abs()),
    "brelu": Formula("min({a}, max(0, x))", 1, lambda x, a, b: torch.relu(x).clamp(max=a)),
    "drelu": Formula("x - {a} tanh(x / {a})", 1, lambda x, a, b: x - a * torch.tanh(x / a)),
    "linear": Formula("{a} x + {b}", 2, lambda x, a, b: a * x + b),
}
"""Each neuron by its name in a layer file; a, b are the numbers in its brackets."""


class Neuron(nn.Module):
    """One of `NEURONS`, unit by unit.

    Args:
        kind: its name.
        numbers: a, b: as many as its formula has.

    Raises:
        RecipeError: another name, or more or fewer numbers.
    """

    def __init__(self, kind: str, *numbers: float) -> None:
        super().__init__()
        if kind not in NEURONS:
            raise RecipeError(
                f'There is no neuron "{kind}".{did_you_mean(kind, NEURONS)} '
                f"Neurons: {', '.join(NEURONS)}."
            )
        wanted = NEURONS[kind]
        if len(numbers) != wanted.numbers:
            raise RecipeError(
                f'The neuron "{kind}", {wanted.words()}, has {wanted.numbers} numbers in brackets; '
                f"got {len(numbers)}."
            )
        self.kind, self.numbers = kind, numbers

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape of `x`."""
        a, b = (*self.numbers, 0.0, 0.0)[:2]
        return NEURONS[self.kind].function(x, a, b)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return self.words

    @property
    def words(self) -> str:
        """Its formula with its numbers, such as "1.5 tanh(0.5 x)"."""
        return NEURONS[self.kind].words(*(f"{number:g}" for number in self.numbers))


def neuron_layer(kind: str, *numbers: float) -> nn.Module:
    """Return a new layer for a neuron; torch's own where it has the same."""
    layer = Neuron(kind, *numbers)
    own: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "logistic": nn.Sigmoid}
    return own[kind]() if kind in own else layer
