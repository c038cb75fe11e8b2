"""Each type of layer and how it is written: a table of functions, from a layer to nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from alexnet.errors import WeightsError
from alexnet.exporters.onnx import norms, windows
from alexnet.exporters.onnx.elementwise import ELEMENTWISE, write_softplus
from alexnet.exporters.onnx.graph import OnnxGraph, Value
from alexnet.models import GroupedLayers, SummedLayers
from alexnet.nn import (
    AdaptiveAvgPool,
    AvgPool,
    CaffePool,
    ChannelScale,
    Concat,
    ContrastNorm,
    Convolution,
    Dropout,
    Eltwise,
    FullyConnected,
    Grayscale,
    LocallyConnected,
    MaxPool,
    OffsetPool,
    ProgramActivation,
    Reshape,
    ResponseNorm,
    Slice,
)

__all__ = ["write_layer"]

_OPERATORS = {
    "relu": "Relu",
    "logistic": "Sigmoid",
    "abs": "Abs",
    "sqrt": "Sqrt",
}


def _program_activation(graph: OnnxGraph, name: str, layer: ProgramActivation, x: str) -> str:
    """Write an activation by its formula (`alexnet.nn.PROGRAM_ACTIVATIONS`)."""
    a, b = (*layer.parameter_values, 0.0, 0.0)[:2]

    def with_number(operator: str, value: str, number: float, what: str) -> str:
        own = graph.scalar(f"{what}/number", number)
        return graph.node(operator, [value, own], what)

    def tanh(into: str, scale: float) -> str:
        return graph.node("Tanh", [with_number("Mul", x, scale, f"{into}/inside")], f"{into}/tanh")

    match layer.kind:
        case "ident":
            return graph.node("Identity", [x], name)
        case "square":
            return graph.node("Mul", [x, x], name)
        case "log":
            return graph.node("Log", [with_number("Add", x, a, f"{name}/inside")], name)
        case "tanh":
            return with_number("Mul", tanh(name, b), a, name)
        case "abstanh":
            size = graph.node("Abs", [tanh(name, b)], f"{name}/size")
            return with_number("Mul", size, a, name)
        case "softrelu":
            return write_softplus(graph, name, x)
        case "brelu":
            above = graph.node("Relu", [x], f"{name}/above")
            return with_number("Min", above, a, name)
        case "drelu":
            shrunk = with_number("Mul", tanh(name, 1 / a), a, f"{name}/shrunk")
            return graph.node("Sub", [x, shrunk], name)
        case "linear":
            scaled = with_number("Mul", x, a, f"{name}/scaled")
            return with_number("Add", scaled, b, name)
        case kind:
            return graph.node(_OPERATORS[kind], [x], name)


Write = Callable[[OnnxGraph, str, Any, list[Value]], str]


def write_layer(graph: OnnxGraph, name: str, layer: nn.Module, inputs: Sequence[Value]) -> str:
    """Append the nodes of a layer; return the name of what it makes.

    Args:
        graph: the graph.
        name: of the layer.
        layer: the layer, in evaluation mode.
        inputs: what it reads.

    Raises:
        WeightsError: such a layer cannot be written.
    """
    for layer_type in type(layer).__mro__:
        if layer_type in _LAYERS:
            return _LAYERS[layer_type](graph, name, layer, list(inputs))
    raise WeightsError(
        f'The layer "{name}" ({type(layer).__name__}) cannot be written as ONNX. '
        "Choose --to torchscript."
    )


def _folded(graph: OnnxGraph, x: str, scale: Tensor, shift: Tensor) -> bool:
    """Multiply a factor and a summand for each channel into the tensors of the node of `x`."""
    node = graph.producer(x)
    if node is None or node.operator not in ("Conv", "Gemm") or node.name != x:
        return False
    weight, *biases = node.inputs[1:]
    tensors, factor = graph.tensors, scale.numpy()
    tensors[weight] = tensors[weight] * factor.reshape(-1, *(1,) * (tensors[weight].ndim - 1))
    if biases:
        tensors[biases[0]] = tensors[biases[0]] * factor + shift.numpy()
    else:
        graph.append_input(node, graph.tensor(f"{x}.bias", shift))
    return True


def _conv(graph: OnnxGraph, name: str, layer: nn.Conv2d, inputs: list[Value]) -> str:
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
        graph,
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


def _linear(graph: OnnxGraph, name: str, layer: nn.Linear, inputs: list[Value]) -> str:
    x = inputs[0].name
    if isinstance(layer, FullyConnected) and len(inputs[0].shape) > 1:
        x = graph.node("Flatten", [x], f"{name}/row", axis=1)
    tensors = [graph.tensor(f"{name}.weight", layer.weight)]
    if layer.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
        tensors.append(graph.tensor(f"{name}.bias", layer.bias))
    return graph.node("Gemm", [x, *tensors], name, transB=1)


def _prelu(graph: OnnxGraph, name: str, layer: nn.PReLU, inputs: list[Value]) -> str:
    shape = (-1, *(1,) * (len(inputs[0].shape) - 1))
    slopes = graph.tensor(f"{name}.weight", layer.weight.reshape(shape))
    return graph.node("PRelu", [inputs[0].name, slopes], name)


def _batch_norm(graph: OnnxGraph, name: str, layer: Any, inputs: list[Value]) -> str:
    """Write a normalization by running statistics, as part of the node before it where it can be.

    That is a convolution or product whose output nobody else reads.
    """
    x = inputs[0]
    tensors = (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    mean, variance, weight, bias = (None if t is None else t.detach().double() for t in tensors)
    assert mean is not None
    assert variance is not None
    scale = (variance + layer.eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    if x.name in graph.single_use and _folded(graph, x.name, scale, shift):
        return x.name
    shape = (-1, *(1,) * (len(x.shape) - 1))
    factor = graph.tensor(f"{name}/factor", scale.reshape(shape))
    summand = graph.tensor(f"{name}/summand", shift.reshape(shape))
    scaled = graph.node("Mul", [x.name, factor], f"{name}/scaled")
    return graph.node("Add", [scaled, summand], name)


def _dropout(graph: OnnxGraph, name: str, layer: Dropout, inputs: list[Value]) -> str:
    if layer.inverted:
        return inputs[0].name
    kept = graph.scalar(f"{name}/kept", 1 - layer.p)
    return graph.node("Mul", [inputs[0].name, kept], name)


def _flatten(graph: OnnxGraph, name: str, layer: nn.Flatten, inputs: list[Value]) -> str:
    shape = inputs[0].shape
    start = layer.start_dim % (len(shape) + 1)
    end = layer.end_dim % (len(shape) + 1)
    if (start, end) == (1, len(shape)):
        return graph.node("Flatten", [inputs[0].name], name, axis=1)
    flat = math.prod(shape[start - 1 : end])
    return graph.reshape(inputs[0].name, (*shape[: start - 1], flat, *shape[end:]), name)


def _max_pool(graph: OnnxGraph, name: str, layer: MaxPool, inputs: list[Value]) -> str:
    return windows.max_pool(graph, name, inputs[0], _windows(layer, inputs[0]))


def _mean_pool(graph: OnnxGraph, name: str, layer: AvgPool, inputs: list[Value]) -> str:
    return windows.mean_pool(graph, name, inputs[0], _windows(layer, inputs[0]))


def _windows(layer: MaxPool | AvgPool, x: Value) -> windows.Windows:
    window = layer.window
    return windows.Windows(
        kernel=(window.kernel,) * 2,
        stride=(window.stride,) * 2,
        outputs=[window.outputs(size) for size in x.shape[1:]],
    )


def _scale(graph: OnnxGraph, name: str, layer: ChannelScale, inputs: list[Value]) -> str:
    behind = len(inputs[0].shape) + 1 - layer.axis - layer.weight.dim()
    shape = (*layer.weight.shape, *(1,) * behind)
    factor = graph.tensor(f"{name}.weight", layer.weight.reshape(shape))
    if layer.bias is None:
        return graph.node("Mul", [inputs[0].name, factor], name)
    scaled = graph.node("Mul", [inputs[0].name, factor], f"{name}/scaled")
    summand = graph.tensor(f"{name}.bias", layer.bias.reshape(shape))
    return graph.node("Add", [scaled, summand], name)


def _combine(graph: OnnxGraph, name: str, layer: Eltwise, inputs: list[Value]) -> str:
    names = [each.name for each in inputs]
    for i, factor in enumerate(layer.coefficients or ()):
        if factor != 1:
            number = graph.scalar(f"{name}/coefficient{i}", factor)
            names[i] = graph.node("Mul", [names[i], number], f"{name}/input{i}")
    if layer.operation != "product":
        return graph.node({"sum": "Sum", "max": "Max"}[layer.operation], names, name)
    found = names[0]
    for i, each in enumerate(names[1:], 1):
        last = i == len(names) - 1
        found = graph.node("Mul", [found, each], name if last else f"{name}/product{i}")
    return found


def _concat(graph: OnnxGraph, name: str, layer: Concat, inputs: list[Value]) -> str:
    return graph.node("Concat", [each.name for each in inputs], name, axis=layer.axis)


def _part(graph: OnnxGraph, name: str, layer: Slice, inputs: list[Value]) -> str:
    start, end = (layer.start,), (layer.start + layer.length,)
    return windows.crop(graph, name, inputs[0].name, (layer.axis,), start, end)


def _reshape(graph: OnnxGraph, name: str, layer: Reshape, inputs: list[Value]) -> str:
    return graph.reshape(inputs[0].name, layer.shape, name)


def _gray(graph: OnnxGraph, name: str, layer: Grayscale, inputs: list[Value]) -> str:
    weight = graph.tensor(f"{name}/luma", torch.tensor(layer.luma).reshape(1, 3, 1, 1))
    with graph.keep_precision():  # it belongs to the preprocessing
        return graph.node("Conv", [inputs[0].name, weight], name, kernel_shape=[1, 1])


def _norm(graph: OnnxGraph, name: str, layer: ResponseNorm, inputs: list[Value]) -> str:
    with graph.keep_precision():
        return norms.response_norm(graph, name, layer, inputs[0])


def _contrast_norm(graph: OnnxGraph, name: str, layer: ContrastNorm, inputs: list[Value]) -> str:
    with graph.keep_precision():
        return norms.contrast_norm(graph, name, layer, inputs[0])


def _summed(graph: OnnxGraph, name: str, layer: SummedLayers, inputs: list[Value]) -> str:
    parts = [
        write_layer(graph, f"{name}/{i}", part, [x])
        for i, (part, x) in enumerate(zip(layer, inputs, strict=True))
    ]
    if layer.bias is not None:
        parts.append(graph.tensor(f"{name}.bias", layer.bias))
    return graph.node("Sum", parts, name)


def _grouped(graph: OnnxGraph, name: str, layer: GroupedLayers, inputs: list[Value]) -> str:
    channels, *sides = inputs[0].shape
    each = channels // len(layer)
    sizes = graph.ints(f"{name}/sizes", *[each] * len(layer))
    groups = graph.multi_output_node(
        "Split", [inputs[0].name, sizes], f"{name}/groups", len(layer), axis=1
    )
    parts = [
        write_layer(graph, f"{name}/{i}", part, [Value(group, (each, *sides))])
        for i, (part, group) in enumerate(zip(layer, groups, strict=True))
    ]
    return graph.node("Concat", parts, name, axis=1)


def _plainly(operator: str, **attributes: Callable[[Any], Any]) -> Write:
    """Write a layer that ONNX has as it is; attributes come from the layer."""

    def write(graph: OnnxGraph, name: str, layer: Any, inputs: list[Value]) -> str:
        settings = {key: read(layer) for key, read in attributes.items()}
        return graph.node(operator, [inputs[0].name], name, **settings)

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
    ContrastNorm: _contrast_norm,
    MaxPool: _max_pool,
    AvgPool: _mean_pool,
    AdaptiveAvgPool: lambda graph, name, layer, inputs: windows.adaptive_pool(
        graph, name, layer, inputs[0]
    ),
    CaffePool: lambda graph, name, layer, inputs: windows.caffe_pool(graph, name, layer, inputs[0]),
    OffsetPool: lambda graph, name, layer, inputs: windows.offset_pool(
        graph, name, layer, inputs[0]
    ),
    LocallyConnected: lambda graph, name, layer, inputs: windows.locally_connected(
        graph, name, layer, inputs[0]
    ),
    ChannelScale: _scale,
    Eltwise: _combine,
    Concat: _concat,
    Slice: _part,
    Reshape: _reshape,
    Grayscale: _gray,
    ProgramActivation: lambda graph, name, layer, inputs: _program_activation(
        graph, name, layer, inputs[0].name
    ),
    SummedLayers: _summed,
    GroupedLayers: _grouped,
    **ELEMENTWISE,
}
"""Each type of layer and the function that writes it; subclasses go by their base."""
