"""A network for inference alone: no gradient, weights packed once, layers fused.

The weights of a convolution are packed for oneDNN, and in bf16 every weight is rounded once instead
of at each batch. In fp32 the outputs are those of the network itself, bit for bit, wherever torch
calls oneDNN too: not in products on AMD's processors, where torch calls MKL, and not for a single
image on a single thread. Small maps of a single image are convolved as torch does, whatever the
form. Fully connected weights that were saved in 16 bits are kept so, exactly; for a few images
their products have the same terms, added in another order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.devices import (
    ConvolutionForm,
    convolution_form,
    convolving,
    processor,
    supports_bf16,
)
from alexnet.errors import RecipeError
from alexnet.models.fusion import fused_step, has_hooks
from alexnet.models.narrow_weights import (
    SMALLEST,
    FullyConnected,
    narrow_step,
    require_fully_connected,
)
from alexnet.models.network import Network
from alexnet.nn import Convolution, ResponseNorm
from alexnet.nn import FullyConnected as FullyConnectedLayer

__all__ = ["FullyConnected", "InferencePrecision", "for_inference"]

_log = logging.getLogger(__name__)

InferencePrecision = Literal["fp32", "bf16"]
"""Precision of convolutions and products; normalization and sums are made in float32."""

Step = Callable[[Tensor], Tensor]

_IMAGES_OF_MAPS = 32  # that are computed at a time; with fewer, threads have too little to do

_FEW_TILES = 9 / 16
"""Winograd's tiles in a map, for each lane of a vector: for so few, reading filters takes longest.

