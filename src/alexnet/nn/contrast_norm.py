"""Contrast normalization, the program's `cnorm`: divides by the energy about the local mean."""

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
    patch that lies inside the map, and nothing outside is summed (`src/layer.cu`).

    Args:
        size: side of the patch, in positions; an even patch reaches one further toward the start.
        alpha: multiplies the mean of squares (the program divides its `scale` by size**2).
        beta: exponent.
        k: what is added; the program's is 1.

    Raises:
        RecipeError: a size under 1, or a `k` of 0 or less.
    """

    def __init__(
        self, size: int = 5, *, alpha: float = 1e-3, beta: float = 0.75, k: float = 1.0
    ) -> None:
        super().__init__()
        if size < 1:
            raise RecipeError(f"size must be at least 1; got {size}.")
        if k <= 0:
            raise RecipeError(f"k must be above 0, or flat patches divide by zero; got {k}.")
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H, W), dtype of `x`; made in float32 at least.

        Raises:
            RecipeError: `x` is not 4-D.
        """
        if x.dim() != 4:
            raise RecipeError(f"Normalization takes (N, C, H, W); got {tuple(x.shape)}.")
        wide = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        inside = self._patch_mean(torch.ones_like(wide[:1, :1]))  # share of each patch in the map
        squares = (wide - self._patch_mean(wide) / inside).square()
        energy = self._patch_mean(squares)
        return (wide * (self.k + self.alpha * energy).pow(-self.beta)).to(x.dtype)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"{self.size}, alpha={self.alpha:g}, beta={self.beta:g}, k={self.k:g}"

    def _patch_mean(self, x: Tensor) -> Tensor:
        """Return the mean over each whole patch, zeros outside the map."""
        before, after = self.size // 2, self.size - self.size // 2 - 1
        padded = functional.pad(x, (before, after, before, after))
        return functional.avg_pool2d(padded, self.size, stride=1)
