"""Operations on each number by itself, in the table of a graph's operations.

Legend: a shape is (C, H, W) or (D,), without the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from alexnet.errors import RecipeError
from alexnet.models.graph.settings import Settings
from alexnet.nn import Absolute, Exponential, Logarithm, Power, ScaledSwish, StepFunction

__all__ = ["POINTWISE"]

_Shape = tuple[int, ...]


def _relu(settings: Settings) -> nn.Module:
    slope = settings.number("slope")
    return nn.LeakyReLU(slope) if slope else nn.ReLU()


def _clip(settings: Settings) -> nn.Module:
    low, high = settings.number("low"), settings.number("high")
    if low >= high:
        raise RecipeError(
            f'The node "{settings.node}" clips to {low:g} .. {high:g}; the first must be the lower.'
        )
    return nn.Hardtanh(low, high)


def _power(settings: Settings) -> nn.Module:
    power = settings.number("power")
    return Power(power, scale=settings.number("scale"), shift=settings.number("shift"))


def _exp(settings: Settings) -> nn.Module:
    base = _base(settings)
    return Exponential(base, scale=settings.number("scale"), shift=settings.number("shift"))


def _log(settings: Settings) -> nn.Module:
    base = _base(settings)
    if base == 1:
        raise RecipeError(f'The node "{settings.node}" has no logarithm to the base 1.')
    return Logarithm(base, scale=settings.number("scale"), shift=settings.number("shift"))


def _base(settings: Settings) -> float | None:
    return settings.number("base", 1e-30, 1e30) if settings.has("base") else None


_LAYERS: Mapping[str, Callable[[Settings], nn.Module]] = {
    "relu": _relu,
    "clip": _clip,
    "elu": lambda settings: nn.ELU(settings.number("alpha")),
    "sigmoid": lambda settings: nn.Sigmoid(),
    "tanh": lambda settings: nn.Tanh(),
    "softplus": lambda settings: nn.Softplus(),
    "swish": lambda settings: ScaledSwish(settings.number("beta")),
    "abs": lambda settings: Absolute(),
    "step": lambda settings: StepFunction(settings.number("threshold")),
    "power": _power,
    "exp": _exp,
    "log": _log,
}


def _keeping_shape(
    make: Callable[[Settings], nn.Module],
) -> Callable[[Settings, list[_Shape]], tuple[nn.Module, _Shape]]:
    return lambda settings, shapes: (make(settings), shapes[0])


POINTWISE = {operation: _keeping_shape(make) for operation, make in _LAYERS.items()}
"""Each such operation and the function that makes its layer."""
