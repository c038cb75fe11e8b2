"""A network laid out for answers alone: no gradient, weights packed once, passes put together.

The weights of a convolution lie as oneDNN wants them, and the ReLU behind it is made in place or by
the layer that follows; not by oneDNN, whose ReLU turns what is not a number into zero, and so
broken weights into answers. In bf16 every weight is rounded once instead of at each batch. In fp32
the numbers are those of the network itself, bit for bit, wherever torch's own way is oneDNN's too:
not in products on AMD's processors, where torch asks MKL, and not for a single picture on a single
thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.devices import multiplies_bf16, processor
from alexnet.errors import RecipeError
from alexnet.models.fusion import fused_step, watched
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
        case [Convolution() as layer, *behind]:
            rectify = _stands_alone(behind)
            return _Convolve(layer, dtype, rectify=rectify), 1 + rectify
        case [nn.Linear() as layer, *behind] if _multiplies(dtype):
            rectify = _stands_alone(behind)
            return _Multiply(layer, dtype, rectify=rectify), 1 + rectify
        case [nn.ReLU(), ResponseNorm() as layer, *_] if not compiled:
            return partial(layer.uncompiled, rectify=True), 2
        case [ResponseNorm() as layer, *_] if not compiled:
            return layer.uncompiled, 1
        case _:
            count, step = fused_step(layers)
            return step, count


def _stands_alone(layers: list[nn.Module]) -> bool:
    """Whether a ReLU comes first that no layer behind it takes over."""
    return bool(layers) and isinstance(layers[0], nn.ReLU) and fused_step(layers)[0] == 1


def _has_pointwise(dtype: torch.dtype) -> bool:
    """Whether oneDNN's own convolutions and products can be had here.

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


def _multiplies(dtype: torch.dtype) -> bool:
    """Whether oneDNN makes the products too.

    In float32 torch leaves them to MKL, which keeps its fast ways to Intel's processors: on an AMD
    EPYC oneDNN takes 0.45 of the time for one picture and 0.7 for 32.
    """
    return dtype is torch.bfloat16 or "AMD" in processor()


class _Convolve:
    """A convolution, perhaps with a ReLU behind it, its weights packed for a shape of its input.

    Weights that were packed for another shape would do as well, with another order of the sums.
    """

    def __init__(self, layer: Convolution, dtype: torch.dtype, *, rectify: bool) -> None:
        self.layer, self.dtype, self.rectify = layer, dtype, rectify
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
        y = convolve(whole, self.weight, self.bias, *windows, "none", [], "")
        return y.relu_() if self.rectify else y


class _Multiply:
    """A fully connected layer, perhaps with a ReLU behind it; in bf16 its weights are rounded once.

    In float32 they stay as they lie: oneDNN is as fast with them, and they are most of a network.
    """

    def __init__(self, layer: nn.Linear, dtype: torch.dtype, *, rectify: bool) -> None:
        self.layer, self.dtype, self.rectify = layer, dtype, rectify
        self.weight = layer.weight.detach() if dtype is torch.float32 else None
        bias = cast("Tensor | None", layer.bias)
        self.bias = None if bias is None else bias.detach().to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, outputs)."""
        operators: Any = torch.ops.mkldnn
        if self.weight is None:
            rounded = self.layer.weight.detach().bfloat16()
            self.weight = operators._reorder_linear_weight(rounded, len(x))
        x = x.flatten(1).to(self.dtype)
        y = operators._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return y.relu_() if self.rectify else y
