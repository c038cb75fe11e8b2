"""Activations by name."""

from __future__ import annotations

from torch import nn

from alexnet.errors import RecipeError, did_you_mean
from alexnet.recipe import Activation

__all__ = ["activation_layer"]

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
