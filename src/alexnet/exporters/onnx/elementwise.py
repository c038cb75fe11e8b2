"""Layers that change numbers where they stand, spread them or move them, as nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from alexnet.errors import WeightsError
from alexnet.exporters.onnx.graph import OnnxGraph, Value
from alexnet.nn import (
    Absolute,
    AxisResize,
    Broadcast,
    ChannelBias,
    Exponential,
    Logarithm,
    Permute,
    Power,
    ScaledSwish,
    StepFunction,
    axis_weights,
)

__all__ = ["ELEMENTWISE", "write_softplus"]


def write_softplus(graph: OnnxGraph, name: str, x: str, *, float32: bool = False) -> str:
    """Write log(1 + exp(x)) so that nothing overflows, whatever reads it.

    Not as Softplus: OpenCV, MNN and ncnn overflow where x is large (findings/opencv-softplus.sh).
    With `float32`, x is float32 in a half graph too.
    """
    size = graph.node("Abs", [x], f"{name}/size")
    falling = graph.node("Exp", [graph.node("Neg", [size], f"{name}/less")], f"{name}/e")
    one = graph.scalar(f"{name}/one", 1.0, float32=float32)
    summed = graph.node("Add", [falling, one], f"{name}/1")
    rest = graph.node("Log", [summed], f"{name}/rest")
    return graph.node("Add", [graph.node("Relu", [x], f"{name}/above"), rest], name)


def _absolute(graph: OnnxGraph, name: str, layer: Absolute, inputs: list[Value]) -> str:
    return graph.node("Abs", [inputs[0].name], name)


def _power(graph: OnnxGraph, name: str, layer: Power, inputs: list[Value]) -> str:
    x = _affine(graph, name, inputs[0].name, layer.scale, layer.shift)
    return graph.node("Pow", [x, graph.scalar(f"{name}/power", layer.power)], name)


def _exponential(graph: OnnxGraph, name: str, layer: Exponential, inputs: list[Value]) -> str:
    scale, shift = layer.scale * layer.log_base, layer.shift * layer.log_base
    return graph.node("Exp", [_affine(graph, name, inputs[0].name, scale, shift)], name)


def _logarithm(graph: OnnxGraph, name: str, layer: Logarithm, inputs: list[Value]) -> str:
    x = _affine(graph, name, inputs[0].name, layer.scale, layer.shift)
    if layer.base is None:
        return graph.node("Log", [x], name)
    natural = graph.node("Log", [x], f"{name}/natural")
    return graph.node("Mul", [natural, graph.scalar(f"{name}/factor", layer.factor)], name)


def _affine(graph: OnnxGraph, name: str, x: str, scale: float, shift: float) -> str:
    """Write shift + scale * x, of which what changes nothing is left out."""
    if scale != 1:
        x = graph.node("Mul", [x, graph.scalar(f"{name}/scale", scale)], f"{name}/scaled")
    if shift != 0:
        x = graph.node("Add", [x, graph.scalar(f"{name}/shift", shift)], f"{name}/shifted")
    return x


def _softplus(graph: OnnxGraph, name: str, layer: nn.Softplus, inputs: list[Value]) -> str:
    if (layer.beta, layer.threshold) != (1, 20):
        raise WeightsError(
            f'The layer "{name}" is a softplus with settings, which cannot be written as ONNX. '
            "Choose --to torchscript."
        )
    return write_softplus(graph, name, inputs[0].name)


def _clip(graph: OnnxGraph, name: str, layer: nn.Hardtanh, inputs: list[Value]) -> str:
    ends = [graph.scalar(f"{name}/low", layer.min_val), graph.scalar(f"{name}/high", layer.max_val)]
    return graph.node("Clip", [inputs[0].name, *ends], name)


def _step(graph: OnnxGraph, name: str, layer: StepFunction, inputs: list[Value]) -> str:
    threshold = graph.scalar(f"{name}/threshold", layer.threshold)
    above = graph.node("Greater", [inputs[0].name, threshold], f"{name}/above")
    one, zero = graph.scalar(f"{name}/one", 1), graph.scalar(f"{name}/zero", 0)
    return graph.node("Where", [above, one, zero], name)


def _swish(graph: OnnxGraph, name: str, layer: ScaledSwish, inputs: list[Value]) -> str:
    inside = _affine(graph, name, inputs[0].name, layer.beta, 0)
    gate = graph.node("Sigmoid", [inside], f"{name}/gate")
    return graph.node("Mul", [inputs[0].name, gate], name)


def _broadcast(graph: OnnxGraph, name: str, layer: Broadcast, inputs: list[Value]) -> str:
    x, few = inputs
    behind = len(x.shape) + 1 - layer.axis - len(few.shape)
    shape = (*(1,) * (layer.axis - 1), *few.shape, *(1,) * behind)
    spread = few.name if shape == few.shape else graph.reshape(few.name, shape, f"{name}/spread")
    return graph.node({"product": "Mul", "sum": "Add"}[layer.operation], [x.name, spread], name)


def _bias(graph: OnnxGraph, name: str, layer: ChannelBias, inputs: list[Value]) -> str:
    behind = len(inputs[0].shape) + 1 - layer.axis - layer.bias.dim()
    shape = (*layer.bias.shape, *(1,) * behind)
    summand = graph.tensor(f"{name}.bias", layer.bias.reshape(shape))
    return graph.node("Add", [inputs[0].name, summand], name)


def _permute(graph: OnnxGraph, name: str, layer: Permute, inputs: list[Value]) -> str:
    return graph.node("Transpose", [inputs[0].name], name, perm=[0, *layer.order])


def _resize(graph: OnnxGraph, name: str, layer: AxisResize, inputs: list[Value]) -> str:
    """Write a product along each axis that changes: no rule of resizing is left to the reader."""
    found = inputs[0].name
    (height, width), (tall, wide) = inputs[0].shape[1:], layer.size
    with graph.keep_precision():  # it belongs to the preprocessing
        if tall != height:
            down = graph.tensor(f"{name}/down", axis_weights(height, tall))
            found = graph.node("MatMul", [down, found], name if wide == width else f"{name}/tall")
        if wide != width:
            across = graph.tensor(f"{name}/across", axis_weights(width, wide).T.contiguous())
            found = graph.node("MatMul", [found, across], name)
    return found


ELEMENTWISE: dict[type[nn.Module], Callable[[OnnxGraph, str, Any, list[Value]], str]] = {
    nn.Softplus: _softplus,
    nn.Hardtanh: _clip,
    Absolute: _absolute,
    Power: _power,
    Exponential: _exponential,
    Logarithm: _logarithm,
    StepFunction: _step,
    ScaledSwish: _swish,
    Broadcast: _broadcast,
    ChannelBias: _bias,
    Permute: _permute,
    AxisResize: _resize,
}
"""Each such type of layer and the function that writes it."""