One image, one thread, times torch's speed: with 16 lanes 0.6 to 0.8 at 4 and 9 tiles, 1.2 to 1.9
from 16 on; with 8 lanes, where torch takes longer, 0.8 at 4 tiles and 1.0 to 1.9 at 9."""


def for_inference(
    network: Network,
    precision: InferencePrecision = "fp32",
    *,
    until: str | None = None,
    compiled: bool = True,
    fully_connected: FullyConnected | None = None,
) -> Step:
    """Return a function from images to logits, as fast as it can be, without a gradient.

    The network is read and not changed; later changes of its weights may not be seen. It must be in
    evaluation mode whenever the function is called.

    Args:
        network: on the device where it will run, convolutions channels last.
        precision: "fp32", or "bf16" for faster and coarser outputs.
        until: the last layer that is run, for its output; None: all, for the logits.
        compiled: False: without numba's kernels, for a few images; equal within rounding.
            Convolutions are in the form (see `devices.convolving`) that holds when this is called.
        fully_connected: how weights of fully connected layers, from 2**18 on, are kept on a CPU:
            None: in 16 bits where that is exact, else as the precision says; "fp32"; "fp16" or
            "int8": rounded, for predictions of single images in less time, or a warning.

    Returns:
        A function of (N, 3, c, c) float32 on that device; it returns (N, K), or what the layer
        does, in float32 or bfloat16.

    Raises:
        RecipeError: no such layer, or an unknown precision or way to keep weights.
    """
    require_fully_connected(fully_connected)
    if precision not in ("fp32", "bf16"):
        raise RecipeError(f'precision must be "fp32" or "bf16"; got "{precision}".')
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    device = next(network.parameters()).device
    if fully_connected is None and precision == "bf16":
        fully_connected = "fp32"  # narrow as bfloat16 already
    kept = fully_connected if compiled else "fp32"
    form: ConvolutionForm = convolution_form() if compiled else "torch"
    steps, maps = _steps(network, dtype, device, until, compiled, kept, form)
    shape = (3, network.crop_px, network.crop_px)

    def predict(x: Tensor) -> Tensor:
        with torch.inference_mode(), _autocast(device, dtype), convolving(form):
            if x.shape[1:] != shape:
                network(x)  # raises the error for images of another shape
            x = _in_parts(steps[:maps], x)
            for step in steps[maps:]:
                x = step(x)
            return x

    return predict


def _in_parts(steps: list[Step], x: Tensor) -> Tensor:
    """Apply steps to some images at a time: maps take as much memory as that.

    What becomes of an image does not depend on the others.
    """
    parts = list(x.tensor_split(max(1, len(x) // _IMAGES_OF_MAPS))) if steps else [x]
    for number, part in enumerate(parts):
        for step in steps:
            part = step(part)
        parts[number] = part
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def _autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16)


def _steps(
    network: Network,
    dtype: torch.dtype,
    device: torch.device,
    until: str | None,
    compiled: bool,
    kept: FullyConnected | None,
    form: ConvolutionForm,
) -> tuple[list[Step], int]:
    """Return the steps, a few layers each; one for a network that is no plain sequence.

    And how many of them come before the first fully connected layer, whose weights are better read
    once for all images.
    """
    names = [name for name, _ in network.named_children()]
    plain = type(network) is Network and (until is None or until in names)
    hooked = any(has_hooks(layer) for layer in network.modules())  # such a hook would see nothing
    if not plain or hooked or device.type != "cpu" or not _has_onednn_operators(dtype):
        _warn_of_no_effect(kept, "this network is not computed layer by layer here")
        return [network if until is None else lambda x: network.stage(x, until)], 0
    last = len(names) if until is None else names.index(until) + 1
    remaining = list(network.children())[:last]
    if not any(map(_is_large, remaining)):
        _warn_of_no_effect(kept, f"no fully connected layer has {SMALLEST:,} weights")
    steps: list[Step] = []
    maps: int | None = None
    while remaining:
        if maps is None and isinstance(remaining[0], nn.Linear):
            maps = len(steps)
        step, count = _first_step(remaining, dtype, compiled, kept, form)
        steps.append(step)
        del remaining[:count]
    return steps, len(steps) if maps is None else maps


def _first_step(
    layers: list[nn.Module],
    dtype: torch.dtype,
    compiled: bool,
    kept: FullyConnected | None,
    form: ConvolutionForm,
) -> tuple[Step, int]:
    """Return the step that computes the first layers, and how many they are."""
    match layers:
        case [nn.Linear() as layer, *_] if (
            _is_large(layer) and (narrow := narrow_step(layer, kept)) is not None
        ):
            return narrow, 1
        case [Convolution() as layer, *following]:
            relu = _starts_with_lone_relu(following)
            return _Convolve(layer, dtype, form, relu=relu), 1 + relu
        case [nn.Linear() as layer, *following] if _multiplies_by_onednn(layer, dtype, form):
            relu = _starts_with_lone_relu(following)
            return _Multiply(layer, dtype, relu=relu), 1 + relu
        case [nn.ReLU(), ResponseNorm() as layer, *_] if not compiled:
            return partial(layer.torch_forward, relu=True), 2
        case [ResponseNorm() as layer, *_] if not compiled:
            return layer.torch_forward, 1
        case _:
            count, step = fused_step(layers)
            return step, count


def _is_large(layer: nn.Module) -> bool:
    """Whether a layer is fully connected, of so many weights that reading them takes its time."""
    return isinstance(layer, nn.Linear) and layer.weight.numel() >= SMALLEST


def _warn_of_no_effect(kept: FullyConnected | None, why: str) -> None:
    if kept in ("fp16", "int8"):
        _log.warning("Weights of fully connected layers are not kept in %s: %s.", kept, why)


def _starts_with_lone_relu(layers: list[nn.Module]) -> bool:
    """Whether a ReLU comes first that no layer after it takes over."""
    return bool(layers) and isinstance(layers[0], nn.ReLU) and fused_step(layers)[0] == 1


def _has_onednn_operators(dtype: torch.dtype) -> bool:
    """Whether oneDNN's convolutions and products can be called here.

    They are private operators of torch, made for torch.compile, and may be missing in another
    version than 2.13. In bf16 oneDNN packs no weights on a processor with too narrow vectors.
    """
    operators: Any = torch.ops.mkldnn
    return (
        torch.backends.mkldnn.is_available()
        and hasattr(operators, "_convolution_pointwise")
        and hasattr(operators, "_linear_pointwise")
        and hasattr(operators, "_reorder_linear_weight")
        and (dtype is not torch.bfloat16 or supports_bf16())
    )


def _multiplies_by_onednn(layer: nn.Linear, dtype: torch.dtype, form: ConvolutionForm) -> bool:
    """Whether oneDNN computes the products too."""
    if form == "winograd" and isinstance(layer, FullyConnectedLayer):
        return True  # as the layer itself has it
    # In float32 torch calls MKL, whose fast kernels are for Intel's processors: on an AMD EPYC
    # oneDNN takes 0.45 of the time for one image and 0.7 for 32.
    return dtype is torch.bfloat16 or "AMD" in processor()


class _Convolve:
    """A convolution, perhaps with a ReLU after it, its weights packed for one input shape."""

    def __init__(
        self, layer: Convolution, dtype: torch.dtype, form: ConvolutionForm, *, relu: bool
    ) -> None:
        self.layer, self.dtype, self.form, self.relu = layer, dtype, form, relu
        self.fast: tuple[Any, Any] = (None, None)  # plan of Winograd's form, and filters for it
        self.weight: Tensor = layer.weight
        self.shape = torch.Size()  # that the weights are packed for: none yet
        self.bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, outputs, H', W'), channels last."""
        layer = self.layer
        plan = layer.winograd_plan(x) if self.form == "winograd" else None
        if plan is not None and not _reads_longer_than_it_saves(plan, len(x)):
            return self._by_winograd(x, plan)
        down, right = (layer.window.overhang(size) for size in x.shape[2:])
        padded = functional.pad(x, (0, right, 0, down)) if down or right else x
        padded = padded.to(self.dtype).contiguous(memory_format=torch.channels_last)
        windows = (layer.padding, layer.stride, layer.dilation, layer.groups)
        if self.shape != padded.shape:
            # Weights packed for another shape would do, with sums in another order than torch's.
            plain = layer.weight.detach().to(self.dtype).to_mkldnn()
            pack: Any = torch._C._nn.mkldnn_reorder_conv2d_weight  # pyright: ignore
            self.weight, self.shape = pack(plain, *windows, list(padded.shape)), padded.shape
        convolve: Any = torch.ops.mkldnn._convolution_pointwise
        # "none" and not "relu": oneDNN's ReLU turns NaN into zero, and so broken weights into
        # predictions that look sound.
        y = convolve(padded, self.weight, self.bias, *windows, "none", [], "")
        return y.relu_() if self.relu else y

    def _by_winograd(self, x: Tensor, plan: Any) -> Tensor:
        """Return what training has: the same kernels, and so the same bits."""
        from alexnet.kernels.winograd.convolution import Filters, suits
        from alexnet.kernels.winograd.function import convolve

        weight = self.layer.weight.detach()
        known, filters = self.fast
        if plan != known:
            filters = Filters(plan, weight) if suits(weight) else None
            self.fast = (plan, filters)
        x = x.contiguous(memory_format=torch.channels_last)
        return convolve(plan, x, weight, self.bias, filters, relu=self.relu)[0]


def _reads_longer_than_it_saves(plan: Any, images: int) -> bool:
    """Whether Winograd's filters, larger than the plain ones, are read for too few tiles."""
    from alexnet.kernels.vectors import LANES

    return images == 1 and plan.tiles <= _FEW_TILES * LANES


class _Multiply:
    """A fully connected layer, perhaps with a ReLU after it; in bf16 it rounds weights once."""

    def __init__(self, layer: nn.Linear, dtype: torch.dtype, *, relu: bool) -> None:
        self.layer, self.dtype, self.relu = layer, dtype, relu
        # Not packed in float32: oneDNN is as fast without, and a copy would be most of a network.
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
        return y.relu_() if self.relu else y
