"""What a normalization kernel is told: the numbers of the formula, no layer."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["NormSettings"]


class NormSettings(NamedTuple):
    """y = x * (k + scale * sum of x**2 over a window) ** -beta.

    Args:
        size: channels in a window, or its side in positions where `region` is "spatial".
        scale: what the plain sum of squares is multiplied by.
        beta: exponent.
        k: what is added to the scaled sum.
        towers: groups of channels that do not see each other.
        region: "channels", or "spatial" for a patch of the same map.
    """

    size: int = 5
    scale: float = 1e-4
    beta: float = 0.75
    k: float = 2.0
    towers: int = 1
    region: Literal["channels", "spatial"] = "channels"
