"""Activations by name: those of recipes, and those of the authors' program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.errors import RecipeError, did_you_mean
from alexnet.recipe import Activation

__all__ = [
    "PROGRAM_ACTIVATIONS",
    "ActivationFunction",
    "ProgramActivation",
    "activation_layer",
    "program_activation_layer",
]

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
class ActivationFunction:
    """An activation of the program; a and b are its parameters.

    Attributes:
        formula: for people, with {a} and {b} where the parameters stand.
        parameters: how many it has, 0 to 2.
        function: of x, a and b.
    """

    formula: str
    parameters: int
    function: Callable[[Tensor, float, float], Tensor]

    def format_formula(self, a: str = "a", b: str = "b") -> str:
        """Return the formula with these for its parameters."""
        return self.formula.format(a=a, b=b)


PROGRAM_ACTIVATIONS: dict[str, ActivationFunction] = {
    "ident": ActivationFunction("x", 0, lambda x, a, b: x),
    "relu": ActivationFunction("max(0, x)", 0, lambda x, a, b: torch.relu(x)),
    "logistic": ActivationFunction("1 / (1 + exp(-x))", 0, lambda x, a, b: torch.sigmoid(x)),
    "abs": ActivationFunction("|x|", 0, lambda x, a, b: torch.abs(x)),
    "square": ActivationFunction("x ^ 2", 0, lambda x, a, b: torch.square(x)),
    "sqrt": ActivationFunction("sqrt(x)", 0, lambda x, a, b: torch.sqrt(x)),
    "softrelu": ActivationFunction("log(1 + exp(x))", 0, lambda x, a, b: functional.softplus(x)),
    "log": ActivationFunction("log({a} + x)", 1, lambda x, a, b: torch.log(a + x)),
    "tanh": ActivationFunction("{a} tanh({b} x)", 2, lambda x, a, b: a * torch.tanh(b * x)),
    "abstanh": ActivationFunction(
        "{a} |tanh({b} x)|", 2, lambda x, a, b: a * torch.tanh(b * x).abs()
    ),
    "brelu": ActivationFunction(
        "min({a}, max(0, x))", 1, lambda x, a, b: torch.relu(x).clamp(max=a)
    ),
    "drelu": ActivationFunction(
        "x - {a} tanh(x / {a})", 1, lambda x, a, b: x - a * torch.tanh(x / a)
    ),
    "linear": ActivationFunction("{a} x + {b}", 2, lambda x, a, b: a * x + b),
}
"""The program's activations (its `neuron=`) by their names in a layer file; a, b: in brackets."""


class ProgramActivation(nn.Module):
    """One of `PROGRAM_ACTIVATIONS`, element by element.

    Args:
        kind: its name.
        parameters: a, b: as many as its formula has.

    Raises:
        RecipeError: another name, or more or fewer parameters.
    """

    def __init__(self, kind: str, *parameters: float) -> None:
        super().__init__()
        if kind not in PROGRAM_ACTIVATIONS:
            raise RecipeError(
                f'There is no neuron "{kind}".{did_you_mean(kind, PROGRAM_ACTIVATIONS)} '
                f"Neurons: {', '.join(PROGRAM_ACTIVATIONS)}."
            )
        activation = PROGRAM_ACTIVATIONS[kind]
        if len(parameters) != activation.parameters:
            raise RecipeError(
                f'The neuron "{kind}", {activation.format_formula()}, has {activation.parameters} '
                f"parameters in brackets; got {len(parameters)}."
            )
        self.kind, self.parameter_values = kind, parameters

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape of `x`."""
        a, b = (*self.parameter_values, 0.0, 0.0)[:2]
        return PROGRAM_ACTIVATIONS[self.kind].function(x, a, b)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return self.formula

    @property
    def formula(self) -> str:
        """Its formula with its parameters, such as "1.5 tanh(0.5 x)"."""
        values = (f"{value:g}" for value in self.parameter_values)
        return PROGRAM_ACTIVATIONS[self.kind].format_formula(*values)


def program_activation_layer(kind: str, *parameters: float) -> nn.Module:
    """Return a new layer for an activation of the program; torch's own where it has the same."""
    layer = ProgramActivation(kind, *parameters)
    torch_layers: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "logistic": nn.Sigmoid}
    return torch_layers[kind]() if kind in torch_layers else layer
