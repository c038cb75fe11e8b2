"""Functions of each number by itself, as Caffe defines them."""

from __future__ import annotations

import math

from torch import Tensor, nn

__all__ = ["Absolute", "Exponential", "Logarithm", "Power", "ScaledSwish", "StepFunction"]


class Power(nn.Module):
    """(shift + scale * x) ** power; NaN where a number below 0 is raised to a broken power.

    Args:
        power, scale, shift: the numbers.
    """

    def __init__(self, power: float = 1.0, *, scale: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        self.power, self.scale, self.shift = power, scale, shift

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape of `x`."""
        x = _affine(x, self.scale, self.shift)
        return x if self.power == 1 else x**self.power

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"({self.shift:g} + {self.scale:g} x) ^ {self.power:g}"


class _OfBase(nn.Module):
    """Base, scale and shift of an exponential or a logarithm."""

    def __init__(
        self, base: float | None = None, *, scale: float = 1.0, shift: float = 0.0
    ) -> None:
        super().__init__()
        self.base, self.scale, self.shift = base, scale, shift

    @property
    def base_name(self) -> str:
        """The base as a person writes it."""
        return "e" if self.base is None else f"{self.base:g}"


class Exponential(_OfBase):
    """base ** (shift + scale * x).

    Args:
        base: above 0; None: e.
        scale, shift: the numbers.
    """

    @property
    def log_base(self) -> float:
        """The natural logarithm of the base."""
        return 1.0 if self.base is None else math.log(self.base)

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape of `x`."""
        return _affine(x, self.scale * self.log_base, self.shift * self.log_base).exp()

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"{self.base_name} ^ ({self.shift:g} + {self.scale:g} x)"


class Logarithm(_OfBase):
    """The logarithm of shift + scale * x; NaN below 0.

    Args:
        base: above 0 and not 1; None: e.
        scale, shift: the numbers.
    """

    @property
    def factor(self) -> float:
        """What a natural logarithm is multiplied by."""
        return 1.0 if self.base is None else 1 / math.log(self.base)

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape of `x`."""
        x = _affine(x, self.scale, self.shift).log()
        return x if self.base is None else x * self.factor

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"log of {self.shift:g} + {self.scale:g} x to the base {self.base_name}"


class Absolute(nn.Module):
    """The size of each number without its sign."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape of `x`."""
        return x.abs()


class StepFunction(nn.Module):
    """1 where a number is above the threshold, else 0 (Caffe's Threshold).

    Args:
        threshold: the number.
    """

    def __init__(self, threshold: float = 0.0) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape of `x`."""
        return (x > self.threshold).to(x.dtype)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"above {self.threshold:g}"


class ScaledSwish(nn.Module):
    """x times the sigmoid of beta * x (Caffe's Swish).

    Args:
        beta: the number.
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape of `x`."""
        return x * (x if self.beta == 1 else x * self.beta).sigmoid()

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"beta={self.beta:g}"


def _affine(x: Tensor, scale: float, shift: float) -> Tensor:
    """Return shift + scale * x without a pass over memory that changes nothing."""
    if scale != 1:
        x = x * scale
    return x if shift == 0 else x + shift
