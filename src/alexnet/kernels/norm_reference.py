"""What a normalization kernel is told, and the printed formula that it is verified against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, cast

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["NormSettings", "reference_norm"]


class NormSettings(NamedTuple):
    """y = x * (k + scale * sum of x**2 over a window) ** -beta.

    Attributes:
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


def reference_norm(x: Tensor, norm: NormSettings, *, relu: bool) -> Tensor:
    """Return (N, C, H, W) by the formula of section 3.3; torch finds its derivative.

    Args:
        x: (N, C, H, W).
        norm: the settings; windows across channels alone.
        relu: x goes through a ReLU first.
    """
    from torch.nn import functional

    x = x.relu() if relu else x
    towers = cast("Tensor", x.unflatten(1, (norm.towers, -1)))
    before = norm.size // 2
    squares = functional.pad(towers.square(), (0, 0, 0, 0, before, norm.size - before - 1))
    width = towers.shape[2]
    energy = sum(squares[:, :, j : j + width] for j in range(norm.size))
    return (towers * (norm.k + norm.scale * energy) ** -norm.beta).flatten(1, 2)
