"""Pools that torch's exporter wrote, written again so that every program reads them alike.

A rule that rounds up, padding that counts and dilation are attributes in ONNX, and each is misread
somewhere: OpenVINO 2026.4 divides by another count where average pools round up, OpenCV 4.14 reads
neither counted padding nor dilation (findings/opencv-pooling.sh). As nodes and plain padding they
are read everywhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alexnet.exporters.onnx import windows
from alexnet.exporters.onnx.graph import OnnxGraph, Value

__all__ = ["needs_rewriting", "write_pool"]


def needs_rewriting(operator: str, attributes: Mapping[str, Any]) -> bool:
    """Say whether a node is a pool with an attribute that some program misreads."""
    if operator not in ("AveragePool", "MaxPool"):
        return False
    counted = bool(attributes.get("count_include_pad")) and any(attributes.get("pads", ()))
    return counted or bool(attributes.get("ceil_mode")) or _dilation(attributes) > 1


def write_pool(
    graph: OnnxGraph,
    name: str,
    operator: str,
    attributes: Mapping[str, Any],
    x: Value,
    outputs: Sequence[int],
) -> str:
    """Write a pool by padding and plain windows; return the name of what it makes.

    Args:
        graph: the graph.
        name: of the last node.
        operator: "MaxPool" or "AveragePool".
        attributes: as torch's exporter writes them: the padding is the same on both sides.
        x: the input, C and the sides of its maps.
        outputs: number of windows along each axis.
    """
    kernel, axes = list(attributes["kernel_shape"]), len(x.shape) - 1
    window = windows.Windows(
        kernel=kernel,
        stride=list(attributes.get("strides", [1] * axes)),
        padding=list(attributes.get("pads", [0] * 2 * axes))[:axes],
        outputs=list(outputs),
    )
    if operator == "AveragePool":
        counts = bool(attributes.get("count_include_pad"))
        return windows.mean_pool(graph, name, x, window, counts_padding=counts)
    if _dilation(attributes) > 1:
        return _dilated_max(graph, name, x, window, list(attributes["dilations"]))
    return windows.max_pool(graph, name, x, window)


def _dilation(attributes: Mapping[str, Any]) -> int:
    return max(attributes.get("dilations", (1,)))


def _dilated_max(
    graph: OnnxGraph, name: str, x: Value, window: windows.Windows, dilation: Sequence[int]
) -> str:
    """Write the largest of the shifted maps: one for each position of the kernel."""
    reach = [(n - 1) * step for n, step in zip(window.outputs, window.stride, strict=True)]
    spans = [(k - 1) * d + 1 for k, d in zip(window.kernel, dilation, strict=True)]
    after = [
        max(0, last + span - size - before)
        for last, span, size, before in zip(reach, spans, x.shape[1:], window.padding, strict=True)
    ]
    padded = x.name
    if any([*window.padding, *after]):
        ends = graph.ints(f"{name}/pads", 0, 0, *window.padding, 0, 0, *after)
        lowest = graph.tensor(f"{name}/lowest", np.array(-np.inf, dtype=np.float32))
        padded = graph.node("Pad", [x.name, ends, lowest], f"{name}/padded")
    axes = tuple(range(2, len(x.shape) + 1))
    shifted = [
        windows.crop(
            graph,
            f"{name}/{'_'.join(map(str, position))}",
            padded,
            axes,
            starts := [p * d for p, d in zip(position, dilation, strict=True)],
            [start + last + 1 for start, last in zip(starts, reach, strict=True)],
            window.stride,
        )
        for position in itertools.product(*map(range, window.kernel))
    ]
    return graph.node("Max", shifted, name)
