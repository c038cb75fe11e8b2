"""A cached graph, opened by ONNX Runtime with the tensors of the weights file where they lie.

Nothing is copied or packed, since a copy of 240 MB takes as long as to predict ten images.
"""

from __future__ import annotations

import contextlib
import functools
import math
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.devices import default_threads
from alexnet.evaluation.graph_cache import (
    GraphEntry,
    entry_path,
    find_entry,
    graph_digest,
)
from alexnet.weights.mapped import MappedWeights, checksum, map_file

__all__ = ["GraphFunction", "onnx_runtime", "open_graph", "open_session"]

GraphFunction = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From (n, 3, c, c) to (n, D) float32."""


@functools.cache
def onnx_runtime() -> Any:
    """Return the module `onnxruntime`; None: it is not installed, or cannot be loaded here."""
    try:
        import onnxruntime
    except (ImportError, OSError):
        return None
    return onnxruntime


def open_graph(weights: MappedWeights, output: str) -> tuple[GraphEntry, GraphFunction] | None:
    """Open the cached graph of an output; None: there is none that is whole and of these weights.

    Args:
        weights: the file as it is now.
        output: as for `entry_path`.
    """
    entry = find_entry(weights, output)
    if entry is None or entry.reason is not None:
        return None
    runtime = onnx_runtime()
    if runtime is None or entry.runtime != runtime.__version__:
        return None
    path = entry_path(weights, output)
    try:
        graph = path.with_suffix(".onnx").read_bytes()
        beside = map_file(path.with_suffix(".tensors")) if entry.tensors_checksum else None
    except (OSError, ValueError):
        return None
    if graph_digest(graph) != entry.graph_digest or not _are_whole(weights, beside, entry):
        return None
    try:
        return entry, open_session(graph, entry, weights.data, beside)
    except Exception:  # whatever ONNX Runtime finds in a graph that it wrote of itself once
        return None


def open_session(
    graph: bytes, entry: GraphEntry, weights: mmap.mmap, beside: mmap.mmap | None
) -> GraphFunction:
    """Open a graph with its tensors.

    Args:
        graph: the ONNX file; tensors that lie outside are named in `entry`.
        entry: says where each tensor lies.
        weights: the bytes of the weights file.
        beside: the bytes of the file of tensors.

    Raises:
        Exception: ONNX Runtime's own, or ValueError where a tensor reaches beyond its file.
    """
    runtime = onnx_runtime()
    arrays: dict[str, NDArray[np.float32]] = {}
    for place in entry.tensors:
        data = weights if place.in_weights else beside
        if data is None:
            raise ValueError("there is no file of tensors")
        numbers = np.frombuffer(
            data, dtype=np.float32, count=math.prod(place.shape), offset=place.offset
        )
        arrays[place.name] = numbers.reshape(place.shape)
    options = _session_options(runtime)
    values = [runtime.OrtValue.ortvalue_from_numpy(array) for array in arrays.values()]
    options.add_external_initializers(list(arrays), values)
    session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    (name,) = (value.name for value in session.get_inputs())

    def run(x: NDArray[np.float32]) -> NDArray[np.float32]:
        assert arrays is not None and values is not None  # the session does not keep them
        return session.run(None, {name: x})[0]

    return run


def _session_options(runtime: Any) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = default_threads()
    options.log_severity_level = 4  # what fails is done by torch
    # Measured for one image: "extended" opens small graphs in half the time of "all", which lays
    # the maps out again; packed weights of large products take longer to pack than to multiply; and
    # threads that spin take the other programs' time.
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _are_whole(weights: MappedWeights, beside: mmap.mmap | None, entry: GraphEntry) -> bool:
    with contextlib.suppress(ValueError):  # a file that was cut
        return checksum(weights.data) == entry.weights_checksum and (
            beside is None or checksum(beside) == entry.tensors_checksum
        )
    return False
