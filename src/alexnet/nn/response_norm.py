"""Local response normalization in every reading of the paper, its program and its successors.

    y = x * (k + alpha * sum of x**2 over a window) ** -beta

Section 3.3 of the paper takes the plain sum over `size` neighboring maps; the authors' program,
Caffe and torch divide it by the size of the window. The window may be kept inside each of several
towers (the program) or run over the whole layer (Caffe), and it may lie within one map instead of
across the maps (the program's second normalization in configuration 145, and its 18 % net).

Legend: N images, C channels, D, H and W positions; L positions in a row.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from alexnet.errors import RecipeError, did_you_mean
from alexnet.kernels.norm_reference import NormSettings
from alexnet.kernels.verify import has_triton, verified_kernels

__all__ = ["Region", "ResponseNorm", "describe_normalization", "norm_backend"]

Region = Literal["channels", "spatial"]


class ResponseNorm(nn.Module):
    """Divide each activation by the energy of its neighbors (paper section 3.3).

    Not torch's `LocalResponseNorm`, which the same numbers would promise: `alpha` weighs the plain
    sum here, as printed, and k is 2. `divide=True, k=1.0` is torch's layer.

    Sums are made in float32 for narrower types, also under autocast; the backward pass is written
    out and keeps only the input and the sums. Across channels it takes what torch's layer takes:
    rows (N, C, L), maps (N, C, H, W) and volumes (N, C, D, H, W); the second axis is that of the
    channels, and there is always one of images before it.

    Args:
        size: maps in a window, or its side in positions for "spatial"; an even window reaches one
            further toward the start, as in the program and in torch.
        alpha, beta, k: as in the formula above.
        divide: whether the sum is divided by the window's size (size * size for "spatial").
        towers: groups of channels that do not see each other; 1: the whole layer.
        region: "channels", or "spatial" for a size x size patch of the same map.

    Raises:
        RecipeError: a size under 1, towers under 1, towers with "spatial", a `k` of 0 or less, or
            another region.
    """

    def __init__(
        self,
        size: int = 5,
        *,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 2.0,
        divide: bool = False,
        towers: int = 1,
        region: Region = "channels",
    ) -> None:
        super().__init__()
        if size < 1 or towers < 1:
            raise RecipeError(f"size and towers must be at least 1; got {size} and {towers}.")
        if k <= 0:
            raise RecipeError(f"k must be above 0, or neighbors of zero divide by zero; got {k}.")
        if region not in ("channels", "spatial"):
            raise RecipeError(
                f'There is no region "{region}".{did_you_mean(region, ("channels", "spatial"))} '
                "Regions: channels, spatial."
            )
        if region == "spatial" and towers > 1:
            raise RecipeError("A spatial window stays inside one map: leave towers at 1.")
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k
        self.divide, self.towers = divide, towers
        self.region: Region = region

    @property
    def scale(self) -> float:
        """What the plain sum of squares is multiplied by."""
        window = self.size if self.region == "channels" else self.size**2
        return self.alpha / window if self.divide else self.alpha

    @property
    def settings(self) -> NormSettings:
        """The numbers of the formula, for kernels."""
        return NormSettings(self.size, self.scale, self.beta, self.k, self.towers, self.region)

    def forward(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """Return the shape, dtype and memory format of `x`.

        Args:
            x: (N, C, L), (N, C, H, W) or (N, C, D, H, W); (N, C, H, W) alone for "spatial".
            relu: take max(x, 0) for x; the same as a ReLU before, in one pass over memory.

        Raises:
            RecipeError: `x` has another number of axes, or its channels do not divide into the
                towers.
        """
        self._check(x)
        maps = _as_maps(x)
        if self.can_fuse(maps):
            return _shaped_as(x, _Fused.apply(maps, self, relu))
        return self.torch_forward(x, relu=relu)

    def torch_forward(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """Return the same by torch's operators alone, equal within the rounding of float32.

        For a few images, as the compiled kernels take half a second to load.
        """
        self._check(x)
        maps = _as_maps(x.relu() if relu else x)
        return _shaped_as(x, _Normalize.apply(maps, self))

    def _check(self, x: Tensor) -> None:
        if self.region == "spatial" and x.dim() != 4:
            raise RecipeError(
                f"Normalization inside maps takes (N, C, H, W); got {tuple(x.shape)}. Put the "
                "positions into two axes, one of length 1 where there is one, or normalize across "
                "channels."
            )
        if not 3 <= x.dim() <= 5 or x.shape[1] % self.towers:
            raise RecipeError(
                "Normalization takes (N, C, L), (N, C, H, W) or (N, C, D, H, W) with C divisible "
                f"by {self.towers} towers; got {tuple(x.shape)}."
                f"{' Add the axis of images: x[None].' if x.dim() == 2 else ''}"
            )

    def can_fuse(self, x: Tensor) -> bool:
        """Whether compiled kernels take this input."""
        if not x.numel() or not x.is_contiguous(memory_format=torch.channels_last):
            return False
        kernels = norm_kernels(x.device.type)
        return kernels is not None and kernels.supports(self.settings, x)

    def window_sum(self, x: Tensor, *, transposed: bool = False) -> Tensor:
        """Return the sum of (N, C, H, W) float32 over each window, or over those that hold it."""
        before, after = self.size // 2, self.size - self.size // 2 - 1
        if transposed:
            before, after = after, before
        if self.region == "spatial":
            return _patch_sum(x, self.size, before, after)
        return _channel_sum(x, before, after, self.towers)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        divided = "divided" if self.divide else "plain"
        return (
            f"{self.size}, alpha={self.alpha:g} ({divided}), beta={self.beta:g}, k={self.k:g}, "
            f"towers={self.towers}, {self.region}"
        )


@functools.cache
def norm_kernels(device_kind: str) -> Any:
    """Return the module of compiled kernels for "cpu" or "cuda"; None where there is none.

    numba's are for a processor, Triton's for a GPU, where they were verified on it.
    """
    if device_kind == "cpu":
        try:
            from alexnet.kernels import norm
        except ImportError:
            return None
        return norm
    if device_kind != "cuda":
        return None
    return verified_kernels(
        "normalization",
        lambda: importlib.import_module("alexnet.kernels.triton_norm"),
        lambda kernels: kernels.find_mismatch(device_kind),
    )


def norm_backend(device_kind: str) -> str:
    """Say what computes the normalization across maps on "cpu" or "cuda"."""
    banded, fused = "as a product with a banded matrix", norm_kernels(device_kind) is not None
    if device_kind == "cpu":
        install = ' (pip install "alexnet[fast]" fuses it)'
        return "fused, compiled by numba" if fused else banded + install
    if fused:
        return "fused, compiled by Triton"
    return banded if has_triton() else f"{banded} (pip install triton fuses it)"


def describe_normalization(network: nn.Module, device_kind: str) -> str | None:
    """Say what computes the normalizations of a network; None where it has none."""
    regions = {layer.region for layer in network.modules() if isinstance(layer, ResponseNorm)}
    if device_kind == "cpu" or "spatial" not in regions:
        return norm_backend(device_kind) if regions else None
    inside = "inside maps by torch's pooling"
    return inside if len(regions) == 1 else f"{norm_backend(device_kind)}; {inside}"


class _Fused(torch.autograd.Function):
    """The normalization in one pass over memory each way; saves only the input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: ResponseNorm, relu: bool) -> Tensor:
        ctx.save_for_backward(x)
        ctx.settings, ctx.relu = norm.settings, relu
        y = torch.empty_like(x)
        norm_kernels(x.device.type).forward(ctx.settings, x, y, relu=relu)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        g = gradients[0].to(x.dtype).contiguous(memory_format=torch.channels_last)
        dx = torch.empty_like(x)
        norm_kernels(x.device.type).backward(ctx.settings, x, g, dx, relu=ctx.relu)
        return dx, None, None


