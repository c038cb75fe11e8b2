"""Caffe's arrays as the tensors of a network's state."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alexnet.errors import WeightsError, did_you_mean
from alexnet.importers.caffe.caffemodel import Blob
from alexnet.importers.caffe.graph_builder import GraphBuilder
from alexnet.importers.caffe.net import CaffeLayer

__all__ = ["state_dict_from_blobs"]


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
                f'{file} has no weights for the layer "{layer.name}" ({layer.type}), which the '
                f"description asks for.{did_you_mean(layer.name, trained)} Do the two files belong "
                "together?"
            )
        for name, numbers in _tensors(graph.layers[node], layer, blobs, file).items():
            state[f"{node}.{name}"] = torch.from_numpy(numbers)  # pyright: ignore[reportUnknownMemberType]
        if isinstance(graph.layers[node], nn.BatchNorm1d | nn.BatchNorm2d):
            state[f"{node}.num_batches_tracked"] = torch.tensor(0)
    return state


def _tensors(
    made: nn.Module, layer: CaffeLayer, blobs: list[Blob], file: str
) -> dict[str, NDArray[np.float32]]:
    """Return a layer's tensors by their names, each of the shape that it must have."""
    wanted = {
        name: tuple(each.shape)
        for name, each in made.state_dict().items()
        if name != "num_batches_tracked"
    }
    count = len(wanted)
    statistics = isinstance(made, nn.BatchNorm1d | nn.BatchNorm2d)
    if len(blobs) != count + statistics:
        raise WeightsError(
            f'{file} holds {len(blobs)} arrays for the layer "{layer.name}" ({layer.type}); the '
            f"description wants {count + statistics}. Do the two files belong together?"
        )
    if layer.type == "InnerProduct":
        return _product(layer, blobs, wanted, file)
    found = {
        name: _shaped(blob, shape, layer, file)
        for (name, shape), blob in zip(wanted.items(), blobs, strict=False)
    }
    if statistics:  # Caffe keeps sums, and last the number to divide them by
        divisor = float(_shaped(blobs[-1], (1,), layer, file)[0])
        factor = np.float32(1 / divisor if divisor else 0)
        found = {name: numbers * factor for name, numbers in found.items()}
    return found


def _product(
    layer: CaffeLayer, blobs: list[Blob], wanted: Mapping[str, tuple[int, ...]], file: str
) -> dict[str, NDArray[np.float32]]:
    outputs, inputs = wanted["weight"]
    turned = layer.message.message("inner_product_param").flag("transpose", False)
    weight = _shaped(blobs[0], (inputs, outputs) if turned else (outputs, inputs), layer, file)
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
            f'{file} holds an array of {blob.shape} for the layer "{layer.name}" ({layer.type}), '
            f"and the description makes {shape} of it. Do the two files belong together?"
        )
    return blob.numbers.reshape(shape)
