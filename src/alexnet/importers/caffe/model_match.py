"""Recognizing graphs that are models of ours: Caffe's AlexNet and CaffeNet."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from alexnet.errors import RecipeError
from alexnet.importers.caffe.graph_builder import GraphBuilder
from alexnet.models import GRAPH, INPUT, Network, Node, build_model
from alexnet.nn import Convolution, Dropout, MaxPool, ResponseNorm

__all__ = ["match_model", "network_of_graph"]

_CANDIDATES = ("alexnet_caffe", "caffenet")


def match_model(
    graph: GraphBuilder, *, classes: int, image_px: int, crop_px: int
) -> tuple[Network, dict[str, str]] | None:
    """Find the model that does, layer by layer, exactly what a graph does.

    Returns:
        The model, on the meta device, and its layers' names by the graph's; None: it is neither.
    """
    if not _is_chain(graph.nodes) or crop_px > image_px:
        return None
    expected = [(node.operation, dict(node.settings)) for node in graph.nodes]
    for name in _CANDIDATES:
        with torch.device("meta"):
            try:
                network = build_model(name, classes=classes, image_px=image_px, crop_px=crop_px)
            except RecipeError:
                return None
        ours = [(each, _as_node(layer)) for each, layer in network.named_children()]
        if [node for _, node in ours] == expected:
            names = [each for each, _ in ours]
            return network, dict(zip((n.name for n in graph.nodes), names, strict=True))
    return None


def network_of_graph(
    graph: GraphBuilder, state: dict[str, Tensor], *, image_px: int, crop_px: int
) -> tuple[Network, dict[str, Tensor]]:
    """Return the network that a graph is, on the meta device, and its tensors by its own names.

    Args:
        graph: whose last node gives one number for each class.
        state: the graph's tensors by its names.
        image_px: side of the stored image.
        crop_px: side of the crop that the network takes.
    """
    classes = graph.shapes[graph.nodes[-1].name][0]
    match = match_model(graph, classes=classes, image_px=image_px, crop_px=crop_px)
    if match is None:
        with torch.device("meta"):
            network = build_model(
                GRAPH,
                graph=graph.description(classes),
                classes=classes,
                image_px=image_px,
                crop_px=crop_px,
            )
        return network, state
    network, names = match
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        layer, _, kind = name.rpartition(".")
        renamed[f"{names[layer]}.{kind}"] = tensor
    return network, renamed


def _is_chain(nodes: list[Node]) -> bool:
    before = INPUT
    for node in nodes:
        if node.inputs != (before,):
            return False
        before = node.name
    return True


def _as_node(layer: nn.Module) -> tuple[str, dict[str, Any]]:
    """Return a layer of ours as an operation of a graph."""
    match layer:
        case Convolution():
            window = layer.window
            settings: dict[str, Any] = {
                "outputs": layer.out_channels,
                "kernel": [window.kernel] * 2,
                "stride": [window.stride] * 2,
                "padding": [window.padding] * 2,
                "dilation": [1, 1],
                "groups": layer.groups,
                "bias": layer.bias is not None,
            }
            return "conv", settings
        case MaxPool():
            window = layer.window
            sizes = {"kernel": [window.kernel] * 2, "stride": [window.stride] * 2}
            rest = {"padding": [0, 0], "ceiling": window.ceiling}
            return "pool", {"kind": "max", **sizes, **rest}
        case ResponseNorm():
            settings = {"size": layer.size, "alpha": layer.alpha, "beta": layer.beta}
            return "norm", {**settings, "k": layer.k, "region": layer.region}
        case nn.Linear():
            return "linear", {"outputs": layer.out_features, "bias": True}
        case Dropout():
            return "dropout", {"p": layer.p, "inverted": layer.inverted}
        case nn.Flatten():
            return "flatten", {"axis": 1, "end": 3}
        case nn.ReLU():
            return "relu", {"slope": 0.0}
        case _:
            return type(layer).__name__, {}