class _Normalize(torch.autograd.Function):
    """The same by torch's operators.

    With p = s**-beta: y = x p, and dx = g p - 2 scale beta x * sum over windows (g x p / s).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: ResponseNorm) -> Tensor:
        wide = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        with torch.autocast(x.device.type, enabled=False):  # sums stay in float32
            s = norm.window_sum(wide * wide).mul_(norm.scale).add_(norm.k)
        ctx.save_for_backward(x, s)
        ctx.norm = norm
        return (wide * _power(s, norm.beta)).to(x.dtype)

    @staticmethod
    @once_differentiable  # the sums are saved without their own graph
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        x, s = ctx.saved_tensors
        norm: ResponseNorm = ctx.norm
        wide, g = x.to(s.dtype), gradients[0].to(s.dtype)
        p = _power(s, norm.beta)
        g = g * p
        with torch.autocast(x.device.type, enabled=False):
            t = norm.window_sum((g * wide).div_(s), transposed=True)
        dx = g.sub_(t.mul_(wide), alpha=2 * norm.scale * norm.beta)
        return dx.to(x.dtype), None


def _as_maps(x: Tensor) -> Tensor:
    """View rows and volumes as (N, C, H, W): across channels every position is one of its own."""
    if x.dim() == 3:
        return x.unsqueeze(3)
    return x.flatten(2, 3) if x.dim() == 5 else x


def _shaped_as(x: Tensor, y: Any) -> Tensor:
    """View what was computed of `_as_maps(x)` as x; maps stay as they are, without a view."""
    return y if x.dim() == 4 else y.view_as(x)


def _power(s: Tensor, beta: float) -> Tensor:
    """Return s ** -beta."""
    if beta == 0.75:  # two square roots are much faster than a power
        q = s.rsqrt()
        return q * q.sqrt()
    return s.pow(-beta)


def _channel_sum(x: Tensor, before: int, after: int, towers: int) -> Tensor:
    """Sum over neighboring channels as one product with a banded matrix, channels last."""
    channels = x.shape[1]
    source = torch.arange(channels, device=x.device)[:, None]
    target = torch.arange(channels, device=x.device)[None, :]
    offset = source - target
    width = channels // towers
    same_tower = source // width == target // width
    band = ((offset >= -before) & (offset <= after) & same_tower).to(x.dtype)
    return torch.matmul(x.permute(0, 2, 3, 1), band).permute(0, 3, 1, 2)


def _patch_sum(x: Tensor, size: int, before: int, after: int) -> Tensor:
    """Sum over a patch of the same map; outside the map there is nothing."""
    padded = functional.pad(x, (before, after, before, after))
    return functional.avg_pool2d(padded, size, stride=1, divisor_override=1)
