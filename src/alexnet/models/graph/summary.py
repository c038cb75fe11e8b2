"""What a graph is, in numbers: a row for each of its nodes, and what there is to say of it.

Legend: C channels, S side of a square map.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import nn

from alexnet.models.graph.network import INPUT, GraphNetwork
from alexnet.nn import (
    CaffePool,
    ChannelScale,
    Combine,
    Concat,
    Dropout,
    FullyConnected,
    Grey,
    Part,
    Reshape,
    ResponseNorm,
    Window,
)
from alexnet.nn.windows import covering
from alexnet.records import LayerGeometry

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
    Part: "part",
    Reshape: "reshape",
    Dropout: "dropout",
    Grey: "grey",
}

_ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.Sigmoid, nn.Tanh)


def graph_layers(network: GraphNetwork) -> Iterator[LayerGeometry]:
    """Yield each node in the order in which they run."""
    before = INPUT
    shapes = {INPUT: (3, network.crop_px, network.crop_px), **network.shapes}
    for name, layer in network.named_children():
        taken = network.inputs[name]
        words = [] if taken == (before,) else [f"takes {', '.join(taken)}"]
        yield _row(name, layer, (shapes[taken[0]], shapes[name]), words)
        before = name


def graph_activation(network: GraphNetwork) -> str:
    """Name the kinds of activation in a graph, each once."""
    found = [type(each) for each in network.children() if isinstance(each, _ACTIVATIONS)]
    return ", ".join(each.__name__.lower() for each in dict.fromkeys(found)) or "none"


def graph_notes(network: GraphNetwork) -> list[str]:
    """Say that this is none of the models."""
    count = len(network)
    return [f"None of the models, but a graph of {count} nodes that travels in the weights file."]


def _row(
    name: str, layer: nn.Module, shapes: tuple[tuple[int, ...], tuple[int, ...]], words: list[str]
) -> LayerGeometry:
    before, after = shapes
    window, more = _window(layer, before, after)
    weights, biases = (
        0 if tensor is None else tensor.numel()
        for tensor in (getattr(layer, each, None) for each in ("weight", "bias"))
    )
    neurons = math.prod(after) if isinstance(layer, nn.Conv2d | nn.Linear) else 0
    zeros = isinstance(layer, nn.Conv2d)
    details = ", ".join([*words, *more, *_settings(layer)])
    return LayerGeometry(
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
        multiply_adds=neurons * _terms(layer),
        overhang=window.overhang(before[1]) if window else 0,
        unseen=window.unseen(before[1]) if window else 0,
        covering=covering(name, window, before[1], zeros=zeros) if window else None,
    )


def _window(
    layer: nn.Module, before: tuple[int, ...], after: tuple[int, ...]
) -> tuple[Window | None, list[str]]:
    """Return the square window of a layer; of another form, its words."""
    if isinstance(layer, nn.Conv2d):
        kernel, stride, padding, dilation = (
            (each[0], each[1])
            for each in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
            if not isinstance(each, str)
        )
        ceiling = False
    elif isinstance(layer, CaffePool):
        kernel, stride, padding, dilation = layer.kernel, layer.stride, layer.padding, (1, 1)
        ceiling = layer.ceiling
    else:
        return None, []
    square = all(each[0] == each[1] for each in (kernel, stride, padding, before[1:]))
    if square and dilation == (1, 1):
        window = Window(int(kernel[0]), int(stride[0]), int(padding[0]), ceiling)
        if window.outputs(before[1]) == after[1]:  # else Caffe left its last window out
            return window, []
    words = f"windows of {kernel[0]} x {kernel[1]}, stride {stride[0]} x {stride[1]}"
    more = f", dilation {dilation[0]} x {dilation[1]}" if dilation != (1, 1) else ""
    return None, [f"{words}, padding {padding[0]} x {padding[1]}{more}"]


def _kind(layer: nn.Module) -> str:
    if isinstance(layer, CaffePool):
        return f"{layer.kind} pooling"
    if isinstance(layer, Combine):
        return layer.how
    return _KINDS.get(type(layer), type(layer).__name__.lower())


def _settings(layer: nn.Module) -> list[str]:
    if isinstance(layer, ResponseNorm | Combine | Part):
        said = layer.extra_repr()
        return [said] if said != _kind(layer) else []
    return [f"{layer.share:g} of the units in training"] if isinstance(layer, Dropout) else []


def _terms(layer: nn.Module) -> int:
    """Return how many products one neuron of the layer sums."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    if isinstance(layer, nn.Conv2d):
        return layer.in_channels // layer.groups * math.prod(layer.kernel_size)
    return 0
