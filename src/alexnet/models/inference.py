"""A network laid out for answers alone: no gradient, weights packed once, passes put together.

A convolution and the ReLU behind it are one pass, its weights lie as oneDNN wants them; in bf16
every weight is rounded once instead of at each batch. In fp32 the numbers are those of the network
itself, bit for bit, wherever torch's own convolutions are oneDNN's too: for all but a single
picture on a single thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.devices import multiplies_bf16
from alexnet.errors import RecipeError
from alexnet.models.fusing import fused_step, watched
from alexnet.models.network import Network
from alexnet.nn import Convolution, ResponseNorm

__all__ = ["Exactness", "for_inference"]

Exactness = Literal["fp32", "bf16"]
"""Precision of convolutions and products; normalisation and sums are made in float32."""

Step = Callable[[Tensor], Tensor]


def for_inference(
    network: Network,
    precision: Exactness = "fp32",
    *,
    until: str | None = None,
    compiled: bool = True,
) -> Step:
    """Return what makes logits of pictures as fast as it can, without a gradient.

    The network is read and left as it is; later changes of its weights may not be seen. It must be
    in evaluation mode whenever the result is called.

    Args:
        network: on the device where it will answer, convolutions channels last.
        precision: "fp32", or "bf16" for a faster and coarser answer.
        until: the last layer that is run, for its output; None: all, for the logits.
        compiled: False: without numba's kernels, for a few pictures; equal within rounding.

    Returns:
        A function of (N, 3, c, c) float32 on that device; it returns (N, K), or what the layer
        does, in float32 or bfloat16.

    Raises:
        RecipeError: no such layer, or an unknown precision.
    """
    if precision not in ("fp32", "bf16"):
        raise RecipeError(f'precision must be "fp32" or "bf16"; got "{precision}".')
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    device = next(network.parameters()).device
    steps = _steps(network, dtype, device, until, compiled)
    shape = (3, network.crop_px, network.crop_px)

    def answer(x: Tensor) -> Tensor:
        with torch.inference_mode(), _rounded(device, dtype):
            if x.shape[1:] != shape:
                network(x)  # refuses them with a sentence
            for step in steps:
                x = step(x)
            return x

    return answer


def _rounded(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16)


def _steps(
    network: Network, dtype: torch.dtype, device: torch.device, until: str | None, compiled: bool
) -> list[Step]:
    """Return the passes, a few layers each; one for a network that is no plain row of layers."""
    names = [name for name, _ in network.named_children()]
    plain = type(network) is Network and (until is None or until in names)
    seen = any(watched(each) for each in network.modules())  # by a hook, that would see nothing
    if not plain or seen or device.type != "cpu" or not _has_pointwise(dtype):
        return [network if until is None else lambda x: network.stage(x, until)]
    last = len(names) if until is None else names.index(until) + 1
    waiting = list(network.children())[:last]
    steps: list[Step] = []
    while waiting:
        step, taken = _first(waiting, dtype, compiled)
        steps.append(step)
        del waiting[:taken]
    return steps


def _first(layers: list[nn.Module], dtype: torch.dtype, compiled: bool) -> tuple[Step, int]:
    """Return the pass that the first layers make, and how many they are."""
    match layers:
        case [Convolution() as layer, nn.ReLU(), *_]:
            return _Convolve(layer, "relu", dtype), 2
        case [Convolution() as layer, *_]:
            return _Convolve(layer, "none", dtype), 1
        case [nn.Linear() as layer, nn.ReLU(), *_] if dtype is torch.bfloat16:
            return _Multiply(layer, "relu"), 2
        case [nn.Linear() as layer, *_] if dtype is torch.bfloat16:
            return _Multiply(layer, "none"), 1
        case [nn.ReLU(), ResponseNorm() as layer, *_] if not compiled:
            return partial(layer.uncompiled, rectify=True), 2
        case [ResponseNorm() as layer, *_] if not compiled:
            return layer.uncompiled, 1
        case _:
            count, step = fused_step(layers)
            return step, count


def _has_pointwise(dtype: torch.dtype) -> bool:
    """Whether oneDNN's convolutions, with what follows them in one pass, can be had here.

    In bf16 its packing of weights refuses a processor that has too narrow vectors.
    """
    operators: Any = torch.ops.mkldnn
    return (
        torch.backends.mkldnn.is_available()
        and hasattr(operators, "_convolution_pointwise")
        and hasattr(operators, "_linear_pointwise")
        and hasattr(operators, "_reorder_linear_weight")
        and (dtype is not torch.bfloat16 or multiplies_bf16())
    )


class _Convolve:
    """A convolution with the activation behind it, its weights packed for a shape of its input.

    Weights that were packed for another shape would do as well, with another order of the sums.
    """

    def __init__(self, layer: Convolution, activation: str, dtype: torch.dtype) -> None:
        self.layer, self.activation, self.dtype = layer, activation, dtype
        self.weight: Tensor = layer.weight
        self.shape = torch.Size()  # that they are packed for: none yet
        self.bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, outputs, H', W'), channels last."""
        layer = self.layer
        down, right = (layer.window.overhang(size) for size in x.shape[2:])
        whole = functional.pad(x, (0, right, 0, down)) if down or right else x
        whole = whole.to(self.dtype).contiguous(memory_format=torch.channels_last)
        windows = (layer.padding, layer.stride, layer.dilation, layer.groups)
        if self.shape != whole.shape:
            plain = layer.weight.detach().to(self.dtype).to_mkldnn()
            pack: Any = torch._C._nn.mkldnn_reorder_conv2d_weight  # pyright: ignore
            self.weight, self.shape = pack(plain, *windows, list(whole.shape)), whole.shape
        convolve: Any = torch.ops.mkldnn._convolution_pointwise
        return convolve(whole, self.weight, self.bias, *windows, self.activation, [], "")


class _Multiply:
    """A fully connected layer in bf16 with the activation behind it, its weights rounded once."""

    def __init__(self, layer: nn.Linear, activation: str) -> None:
        self.layer, self.activation = layer, activation
        self.weight: Tensor | None = None
        bias = cast("Tensor | None", layer.bias)
        self.bias = None if bias is None else bias.detach().bfloat16()

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, outputs)."""
        operators: Any = torch.ops.mkldnn
        if self.weight is None:
            rounded = self.layer.weight.detach().bfloat16()
            self.weight = operators._reorder_linear_weight(rounded, len(x))
        x = x.bfloat16()
        return operators._linear_pointwise(x, self.weight, self.bias, self.activation, [], "")
