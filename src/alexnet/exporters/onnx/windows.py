"""Layers with windows as nodes: convolutions, pools, locally connected layers.

No rounding rule is left to the reader: how far the last window overhangs is written as padding at
the end, which every program reads alike. (OpenVINO 2026.4 reads ONNX's ceil_mode of padded average
pools otherwise than ONNX Runtime.)

Legend: C channels, H and W sides of a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor

from alexnet.exporters.onnx.graph import OnnxGraph, Value
from alexnet.nn import AdaptiveAvgPool, CaffePool, LocallyConnected, OffsetPool

__all__ = [
    "Windows",
    "adaptive_pool",
    "caffe_pool",
    "convolution",
    "locally_connected",
    "max_pool",
    "mean_pool",
    "offset_pool",
    "pad",
]


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows over maps: along each axis their side, step, padding before the map, and number."""

    kernel: Sequence[int]
    stride: Sequence[int]
    outputs: Sequence[int]
    padding: Sequence[int] = (0, 0)

    def ends(self, sides: Sequence[int], padding: Sequence[int]) -> list[int]:
        """Return how far the last window passes the end of maps of these sides, along each axis."""
        axes = zip(sides, self.kernel, self.stride, padding, self.outputs, strict=True)
        return [
            max(0, (n - 1) * stride + side - size - before)
            for size, side, stride, before, n in axes
        ]


def convolution(
    graph: OnnxGraph,
    name: str,
    x: Value,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
    overhang: Sequence[int] = (0, 0),
) -> str:
    """Write a convolution, perhaps one that reads zeros beyond the end."""
    inputs = [x.name, graph.tensor(f"{name}.weight", weight)]
    if bias is not None:
        inputs.append(graph.tensor(f"{name}.bias", bias))
    settings: dict[str, Any] = {"dilations": list(dilation)} if max(dilation) > 1 else {}
    if groups > 1:
        settings["group"] = groups
    ends = [side + more for side, more in zip(padding, overhang, strict=True)]
    return graph.node(
        "Conv",
        inputs,
        name,
        kernel_shape=list(weight.shape[2:]),
        strides=list(stride),
        pads=[*padding, *ends],
        **settings,
    )


def max_pool(graph: OnnxGraph, name: str, x: Value, windows: Windows) -> str:
    """Write max pooling; padding is never the largest."""
    return graph.node(
        "MaxPool",
        [x.name],
        name,
        kernel_shape=list(windows.kernel),
        strides=list(windows.stride),
        pads=[*windows.padding, *windows.ends(x.shape[1:], windows.padding)],
    )


def mean_pool(
    graph: OnnxGraph, name: str, x: Value, windows: Windows, *, counts_padding: bool = False
) -> str:
    """Write mean pooling; what hangs over beyond the padding never counts."""
    pooled, sides, before = x.name, x.shape[1:], list(windows.padding)
    if counts_padding and any(before):
        pooled = pad(graph, f"{name}/padded", x, before, before)
        sides = [side + 2 * more for side, more in zip(sides, before, strict=True)]
        before = [0] * len(before)
    return graph.node(
        "AveragePool",
        [pooled],
        name,
        kernel_shape=list(windows.kernel),
        strides=list(windows.stride),
        pads=[*before, *windows.ends(sides, before)],
        count_include_pad=0,
    )


def adaptive_pool(graph: OnnxGraph, name: str, layer: AdaptiveAvgPool, x: Value) -> str:
    """Write the means of a grid's cells: one pooling where all cells are alike, else by axis.

    The mean over a cell is the mean of its rows' means.
    """
    channels, *sides = x.shape
    cells = [layer.cells(side) for side in sides]
    steps = [_even_steps(each) for each in cells]
    if all(steps):
        windows = Windows(
            kernel=[end - start for (start, end), *_ in cells],
            stride=steps,
            outputs=(layer.grid,) * 2,
        )
        return mean_pool(graph, name, x, windows)
    rows = _cell_means(graph, f"{name}/rows", x, 0, cells[0])
    return _cell_means(graph, name, Value(rows, (channels, layer.grid, sides[1])), 1, cells[1])


def _even_steps(cells: Sequence[tuple[int, int]]) -> int:
    """Return the step from cell to cell; 0 where sides or steps differ."""
    (first, end), *_ = cells
    step = cells[1][0] - first if len(cells) > 1 else 1
    even = [(first + i * step, end + i * step) for i in range(len(cells))]
    return step if list(cells) == even else 0


def _cell_means(
    graph: OnnxGraph, name: str, x: Value, axis: int, cells: Sequence[tuple[int, int]]
) -> str:
    """Write the means over the cells of one axis of the maps, side by side."""
    means: list[str] = []
    for i, (start, end) in enumerate(cells):
        part = crop(graph, f"{name}/part{i}", x.name, (2 + axis,), (start,), (end,))
        kernel = [end - start, 1] if axis == 0 else [1, end - start]
        means.append(
            graph.node(
                "AveragePool", [part], f"{name}/mean{i}", kernel_shape=kernel, strides=[1, 1]
            )
        )
    return graph.node("Concat", means, name, axis=2 + axis)


