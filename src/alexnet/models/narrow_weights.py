"""Fully connected layers whose weights are kept in 16 or 8 bits, for predictions of a few images.

For one image such a layer takes as long as reading its weights. Weights that were rounded to 16
bits when they were saved are kept so, which is exact. Others are rounded where it is asked for.

Legend: N images, n outputs, K inputs.
"""

from __future__ import annotations

import importlib
import logging
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.errors import RecipeError

__all__ = [
    "FEW",
    "FEW_ROUNDED",
    "SMALLEST",
    "FullyConnected",
    "NarrowProduct",
    "kernel_or_none",
    "narrow_exactly",
    "narrow_rounded",
    "narrow_step",
    "require_fully_connected",
]

FullyConnected = Literal["fp32", "fp16", "int8"]
"""How weights of fully connected layers are kept; sums are float32 in any case."""

FEW = 16
"""Images: up to so many the kernel was faster than torch's products on every processor tried."""

FEW_ROUNDED = 64
"""The same for rounded weights, which torch's products take a wide copy of."""

SMALLEST = 2**18
"""Weights of a layer: fewer lie in the processor's cache, where reading them costs nothing."""

_log = logging.getLogger(__name__)
_LARGEST_EXPONENT = 9  # of a row in fp16: far below its limit of 2**16, so that small ones are kept
_LEVELS = 127  # of int8 on either side of zero


def require_fully_connected(value: Any) -> None:
    """Raise RecipeError for what is no way to keep weights."""
    if value is not None and value not in get_args(FullyConnected):
        names = '"fp32", "fp16" or "int8"'
        raise RecipeError(f'fully_connected must be {names}; got "{value}".')


def kernel_or_none() -> Any:
    """Return the module of the kernel; None where numba (extra: fast) is not installed."""
    try:
        return importlib.import_module("alexnet.kernels.narrow_product")
    except ImportError:
        return None


def narrow_exactly(weight: Tensor) -> Tensor | None:
    """Return (n, K) float32 weights in 16 bits; None: some number would be another."""
    for dtype in (torch.float16, torch.bfloat16):
        # most weights that were not rounded show it in their first row
        if all(torch.equal(part.to(dtype).float(), part) for part in (weight[:1], weight)):
            return weight.to(dtype).contiguous()
    return None


def narrow_rounded(weight: Tensor, kept: FullyConnected) -> tuple[Tensor, Tensor]:
    """Round (n, K) finite float32 weights; return them and the factor (n,) of each output.

    "fp16": each row times a power of two, so that its largest number lies near 2**9: what is
    2**22 times smaller is still rounded by at most 2**-11 of itself. "int8": the largest of a row
    is 127 or -127.
    """
    largest = weight.abs().amax(1)
    if kept == "fp16":
        exponents = (torch.frexp(largest).exponent - _LARGEST_EXPONENT).clamp(-100, 100)
        factor = torch.ldexp(torch.ones_like(largest), exponents)
        return (weight / factor[:, None]).half(), factor
    factor = torch.where(largest > 0, largest / _LEVELS, torch.ones_like(largest))
    # A row of subnormal numbers could have a factor of zero.
    factor = factor.clamp(min=torch.finfo(torch.float32).tiny)
    return (weight / factor[:, None]).round().clamp(-_LEVELS, _LEVELS).to(torch.int8), factor


class NarrowProduct:
    """A fully connected layer of the kernel; for many images torch's product, of equal weights.

    Args:
        layer: it is kept, and takes over where more images come.
        weight: (n, K), as the kernel supports.
        factor: (n,) of each output; None: 1.
    """

    def __init__(self, layer: nn.Linear, weight: Tensor, factor: Tensor | None = None) -> None:
        self.layer, self.weight, self.factor = layer, weight, factor
        bias = cast("Tensor | None", layer.bias)
        self.bias = None if bias is None else bias.detach()
        self.kernel = kernel_or_none()

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, n) float32 for (N, K)."""
        x = x.float()
        if len(x) <= (FEW if self.factor is None else FEW_ROUNDED):
            y = self.kernel.multiply(x, self.weight)
        elif self.factor is None:
            return self.layer(x)
        else:  # the same weights for any number of images: widened for this batch alone
            with torch.autocast("cpu", enabled=False):
                y = functional.linear(x, self.weight.float())
        if self.factor is not None:
            y.mul_(self.factor)
        return y if self.bias is None else y.add_(self.bias)


def narrow_step(layer: nn.Linear, kept: FullyConnected | None) -> NarrowProduct | None:
    """Return the step that computes a layer from narrow weights; None: torch is to do it.

    Args:
        layer: on the CPU.
        kept: None: narrow where that is exact; "fp32": never; else rounded, or a warning.
    """
    weight = layer.weight.detach()
    if kept == "fp32" or weight.dtype is not torch.float32:
        return None
    if (obstacle := _obstacle(weight)) is not None:
        if kept is not None:
            _log.warning("A fully connected layer is kept in fp32, not in %s: %s.", kept, obstacle)
        return None
    if kept is not None:
        return NarrowProduct(layer, *narrow_rounded(weight, kept))
    exact = narrow_exactly(weight)
    return None if exact is None else NarrowProduct(layer, exact)


def _obstacle(weight: Tensor) -> str | None:
    """Return why the kernel cannot do a layer; None: it can."""
    if (kernel := kernel_or_none()) is None:
        return "numba is not installed; pip install alexnet[fast]"
    if not all(kernel.supports(weight[:1].to(dtype)) for dtype in (torch.float16, torch.int8)):
        return f"{weight.shape[1]} inputs fill no whole vectors of this processor"
    # Not `isfinite`, which takes nearly twice as much memory as the weights meanwhile.
    if not all(bool(each.isfinite()) for each in weight.aminmax()):
        return "a weight is no finite number"
    return None
