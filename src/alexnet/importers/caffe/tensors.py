"""Caffe's arrays as the tensors of a network's state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alexnet.errors import WeightsError, did_you_mean
from alexnet.importers.caffe.blob import Blob
from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.graph_builder import GraphBuilder
from alexnet.importers.caffe.message import Message, Scalar
from alexnet.importers.caffe.subgraph import BlobSource, Subgraph
from alexnet.importers.caffe.value_layers import is_of_nvidia
from alexnet.text import quote_names

__all__ = ["state_dict_from_blobs", "statistics_remarks", "with_factors"]

_OF_NVIDIA = 5
"""Arrays of a batch normalization of NVIDIA's Caffe: mean, variance, 1, factor, summand."""


def state_dict_from_blobs(
    graph: GraphBuilder, trained: Mapping[str, list[Blob]], file: str
) -> dict[str, Tensor]:
    """Return every tensor of a graph by its name, taken from the trained layers by theirs.

    Args:
        graph: the graph.
        trained: arrays by layer.
        file: where they come from, for errors.

    Raises:
        WeightsError: a layer without weights, or weights of another shape.
    """
    state: dict[str, Tensor] = {}
    for node, layer in graph.origins.items():
        blobs = trained.get(layer.name)
        if blobs is None:
            raise WeightsError(
                f"{file} has no weights for the {layer.title}, which the "
                f"description asks for.{did_you_mean(layer.name, trained)} Do the two files belong "
                "together?"
            )
        for name, numbers in _tensors(graph.layers[node], layer, blobs, file).items():
            state[f"{node}.{name}"] = torch.from_numpy(numbers)  # pyright: ignore[reportUnknownMemberType]
        if isinstance(graph.layers[node], nn.BatchNorm1d | nn.BatchNorm2d):
            state[f"{node}.num_batches_tracked"] = torch.tensor(0)
    return state


def with_factors(
    subgraph: Subgraph, trained: Mapping[str, list[Blob]]
) -> tuple[Subgraph, tuple[str, ...]]:
    """Take the factors and summands that NVIDIA's Caffe keeps in a batch normalization.

    Args:
        subgraph: the layers that are needed.
        trained: arrays by layer: five where they are there, whatever the description says.

    Returns:
        The same layers, those said to have them, and a remark or none.
    """
    names: list[str] = []
    layers: list[tuple[int, CaffeLayer, tuple[BlobSource, ...]]] = []
    for place, layer, sources in subgraph.layers:
        norm = layer.type == "BatchNorm" and len(trained.get(layer.name, ())) == _OF_NVIDIA
        if norm and not is_of_nvidia(_norm(layer)):
            names.append(layer.name)
            layer = _with_factor(layer)
        layers.append((place, layer, sources))
    if not names:
        return subgraph, ()
    said = (
        f"{quote_names(names)} hold five arrays, as NVIDIA's Caffe writes them: mean, variance, 1, "
        "factor and summand; all are taken."
    )
    return replace(subgraph, layers=tuple(layers)), (said,)


def _with_factor(layer: CaffeLayer) -> CaffeLayer:
    old = _norm(layer)
    fields = {**old.fields, "scale_bias": [Scalar("true", old.line)]}
    inner = replace(old, fields=fields)
    message = replace(layer.message, fields={**layer.message.fields, "batch_norm_param": [inner]})
    return replace(layer, message=message)


def statistics_remarks(graph: GraphBuilder, trained: Mapping[str, list[Blob]]) -> tuple[str, ...]:
    """Say which batch normalizations have nothing to be divided by, in a sentence or none."""
    names = [
        layer.name
        for node, layer in graph.origins.items()
        if isinstance(graph.layers[node], nn.BatchNorm1d | nn.BatchNorm2d)
        and _is_divided(trained[layer.name])
        and not trained[layer.name][-1].numbers.any()
    ]
    if not names:
        return ()
    said = (
        f"The third array of {quote_names(names)} (batch normalization) is 0, so mean and variance "
        "count as 0, as in Caffe: the layer was not trained, or NVIDIA's Caffe wrote it, which "
        "divides by nothing; then the network predicts wrongly until that array is set to 1."
    )
    return (said,)


def _tensors(
    made: nn.Module, layer: CaffeLayer, blobs: list[Blob], file: str
) -> dict[str, NDArray[np.float32]]:
    """Return a layer's tensors by their names, each of the shape that it must have."""
    wanted = {
        name: tuple(each.shape)
        for name, each in made.state_dict().items()
        if name != "num_batches_tracked"
    }
    statistics = isinstance(made, nn.BatchNorm1d | nn.BatchNorm2d)
    if layer.type == "BatchNorm" and len(blobs) == _OF_NVIDIA and is_of_nvidia(_norm(layer)):
        blobs = blobs[:3] if statistics else blobs[3:]
        divided = False
    else:
        divided = _is_divided(blobs)
    count = len(wanted) + statistics
    if len(blobs) != count:
        raise WeightsError(
            f"{file} holds {len(blobs)} arrays for the {layer.title}; the description wants "
            f"{count}. Do the two files belong together?"
        )
    if layer.type == "InnerProduct":
        return _product(layer, blobs, wanted, file)
    found = {
        name: _shaped(blob, shape, layer, file)
        for (name, shape), blob in zip(wanted.items(), blobs, strict=False)
    }
    if statistics:  # Caffe keeps sums, and last the number to divide them by
        divisor = float(_shaped(blobs[-1], (1,), layer, file)[0])
        factor = np.float32((1 / divisor if divisor else 0) if divided else 1)
        found = {name: numbers * factor for name, numbers in found.items()}
    return found


def _norm(layer: CaffeLayer) -> Message:
    return layer.message.message("batch_norm_param")


def _is_divided(blobs: list[Blob]) -> bool:
    """Whether mean and variance are sums; NVIDIA's Caffe keeps them as they are."""
    return len(blobs) != _OF_NVIDIA and not blobs[-1].raw


def _product(
    layer: CaffeLayer, blobs: list[Blob], wanted: Mapping[str, tuple[int, ...]], file: str
) -> dict[str, NDArray[np.float32]]:
    outputs, inputs = wanted["weight"]
    turned = layer.message.message("inner_product_param").flag("transpose", False)
    shape = (inputs, outputs) if turned else (outputs, inputs)
    held = blobs[0].shape[-2:]
    if len(held) == 2:
        came, went = held if turned else held[::-1]
        if went == outputs and came != inputs and blobs[0].numbers.size == came * went:
            raise WeightsError(
                f"{file} holds weights of {came:,} inputs for the {layer.title}, which gets "
                f"{inputs:,} here. Are the images of the side that was trained (--image-px, where "
                "the description does not say it), and do the two files belong together?"
            )
    weight = _shaped(blobs[0], shape, layer, file)
    found = {"weight": np.ascontiguousarray(weight.T) if turned else weight}
    if "bias" in wanted:
        found["bias"] = _shaped(blobs[1], wanted["bias"], layer, file)
    return found


def _shaped(
    blob: Blob, shape: tuple[int, ...], layer: CaffeLayer, file: str
) -> NDArray[np.float32]:
    """Return an array in its shape; older files write leading sizes of 1."""
    plain = tuple(each for each in blob.shape if each != 1)
    if plain != tuple(each for each in shape if each != 1) or blob.numbers.size != math.prod(shape):
        raise WeightsError(
            f"{file} holds an array of {blob.shape} for the {layer.title}, "
            f"and the description makes {shape} of it. Do the two files belong together?"
        )
    return blob.numbers.reshape(shape)
