"""A summary of a graph: a row for each of its nodes, its activations, and notes.

Legend: C channels, S side of a square map.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import nn

from alexnet.models.convolution_forms import layer_form
from alexnet.models.graph.network import INPUT, GraphNetwork
from alexnet.nn import (
    AxisResize,
    Broadcast,
    CaffePool,
    ChannelBias,
    ChannelScale,
    Concat,
    Dropout,
    Eltwise,
    Exponential,
    FullyConnected,
    Grayscale,
    Logarithm,
    Permute,
    Power,
    Reshape,
    ResponseNorm,
    ScaledSwish,
    Slice,
    StepFunction,
    Window,
)
from alexnet.nn.windows import describe_coverage
from alexnet.records import LayerSummary

__all__ = ["graph_activation", "graph_layers", "graph_notes"]

_KINDS: dict[type[nn.Module], str] = {
    nn.Conv2d: "convolution",
    FullyConnected: "fully connected",
    nn.BatchNorm1d: "batch norm",
    nn.BatchNorm2d: "batch norm",
    nn.Flatten: "flatten",
    ResponseNorm: "response norm",
    ChannelScale: "scale",
    Concat: "concat",
    Slice: "slice",
    Reshape: "reshape",
    Dropout: "dropout",
    Grayscale: "grayscale",
    AxisResize: "resize",
    ChannelBias: "bias",
    Permute: "permute",
    StepFunction: "step function",
    ScaledSwish: "swish",
    nn.Hardtanh: "clip",
}

_ACTIVATIONS = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
    nn.Hardtanh,
    ScaledSwish,
)

_WITH_SETTINGS = (
    ResponseNorm,
    Eltwise,
    Slice,
    Broadcast,
    Permute,
    AxisResize,
    Power,
    Exponential,
    Logarithm,
    StepFunction,
    nn.Hardtanh,
)


def graph_layers(network: GraphNetwork) -> Iterator[LayerSummary]:
    """Yield each node in the order in which they run."""
    before = INPUT
    shapes = {INPUT: (3, network.crop_px, network.crop_px), **network.shapes}
    for name, layer in network.named_children():
        inputs = network.inputs[name]
        details = [] if inputs == (before,) else [f"takes {', '.join(inputs)}"]
        yield _row(name, layer, (shapes[inputs[0]], shapes[name]), details)
        before = name


def graph_activation(network: GraphNetwork) -> str:
    """Return the names of the activations in a graph, each once."""
    types = [type(layer) for layer in network.children() if isinstance(layer, _ACTIVATIONS)]
    names = (_KINDS.get(layer, layer.__name__.lower()) for layer in dict.fromkeys(types))
    return ", ".join(names) or "none"


def graph_notes(network: GraphNetwork) -> list[str]:
    """Return the note that this is none of the models."""
    count = len(network)
    return [f"None of the models, but a graph of {count} nodes that travels in the weights file."]


def _row(
    name: str, layer: nn.Module, shapes: tuple[tuple[int, ...], tuple[int, ...]], inputs: list[str]
) -> LayerSummary:
    before, after = shapes
    window, window_details = _window(layer, before, after)
    weights, biases = (
        0 if tensor is None else tensor.numel()
        for tensor in (getattr(layer, each, None) for each in ("weight", "bias"))
    )
    neurons = math.prod(after) if isinstance(layer, nn.Conv2d | nn.Linear) else 0
    zeros = isinstance(layer, nn.Conv2d)
    details = ", ".join([*inputs, *window_details, *_settings(layer)])
    return LayerSummary(
        name=name,
        kind=_kind(layer),
        details=details or None,
        kernel=window and window.kernel,
        stride=window and window.stride,
        padding=window and window.padding,
        towers=layer.groups if isinstance(layer, nn.Conv2d) else 1,
        output=list(after),
        neurons=neurons,
        weights=weights,
        biases=biases,
        parameters=weights + biases,
        multiply_adds=neurons * _products(layer),
        overhang=window.overhang(before[1]) if window else 0,
        uncovered=window.uncovered(before[1]) if window else 0,
        coverage=describe_coverage(name, window, before[1], zeros=zeros) if window else None,
        **layer_form([(layer, before)]),
    )


def _window(
    layer: nn.Module, before: tuple[int, ...], after: tuple[int, ...]
) -> tuple[Window | None, list[str]]:
    """Return the square window of a layer; of a window of another form, its details."""
    if isinstance(layer, nn.Conv2d):
        kernel, stride, padding, dilation = (
            (pair[0], pair[1])
            for pair in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
            if not isinstance(pair, str)
        )
        ceiling = False
    elif isinstance(layer, CaffePool):
        kernel, stride, padding, dilation = layer.kernel, layer.stride, layer.padding, (1, 1)
        ceiling = layer.ceiling
    else:
        return None, []
    square = all(pair[0] == pair[1] for pair in (kernel, stride, padding, before[1:]))
    if square and dilation == (1, 1):
        window = Window(int(kernel[0]), int(stride[0]), int(padding[0]), ceiling)
        if window.outputs(before[1]) == after[1]:  # else Caffe left its last window out
            return window, []
    text = f"windows of {kernel[0]} x {kernel[1]}, stride {stride[0]} x {stride[1]}"
    more = f", dilation {dilation[0]} x {dilation[1]}" if dilation != (1, 1) else ""
    return None, [f"{text}, padding {padding[0]} x {padding[1]}{more}"]


def _kind(layer: nn.Module) -> str:
    if isinstance(layer, CaffePool):
        return "max pooling" if layer.kind == "max" else "average pooling"
    if isinstance(layer, Eltwise | Broadcast):
        return layer.operation
    return _KINDS.get(type(layer), type(layer).__name__.lower())


def _settings(layer: nn.Module) -> list[str]:
    if isinstance(layer, _WITH_SETTINGS):
        text = layer.extra_repr()
        return [text] if text != _kind(layer) else []
    return [f"{layer.p:g} of the units in training"] if isinstance(layer, Dropout) else []


def _products(layer: nn.Module) -> int:
    """Return how many products one neuron of the layer sums."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    if isinstance(layer, nn.Conv2d):
        return layer.in_channels // layer.groups * math.prod(layer.kernel_size)
    return 0
