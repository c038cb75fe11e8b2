"""Making the graphs of the cache: from a network that has just predicted, checked against it.

A graph is kept only if ONNX Runtime computes with it what torch does; else the reason is kept, so
that nobody tries again.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import mmap
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.errors import AlexNetError
from alexnet.evaluation.crops import crop_view_array, crop_views
from alexnet.evaluation.graph_cache import (
    MAX_BYTES,
    PROBABILITIES,
    GraphEntry,
    TensorPlace,
    entry_path,
    remember_file,
    write_entry,
)
from alexnet.evaluation.graph_session import GraphFunction, onnx_runtime, open_session
from alexnet.exporters.compare import synthetic_images
from alexnet.exporters.onnx.graph import OnnxGraph, Value
from alexnet.exporters.onnx.heads import write_block
from alexnet.exporters.onnx.model import write_layers, write_network
from alexnet.exporters.validation import require_finite_network
from alexnet.images import Preprocessing
from alexnet.models import (
    Block,
    ExternalNetwork,
    Network,
    backbone_of,
    default_features,
    for_inference,
)
from alexnet.weights.mapped import MappedWeights, checksum

__all__ = ["TOLERANCE", "keep_graph"]

TOLERANCE = 1e-5
"""How far a number may be from torch's, over the largest number where that is above 1."""

_FEWEST_BYTES = 1024  # of a tensor that lies outside of its graph
_CHECKED_IMAGES = 4
_INPUT = "tensor"
_MOST_LETTERS = 200  # of a reason


def keep_graph(
    weights: MappedWeights, output: str, network: Network, preprocessing: Preprocessing
) -> None:
    """Put the graph of a network into the cache, so that the next call needs no torch.

    Nothing happens where the packages are missing, the cache cannot be written, or the file changed
    meanwhile.

    Args:
        weights: mapped before the network was loaded from the same file.
        output: "probabilities"; or "features", or "features:LAYER".
        network: in evaluation mode, on the processor.
        preprocessing: of the weights.
    """
    packages = ("onnx", "onnxruntime")
    if any(importlib.util.find_spec(name) is None for name in packages):
        return
    if not (weights.settled and weights.is_unchanged()) or onnx_runtime() is None:
        return
    if next(network.parameters()).device.type != "cpu":
        return
    with contextlib.suppress(AlexNetError, OSError, MemoryError):
        path = entry_path(weights, output)
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()  # before the work: can it be written?
        if not remember_file(weights, output, onnx_runtime().__version__):
            _make(path, weights, output, network, preprocessing)


def _make(
    path: Path, weights: MappedWeights, output: str, network: Network, rule: Preprocessing
) -> None:
    layer = output.partition(":")[2]
    if output != PROBABILITIES:
        layer = layer or default_features(network)
    entry = GraphEntry(
        weights=str(weights.path.absolute()),
        model=network.model,
        output=layer or output,
        runtime=onnx_runtime().__version__,
        files=(weights.identity,),
    )
    graph, tensors = b"", list[NDArray[Any]]()
    try:
        graph, tensors, places = _graph(weights, layer, network)
        entry = replace(entry, tensors=places)
        problem = _mismatch(graph, tensors, entry, weights, network, rule)
    except Exception as error:  # onnx's, ONNX Runtime's and torch's own among them
        problem = str(error)[:_MOST_LETTERS] or type(error).__name__
    if not weights.is_unchanged():
        return
    if problem is not None:
        entry = replace(entry, reason=problem, tensors=())
    else:
        entry = replace(entry, weights_checksum=checksum(weights.data))
    write_entry(path, entry, graph, tensors)


