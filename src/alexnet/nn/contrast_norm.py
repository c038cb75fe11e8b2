"""Contrast normalisation: the program's `cnorm`, which divides by the energy about the local mean."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.errors import RecipeError

__all__ = ["ContrastNorm"]


class ContrastNorm(nn.Module):
    """Divide each activation by the energy of its patch about that patch's mean.

        y = x * (k + alpha / size**2 * sum of (x - mean)**2 over the patch) ** -beta

    The patch lies within one map; the mean at each position is taken over the part of its own
    patch that lies inside the map, and nothing outside is summed.

    Args:
        size: side of the patch, in positions; odd.
        alpha: multiplies the mean of squares (the program divides its `scale` by size**2).
        beta: exponent.
        k: what is added; the program's is 1.

    Raises:
        RecipeError: an even size, or one under 1.
    """

    def __init__(
        self, size: int = 5, *, alpha: float = 1e-3, beta: float = 0.75, k: float = 1.0
    ) -> None:
        super().__init__()
        if size < 1 or size % 2 == 0:
            raise RecipeError(f"The patch of a contrast normalisation must be odd; got {size}.")
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H, W), dtype of `x`; made in float32 at least."""
        wide = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        half = self.size // 2
        mean = functional.avg_pool2d(
            wide, self.size, stride=1, padding=half, count_include_pad=False
        )
        squares = (wide - mean).square()
        energy = functional.avg_pool2d(squares, self.size, stride=1, padding=half)
        return (wide * (self.k + self.alpha * energy).pow(-self.beta)).to(x.dtype)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"{self.size}, alpha={self.alpha:g}, beta={self.beta:g}, k={self.k:g}"
