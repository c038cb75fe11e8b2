"""Each kind of layer and how it is written: a table of functions, from a layer to nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from alexnet.errors import WeightsError
from alexnet.exporters.onnx import norms, windows
from alexnet.exporters.onnx.graph import Draft, Value
from alexnet.models import Grouped, Summed
from alexnet.nn import (
    CaffePool,
    ChannelScale,
    Combine,
    Concat,
    ContrastNorm,
    Convolution,
    Dropout,
    FullyConnected,
    Grey,
    LocallyConnected,
    MaxPool,
    MeanPool,
    Neuron,
    OffsetPool,
    Part,
    Reshape,
    ResponseNorm,
)

__all__ = ["batch_norm", "write_layer", "write_neuron"]

_OPERATORS = {"relu": "Relu", "logistic": "Sigmoid", "abs": "Abs", "sqrt": "Sqrt"}
_OPERATORS["softrelu"] = "Softplus"


def write_neuron(draft: Draft, name: str, layer: Neuron, x: str) -> str:
    """Write a neuron by its formula (`alexnet.nn.NEURONS`)."""
    a, b = (*layer.numbers, 0.0, 0.0)[:2]

    def with_number(operator: str, value: str, number: float, what: str) -> str:
        own = draft.number(f"{what}/number", number)
        return draft.node(operator, [value, own], what)

    def tanh(into: str, scale: float) -> str:
        return draft.node("Tanh", [with_number("Mul", x, scale, f"{into}/inside")], f"{into}/tanh")

    match layer.kind:
        case "ident":
            return draft.node("Identity", [x], name)
        case "square":
            return draft.node("Mul", [x, x], name)
        case "log":
            return draft.node("Log", [with_number("Add", x, a, f"{name}/inside")], name)
        case "tanh":
            return with_number("Mul", tanh(name, b), a, name)
        case "abstanh":
            size = draft.node("Abs", [tanh(name, b)], f"{name}/size")
            return with_number("Mul", size, a, name)
        case "brelu":
            above = draft.node("Relu", [x], f"{name}/above")
            return with_number("Min", above, a, name)
        case "drelu":
            shrunk = with_number("Mul", tanh(name, 1 / a), a, f"{name}/shrunk")
            return draft.node("Sub", [x, shrunk], name)
        case "linear":
            scaled = with_number("Mul", x, a, f"{name}/scaled")
            return with_number("Add", scaled, b, name)
        case kind:
            return draft.node(_OPERATORS[kind], [x], name)


Write = Callable[[Draft, str, Any, list[Value]], str]


def write_layer(draft: Draft, name: str, layer: nn.Module, inputs: Sequence[Value]) -> str:
    """Append the nodes of a layer; return the name of what it makes.

    Args:
        draft: the graph.
        name: of the layer.
        layer: the layer, set to answer.
        inputs: what it reads.

    Raises:
        WeightsError: no rule says how such a layer is written.
    """
    for kind in type(layer).__mro__:
        if kind in _LAYERS:
            return _LAYERS[kind](draft, name, layer, list(inputs))
    raise WeightsError(
        f'The layer "{name}" ({type(layer).__name__}) cannot be written as ONNX: no rule says how. '
        "Choose --to torchscript."
    )


def batch_norm(
    draft: Draft, name: str, x: Value, numbers: Sequence[Tensor | None], eps: float
) -> str:
    """Write a normalisation by what was seen in training.

    It becomes part of the convolution or product that makes `x`, where nobody else reads that.

    Args:
        draft: the graph.
        name: of the layer.
        x: what is normalised.
        numbers: mean, variance, and factor and summand that were learned, or None.
        eps: added to the variance.
    """
    mean, variance, weight, bias = (None if each is None else each.double() for each in numbers)
    assert mean is not None
    assert variance is not None
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    if x.name in draft.single and _folded(draft, x.name, scale, shift):
        return x.name
    shape = (-1, *(1,) * (len(x.shape) - 1))
    factor = draft.tensor(f"{name}/factor", scale.reshape(shape))
    summand = draft.tensor(f"{name}/summand", shift.reshape(shape))
    scaled = draft.node("Mul", [x.name, factor], f"{name}/scaled")
    return draft.node("Add", [scaled, summand], name)


def _folded(draft: Draft, x: str, scale: Tensor, shift: Tensor) -> bool:
    """Put a factor and a summand for each channel into the numbers of the node that makes `x`."""
    node = draft.maker(x)
    if node is None or node.operator not in ("Conv", "Gemm") or node.name != x:
        return False
    weight, *biases = node.inputs[1:]
    numbers = draft.numbers[weight]
    factor = scale.numpy()
    draft.numbers[weight] = numbers * factor.reshape(-1, *(1,) * (numbers.ndim - 1))
    if biases:
        draft.numbers[biases[0]] = draft.numbers[biases[0]] * factor + shift.numpy()
    else:
        draft.append_input(node, draft.tensor(f"{x}.bias", shift))
    return True


def _conv(draft: Draft, name: str, layer: nn.Conv2d, inputs: list[Value]) -> str:
    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        raise WeightsError(
            f'The layer "{name}" pads by "{layer.padding_mode}", which cannot be written as ONNX. '
            "Choose --to torchscript."
        )
    overhang = (0, 0)
    if isinstance(layer, Convolution):
        down, across = (layer.window.overhang(size) for size in inputs[0].shape[1:])
        overhang = (down, across)
    return windows.convolution(
        draft,
        name,
        inputs[0],
        layer.weight,
        layer.bias,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
        overhang=overhang,
    )


def _linear(draft: Draft, name: str, layer: nn.Linear, inputs: list[Value]) -> str:
    x = inputs[0].name
    if isinstance(layer, FullyConnected) and len(inputs[0].shape) > 1:
        x = draft.node("Flatten", [x], f"{name}/row", axis=1)
    numbers = [draft.tensor(f"{name}.weight", layer.weight)]
    if layer.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
        numbers.append(draft.tensor(f"{name}.bias", layer.bias))
    return draft.node("Gemm", [x, *numbers], name, transB=1)


def _prelu(draft: Draft, name: str, layer: nn.PReLU, inputs: list[Value]) -> str:
    shape = (-1, *(1,) * (len(inputs[0].shape) - 1))
    slopes = draft.tensor(f"{name}.weight", layer.weight.reshape(shape))
    return draft.node("PRelu", [inputs[0].name, slopes], name)


def _batch_norm(draft: Draft, name: str, layer: Any, inputs: list[Value]) -> str:
    numbers = (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    numbers = [None if each is None else each.detach() for each in numbers]
    return batch_norm(draft, name, inputs[0], numbers, layer.eps)


def _dropout(draft: Draft, name: str, layer: Dropout, inputs: list[Value]) -> str:
    if layer.inverted:
        return inputs[0].name
    kept = draft.number(f"{name}/kept", 1 - layer.share)
    return draft.node("Mul", [inputs[0].name, kept], name)


def _flatten(draft: Draft, name: str, layer: nn.Flatten, inputs: list[Value]) -> str:
    shape = inputs[0].shape
    start = layer.start_dim % (len(shape) + 1)
    end = layer.end_dim % (len(shape) + 1)
    if (start, end) == (1, len(shape)):
        return draft.node("Flatten", [inputs[0].name], name, axis=1)
    flat = math.prod(shape[start - 1 : end])
    return draft.reshape(inputs[0].name, (*shape[: start - 1], flat, *shape[end:]), name)


def _max_pool(draft: Draft, name: str, layer: MaxPool, inputs: list[Value]) -> str:
    return windows.max_pool(draft, name, inputs[0], _windows(layer, inputs[0]))


def _mean_pool(draft: Draft, name: str, layer: MeanPool, inputs: list[Value]) -> str:
    return windows.mean_pool(draft, name, inputs[0], _windows(layer, inputs[0]))


def _windows(layer: MaxPool | MeanPool, x: Value) -> windows.Windows:
    window = layer.window
    return windows.Windows(
        kernel=(window.kernel,) * 2,
        stride=(window.stride,) * 2,
        outputs=[window.outputs(size) for size in x.shape[1:]],
    )


def _scale(draft: Draft, name: str, layer: ChannelScale, inputs: list[Value]) -> str:
    behind = len(inputs[0].shape) + 1 - layer.axis - layer.weight.dim()
    shape = (*layer.weight.shape, *(1,) * behind)
    factor = draft.tensor(f"{name}.weight", layer.weight.reshape(shape))
    if layer.bias is None:
        return draft.node("Mul", [inputs[0].name, factor], name)
    scaled = draft.node("Mul", [inputs[0].name, factor], f"{name}/scaled")
    summand = draft.tensor(f"{name}.bias", layer.bias.reshape(shape))
    return draft.node("Add", [scaled, summand], name)


def _combine(draft: Draft, name: str, layer: Combine, inputs: list[Value]) -> str:
    names = [each.name for each in inputs]
    for i, factor in enumerate(layer.coefficients or ()):
        if factor != 1:
            number = draft.number(f"{name}/coefficient{i}", factor)
            names[i] = draft.node("Mul", [names[i], number], f"{name}/input{i}")
    if layer.how != "product":
        return draft.node({"sum": "Sum", "max": "Max"}[layer.how], names, name)
    found = names[0]
    for i, each in enumerate(names[1:], 1):
        last = i == len(names) - 1
        found = draft.node("Mul", [found, each], name if last else f"{name}/product{i}")
    return found


def _concat(draft: Draft, name: str, layer: Concat, inputs: list[Value]) -> str:
    return draft.node("Concat", [each.name for each in inputs], name, axis=layer.axis)


def _part(draft: Draft, name: str, layer: Part, inputs: list[Value]) -> str:
    start, end = (layer.start,), (layer.start + layer.length,)
    return windows.part(draft, name, inputs[0].name, (layer.axis,), start, end)


def _reshape(draft: Draft, name: str, layer: Reshape, inputs: list[Value]) -> str:
    return draft.reshape(inputs[0].name, layer.shape, name)


def _grey(draft: Draft, name: str, layer: Grey, inputs: list[Value]) -> str:
    weight = draft.tensor(f"{name}/luma", torch.tensor(layer.luma).reshape(1, 3, 1, 1))
    return draft.node("Conv", [inputs[0].name, weight], name, kernel_shape=[1, 1])


def _norm(draft: Draft, name: str, layer: ResponseNorm, inputs: list[Value]) -> str:
    return norms.response_norm(draft, name, layer, inputs[0])


def _summed(draft: Draft, name: str, layer: Summed, inputs: list[Value]) -> str:
    parts = [
        write_layer(draft, f"{name}/{i}", part, [x])
        for i, (part, x) in enumerate(zip(layer, inputs, strict=True))
    ]
    if layer.bias is not None:
        parts.append(draft.tensor(f"{name}.bias", layer.bias))
    return draft.node("Sum", parts, name)


def _grouped(draft: Draft, name: str, layer: Grouped, inputs: list[Value]) -> str:
    channels, *sides = inputs[0].shape
    each = channels // len(layer)
    sizes = draft.whole(f"{name}/sizes", *[each] * len(layer))
    shares = draft.split("Split", [inputs[0].name, sizes], f"{name}/shares", len(layer), axis=1)
    parts = [
        write_layer(draft, f"{name}/{i}", part, [Value(share, (each, *sides))])
        for i, (part, share) in enumerate(zip(layer, shares, strict=True))
    ]
    return draft.node("Concat", parts, name, axis=1)


def _plainly(operator: str, **attributes: Callable[[Any], Any]) -> Write:
    """Write a layer that ONNX has as it is; attributes come from the layer."""

    def write(draft: Draft, name: str, layer: Any, inputs: list[Value]) -> str:
        settings = {key: read(layer) for key, read in attributes.items()}
        return draft.node(operator, [inputs[0].name], name, **settings)

    return write


_LAYERS: Mapping[type[nn.Module], Write] = {
    nn.Conv2d: _conv,
    nn.Linear: _linear,
    nn.ReLU: _plainly("Relu"),
    nn.LeakyReLU: _plainly("LeakyRelu", alpha=lambda layer: layer.negative_slope),
    nn.PReLU: _prelu,
    nn.ELU: _plainly("Elu", alpha=lambda layer: layer.alpha),
    nn.Sigmoid: _plainly("Sigmoid"),
    nn.Tanh: _plainly("Tanh"),
    nn.Softmax: _plainly("Softmax", axis=lambda layer: layer.dim),
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.Flatten: _flatten,
    Dropout: _dropout,
    ResponseNorm: _norm,
    ContrastNorm: lambda draft, name, layer, inputs: norms.contrast_norm(
        draft, name, layer, inputs[0]
    ),
    MaxPool: _max_pool,
    MeanPool: _mean_pool,
    CaffePool: lambda draft, name, layer, inputs: windows.caffe_pool(draft, name, layer, inputs[0]),
    OffsetPool: lambda draft, name, layer, inputs: windows.offset_pool(
        draft, name, layer, inputs[0]
    ),
    LocallyConnected: lambda draft, name, layer, inputs: windows.locally_connected(
        draft, name, layer, inputs[0]
    ),
    ChannelScale: _scale,
    Combine: _combine,
    Concat: _concat,
    Part: _part,
    Reshape: _reshape,
    Grey: _grey,
    Neuron: lambda draft, name, layer, inputs: write_neuron(draft, name, layer, inputs[0].name),
    Summed: _summed,
    Grouped: _grouped,
}
"""Each kind of layer and the function that writes it; other kinds go by their base."""
