"""Caffe's layers that join, cut and reorder numbers, as nodes of a graph.

Defaults are Caffe's. Where a description asks for what is not done here, the sentence names file,
line, layer and setting.

Legend: a shape is (C, H, W) or (D,), without the batch; axes count the batch as 0.
"""

from __future__ import annotations

import math
from itertools import pairwise

from alexnet.importers.caffe.arguments import (
    AddLayer,
    Inputs,
    axis_of,
    one_input,
    two_inputs,
)
from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.graph_builder import GraphBuilder

__all__ = ["SHAPE_LAYERS"]


def _concat(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("concat_param")
    old = params.whole("concat_dim", 1, 1)
    axis = axis_of(layer, params, graph.shapes[inputs[0]], default=old)
    return [graph.add(layer, layer.name, "concat", inputs, axis=axis)]


def _slice(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("slice_param")
    (source,) = one_input(layer, inputs)
    shape = graph.shapes[source]
    axis = axis_of(layer, params, shape, default=params.whole("slice_dim", 1, 1))
    size, parts = shape[axis - 1], len(layer.tops)
    points = params.wholes("slice_point", 1)
    if not points and size % parts == 0:
        points = [size // parts * each for each in range(1, parts)]
    edges = [0, *points, size]
    if len(points) != parts - 1 or any(a >= b for a, b in pairwise(edges)):
        raise layer.error(f"cannot cut {size} into {parts} parts at {points}.")
    return [
        graph.add(layer, top, "slice", (source,), axis=axis, start=start, length=end - start)
        for top, (start, end) in zip(layer.tops, pairwise(edges), strict=True)
    ]


def _split(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    return list(one_input(layer, inputs))


def _flatten(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("flatten_param")
    (source,) = one_input(layer, inputs)
    shape = graph.shapes[source]
    axis = axis_of(layer, params, shape, default=1)
    end = axis_of(layer, params, shape, default=-1, name="end_axis")
    return [graph.add(layer, layer.name, "flatten", (source,), axis=axis, end=end)]


def _reshape(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    """Work the shape out as Caffe does, with the batch that the description speaks of."""
    params = layer.message.message("reshape_param")
    (source,) = one_input(layer, inputs)
    before = (graph.batch_size, *graph.shapes[source])
    dims = params.message("shape").wholes("dim", -1)
    start = params.whole("axis", 0, -len(before) - 1)
    start = start if start >= 0 else len(before) + 1 + start
    count = params.whole("num_axes", -1, -1)
    stop = len(before) if count == -1 else start + count
    if start > len(before) or stop > len(before):
        raise layer.error(f"replaces axes {start} to {stop - 1} of {len(before)}.")
    if any(each == 0 and start + i >= len(before) for i, each in enumerate(dims)):
        raise layer.error("copies an axis that its input does not have.")
    dims = [before[start + i] if each == 0 else each for i, each in enumerate(dims)]
    after = [*before[:start], *dims, *before[stop:]]
    if after.count(-1) == 1:
        known = -math.prod(after)
        after[after.index(-1)] = math.prod(before) // known if known else 0
    if not after or math.prod(after) != math.prod(before) or after[0] != graph.batch_size:
        raise layer.error(
            f"makes {' x '.join(map(str, after))} of {' x '.join(map(str, before))}, whose first "
            "number is the images; they should stay."
        )
    if tuple(after) == before:
        return [source]
    return [graph.add(layer, layer.name, "reshape", (source,), shape=after[1:])]


def _softmax(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("softmax_param")
    (source,) = one_input(layer, inputs)
    axis = axis_of(layer, params, graph.shapes[source], default=1)
    return [graph.add(layer, layer.name, "softmax", (source,), axis=axis)]


def _permute(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    """Add an order of axes; those that are not named follow in their own, as in SSD's Caffe."""
    (source,) = one_input(layer, inputs)
    axes = len(graph.shapes[source]) + 1
    order = layer.message.message("permute_param").wholes("order")
    if len(set(order)) != len(order) or any(axis >= axes for axis in order):
        raise layer.error(f"has the order {order}, and its input has the axes 0 to {axes - 1}.")
    order += [axis for axis in range(axes) if axis not in order]
    if order[0] != 0:
        raise layer.error("moves the axis of the images; it should stay the first.")
    if order == list(range(axes)):
        return [source]
    return [graph.add(layer, layer.name, "permute", (source,), order=order[1:])]


def _shuffle(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    """Deal channels out as cards: the first of each group, then the second of each, and so on."""
    groups = layer.message.message("shuffle_channel_param").whole("group", 1, 1)
    (source,) = one_input(layer, inputs)
    shape = graph.shapes[source]
    channels, positions = shape[0], math.prod(shape[1:])
    if channels % groups:
        raise layer.error(f"has {groups} groups, and its input {channels} channels.")
    parts = [groups, channels // groups, positions]
    parted = graph.add(layer, f"{layer.name}_groups", "reshape", (source,), shape=parts)
    dealt = graph.add(layer, f"{layer.name}_dealt", "permute", (parted,), order=[2, 1, 3])
    return [graph.add(layer, layer.name, "reshape", (dealt,), shape=list(shape))]


def _crop(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    """Add slices to the sizes of the second input, from an offset on."""
    params = layer.message.message("crop_param")
    source, like = two_inputs(layer, inputs)
    shape, sizes = graph.shapes[source], graph.shapes[like]
    first = axis_of(layer, params, shape, default=2)
    axes, offsets = range(first, len(shape) + 1), params.wholes("offset")
    if len(sizes) != len(shape) or len(offsets) not in (0, 1, len(axes)):
        raise layer.error(f"cannot cut {shape} to the sizes {sizes} from the offsets {offsets} on.")
    for place, axis in enumerate(axes):
        start = offsets[min(place, len(offsets) - 1)] if offsets else 0
        length = sizes[axis - 1]
        if (start, length) != (0, shape[axis - 1]):
            settings = {"axis": axis, "start": start, "length": length}
            source = graph.add(layer, f"{layer.name}_{axis}", "slice", (source,), **settings)
    return [source]


SHAPE_LAYERS: dict[str, AddLayer] = {
    "Concat": _concat,
    "Slice": _slice,
    "Crop": _crop,
    "Split": _split,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "ShuffleChannel": _shuffle,
    "Softmax": _softmax,
}
"""By type, the function that adds such a layer."""