def _graph(
    weights: MappedWeights, layer: str, network: Network
) -> tuple[bytes, list[NDArray[Any]], tuple[TensorPlace, ...]]:
    """Return an ONNX file, the tensors that belong beside it, and where each tensor lies.

    Raises:
        WeightsError: a layer that cannot be written, or that is none.
        ValueError: it would not fit into the cache.
    """
    if isinstance(backbone_of(network), ExternalNetwork):
        raise ValueError("the network is torch's own code")
    require_finite_network(network)
    graph = OnnxGraph()
    image = Value(graph.name(_INPUT), (3, network.crop_px, network.crop_px))
    if layer:
        output, numbers = _write_layer(graph, network, layer, image)
    else:
        logits = write_network(graph, network, image)
        output, numbers = graph.node("Softmax", [logits], PROBABILITIES, axis=1), network.classes
    beside, places = _place_tensors(graph, weights)
    if sum(each.nbytes for each in beside) > MAX_BYTES // 2:
        raise ValueError("its tensors are too large for the cache")
    model = graph.model(
        input=(_INPUT, "float32", image.shape),
        output=(output, numbers),
        title=network.model,
        metadata={},
        outside={place.name for place in places},
    )
    return model.SerializeToString(), beside, places


def _write_layer(graph: OnnxGraph, network: Network, layer: str, image: Value) -> tuple[str, int]:
    """Write a network up to a layer; return the name of its output and how many numbers it has."""
    body = backbone_of(network)
    block = Block.parse(layer) if layer.startswith("mean:") else Block(layer, raw=True)
    value = write_layers(graph, body, image, until=(block.layer,))[block.layer]
    count = value.shape[0] if block.grid else math.prod(value.shape)
    return write_block(graph, "features", block, value), count


def _place_tensors(
    graph: OnnxGraph, weights: MappedWeights
) -> tuple[list[NDArray[Any]], tuple[TensorPlace, ...]]:
    """Say of each large tensor whether it lies in the weights file, or else where beside it."""
    stored = weights.tensor_places()
    beside: list[NDArray[Any]] = []
    places: list[TensorPlace] = []
    offset = 0
    for name, tensor in graph.tensors.items():
        if tensor.dtype.kind != "f" or 4 * tensor.size < _FEWEST_BYTES:
            continue
        array = np.ascontiguousarray(tensor, dtype=np.float32)
        start, shape = stored.get(name, (0, ()))
        if math.prod(shape) == array.size and _equals(array, weights.data, start):
            places.append(TensorPlace(name, True, start, array.shape))
            continue
        beside.append(array)
        places.append(TensorPlace(name, False, offset, array.shape))
        offset += array.nbytes
    return beside, tuple(places)


def _equals(array: NDArray[Any], data: mmap.mmap, offset: int) -> bool:
    there = np.frombuffer(data, dtype=np.uint32, count=array.size, offset=offset)
    return bool(np.array_equal(array.reshape(-1).view(np.uint32), there))


def _mismatch(
    graph: bytes,
    tensors: list[NDArray[Any]],
    entry: GraphEntry,
    weights: MappedWeights,
    network: Network,
    rule: Preprocessing,
) -> str | None:
    """Return how the graph differs from the network on a few images; None: it does not."""
    (view,) = crop_views(rule)
    images = crop_view_array(synthetic_images(rule.image_px, _CHECKED_IMAGES), rule, view)
    with tempfile.TemporaryFile() as file:
        file.writelines(each.data for each in tensors)
        file.flush()
        beside = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if tensors else None
    found = open_session(graph, entry, weights.data, beside)(images)
    expected = _reference(network, entry.output)(images)
    difference = float(np.nan_to_num(np.abs(found - expected), nan=np.inf).max())
    difference /= max(1.0, float(np.abs(expected).max()))
    if difference <= TOLERANCE:
        return None
    return f"ONNX Runtime {entry.runtime} computes numbers that differ by {difference:.2g}"


def _reference(network: Network, output: str) -> GraphFunction:
    """Return what torch computes."""
    if output == PROBABILITIES:
        until, finish = None, _softmax
    else:
        block = Block.parse(output) if output.startswith("mean:") else Block(output, raw=True)
        until, finish = block.layer, block
    run = for_inference(network, until=until, compiled=False)
    return lambda x: finish(run(torch.from_numpy(x))).numpy()  # pyright: ignore[reportUnknownMemberType]


def _softmax(logits: torch.Tensor) -> torch.Tensor:
    return torch.softmax(logits.float(), dim=1)