def caffe_pool(graph: OnnxGraph, name: str, layer: CaffePool, x: Value) -> str:
    """Write Caffe's pooling."""
    windows = Windows(
        kernel=layer.window(x.shape[1], x.shape[2]),
        stride=layer.stride,
        padding=layer.padding,
        outputs=layer.outputs(x.shape[1], x.shape[2]),
    )
    if layer.kind == "max":
        return max_pool(graph, name, x, windows)
    return mean_pool(graph, name, x, windows, counts_padding=layer.kind == "avg")


def offset_pool(graph: OnnxGraph, name: str, layer: OffsetPool, x: Value) -> str:
    """Write pooling whose windows begin elsewhere than at the first position."""
    side, first = x.shape[1], max(0, layer.start)
    end = min(side, layer.start + (layer.outputs - 1) * layer.stride + layer.kernel)
    if (first, end) != (0, side):
        cut = crop(graph, f"{name}/part", x.name, (2, 3), (first, first), (end, end))
        x = Value(cut, (x.shape[0], end - first, end - first))
    windows = Windows(
        kernel=(layer.kernel,) * 2,
        stride=(layer.stride,) * 2,
        padding=(first - layer.start,) * 2,
        outputs=(layer.outputs,) * 2,
    )
    if layer.kind == "avg":
        return mean_pool(graph, name, x, windows)
    if layer.kind == "max":
        return max_pool(graph, name, x, windows)
    highest = max_pool(graph, f"{name}/highest", x, windows)
    negated = Value(graph.node("Neg", [x.name], f"{name}/negated"), x.shape)
    depth = max_pool(graph, f"{name}/depth", negated, windows)  # how far the lowest is below zero
    lowest = graph.node("Neg", [depth], f"{name}/lowest")
    further = graph.node("GreaterOrEqual", [highest, depth], f"{name}/further")
    return graph.node("Where", [further, highest, lowest], name)


def locally_connected(graph: OnnxGraph, name: str, layer: LocallyConnected, x: Value) -> str:
    """Write a convolution with weights for each place: windows side by side, and products."""
    window, side = layer.window, layer.positions
    before = [window.padding] * 2
    after = [window.padding + window.overhang(size) for size in x.shape[1:]]
    padded = x.name
    if any(before + after):
        padded = pad(graph, f"{name}/padded", x, before, after)
    reach = (side - 1) * window.stride + 1
    shifted = [
        crop(
            graph,
            f"{name}/{row}_{column}",
            padded,
            (2, 3),
            (row, column),
            (row + reach, column + reach),
            (window.stride, window.stride),
        )
        for row in range(window.kernel)
        for column in range(window.kernel)
    ]
    patches = graph.node("Concat", shifted, f"{name}/patches", axis=1)
    numbers = window.kernel**2 * layer.inputs
    rows = graph.reshape(patches, (numbers, side**2), f"{name}/rows")
    rows = graph.node("Transpose", [rows], f"{name}/by_position", perm=[2, 0, 1])
    by_map = cast("Tensor", layer.weight.unflatten(1, (layer.inputs, -1)))
    weight = by_map.transpose(1, 2).flatten(1, 2)
    products = graph.node(
        "MatMul", [rows, graph.tensor(f"{name}.weight", weight)], f"{name}/products"
    )
    products = graph.node("Transpose", [products], f"{name}/by_map", perm=[1, 2, 0])
    if layer.bias is None:
        return graph.reshape(products, (layer.outputs, side, side), name)
    maps = graph.reshape(products, (layer.outputs, side, side), f"{name}/maps")
    return graph.node("Add", [maps, graph.tensor(f"{name}.bias", layer.bias)], name)


def pad(graph: OnnxGraph, name: str, x: Value, before: Sequence[int], after: Sequence[int]) -> str:
    """Write zeros around maps."""
    ends = graph.ints(f"{name}/pads", 0, 0, *before, 0, 0, *after)
    return graph.node("Pad", [x.name, ends], name)


def crop(
    graph: OnnxGraph,
    name: str,
    x: str,
    axes: Sequence[int],
    starts: Sequence[int],
    ends: Sequence[int],
    steps: Sequence[int] | None = None,
) -> str:
    """Write a slice along some axes."""
    settings = [
        graph.ints(f"{name}/starts", *starts),
        graph.ints(f"{name}/ends", *ends),
        graph.ints(f"{name}/axes", *axes),
    ]
    if steps is not None and max(steps) > 1:
        settings.append(graph.ints(f"{name}/steps", *steps))
    return graph.node("Slice", [x, *settings], name)
