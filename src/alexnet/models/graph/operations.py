"""The operations of a graph: from a node's settings and the shapes of its inputs to a layer.

A table of functions, one an operation. Each checks that its settings can work and returns the shape
of the output, before anything is allocated.

Legend: a shape is (C, H, W) or (D,), without the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from alexnet.errors import RecipeError, did_you_mean
from alexnet.models.builder import LARGEST_NETWORK
from alexnet.models.graph.pointwise import POINTWISE
from alexnet.models.graph.settings import Settings
from alexnet.models.graph.shaping import SHAPING, covered_axes, format_shape
from alexnet.nn import (
    CaffePool,
    CaffePoolKind,
    ChannelScale,
    Concat,
    Dropout,
    Eltwise,
    EltwiseOperation,
    FullyConnected,
    Grayscale,
    Reshape,
    ResponseNorm,
    Slice,
)

__all__ = ["MOST_NUMBERS", "OPERATIONS", "Node", "Shape", "make_layer"]

MOST_NUMBERS = 2**28
"""Numbers in one node's output for one image; more is a mistake in the graph."""

Shape = tuple[int, ...]

Layer = tuple[nn.Module, Shape]


@dataclass(frozen=True)
class Node:
    """One operation of a graph, as its description has it."""

    name: str
    operation: str
    inputs: tuple[str, ...]
    settings: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        fields = {"name": self.name, "op": self.operation, "inputs": list(self.inputs)}
        return {**fields, **self.settings}


def make_layer(node: Node, shapes: Sequence[Shape]) -> Layer:
    """Make the layer of a node; return it with the shape of its output.

    Args:
        node: the node.
        shapes: of its inputs.

    Raises:
        RecipeError: an unknown operation, settings that cannot be, or shapes that do not fit.
    """
    if node.operation not in OPERATIONS:
        raise RecipeError(
            f'The node "{node.name}" has the operation "{node.operation}", which does not exist.'
            f"{did_you_mean(node.operation, OPERATIONS)} Operations: {', '.join(OPERATIONS)}."
        )
    settings = Settings(node.name, node.operation, node.settings)
    several = node.operation in _WITH_SEVERAL_INPUTS
    if not shapes or (len(shapes) > 1 and not several):
        raise RecipeError(
            f'The node "{node.name}" ({node.operation}) takes {"some inputs" if several else "one"}'
            f"; it has {len(shapes)}."
        )
    layer, shape = OPERATIONS[node.operation](settings, list(shapes))
    settings.require_all_read()
    if math.prod(shape) > MOST_NUMBERS:
        raise RecipeError(
            f'The node "{node.name}" would have {math.prod(shape):,} outputs for one image, and '
            f"{MOST_NUMBERS:,} is the limit. Use smaller images."
        )
    return layer, shape


def _conv(settings: Settings, shapes: list[Shape]) -> Layer:
    channels, height, width = _require_map(settings, shapes[0])
    outputs, groups = settings.whole("outputs", 1), settings.whole("groups", 1)
    kernel, stride = settings.pair("kernel", 1), settings.pair("stride", 1)
    padding, dilation = settings.pair("padding", 0), settings.pair("dilation", 1)
    bias = settings.flag("bias")
    if channels % groups or outputs % groups:
        raise RecipeError(
            f'The node "{settings.node}" cannot split {channels} channels in and {outputs} out '
            f"evenly into {groups} groups."
        )
    _require_affordable(settings, outputs * (channels // groups * math.prod(kernel) + bias))
    rows, columns = (
        (size + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
        for i, size in enumerate((height, width))
    )
    _require_windows(settings, rows, columns, shapes[0])
    layer = nn.utils.skip_init(
        nn.Conv2d,
        channels,
        outputs,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
        device=torch.get_default_device(),
    )
    return layer, (outputs, rows, columns)


def _pool(settings: Settings, shapes: list[Shape]) -> Layer:
    channels, height, width = _require_map(settings, shapes[0])
    kind: CaffePoolKind = settings.word("kind", ("max", "avg"))
    if settings.has("inside") and settings.flag("inside") and kind == "avg":
        kind = "avg_inside"
    kernel = settings.pair("kernel", 1) if settings.has("kernel") else (height, width)
    layer = CaffePool(
        kind,
        kernel,
        stride=settings.pair("stride", 1),
        padding=settings.pair("padding", 0),
        ceiling=settings.flag("ceiling"),
    )
    rows, columns = layer.outputs(height, width)
    _require_windows(settings, rows, columns, shapes[0])
    return layer, (channels, rows, columns)


def _norm(settings: Settings, shapes: list[Shape]) -> Layer:
    _require_map(settings, shapes[0])
    layer = ResponseNorm(
        settings.whole("size", 1, 4096),
        alpha=settings.number("alpha"),
        beta=settings.number("beta"),
        k=settings.number("k"),
        divide=True,
        region=settings.word("region", ("channels", "spatial")),
    )
    return layer, shapes[0]


def _linear(settings: Settings, shapes: list[Shape]) -> Layer:
    if len(shapes[0]) != 1:
        raise RecipeError(
            f'The node "{settings.node}" takes a row of numbers for each image, and its input '
            f"is {format_shape(shapes[0])}. Put a flatten before it."
        )
    outputs, bias = settings.whole("outputs", 1), settings.flag("bias")
    _require_affordable(settings, outputs * (shapes[0][0] + bias))
    return FullyConnected(shapes[0][0], outputs, bias=bias), (outputs,)


def _prelu(settings: Settings, shapes: list[Shape]) -> Layer:
    return nn.PReLU(1 if settings.flag("shared") else shapes[0][0]), shapes[0]


def _dropout(settings: Settings, shapes: list[Shape]) -> Layer:
    p = settings.number("p", 0, 1)
    return Dropout(p, inverted=settings.flag("inverted")), shapes[0]


def _batch_norm(settings: Settings, shapes: list[Shape]) -> Layer:
    eps = settings.number("eps", 0)
    kind = nn.BatchNorm2d if len(shapes[0]) == 3 else nn.BatchNorm1d
    return kind(shapes[0][0], eps=eps, affine=False), shapes[0]


def _scale(settings: Settings, shapes: list[Shape]) -> Layer:
    axis, covered = covered_axes(settings, shapes[0])
    return ChannelScale(covered, axis=axis, bias=settings.flag("bias")), shapes[0]


def _eltwise(operation: EltwiseOperation) -> Callable[[Settings, list[Shape]], Layer]:
    def make(settings: Settings, shapes: list[Shape]) -> Layer:
        if len(set(shapes)) != 1:
            raise RecipeError(
                f'The node "{settings.node}" ({operation}) combines inputs of one shape; got '
                f"{', '.join(map(format_shape, shapes))}."
            )
        coefficients = settings.numbers("coefficients", len(shapes)) if operation == "sum" else None
        return Eltwise(operation, coefficients), shapes[0]

    return make


def _concat(settings: Settings, shapes: list[Shape]) -> Layer:
    axis = _axis(settings, shapes[0])
    others = {shape[: axis - 1] + shape[axis:] for shape in shapes}
    if len(others) != 1 or len({len(shape) for shape in shapes}) != 1:
        raise RecipeError(
            f'The node "{settings.node}" cannot concatenate shapes that differ in more than one '
            f"axis: {', '.join(map(format_shape, shapes))}."
        )
    length = sum(shape[axis - 1] for shape in shapes)
    return Concat(axis), (*shapes[0][: axis - 1], length, *shapes[0][axis:])


def _slice(settings: Settings, shapes: list[Shape]) -> Layer:
    axis, start = _axis(settings, shapes[0]), settings.whole("start", 0)
    length = settings.whole("length", 1)
    if start + length > shapes[0][axis - 1]:
        raise RecipeError(
            f'The node "{settings.node}" takes {start} to {start + length - 1} of an input of '
            f"{format_shape(shapes[0])} along its {axis}. axis."
        )
    return Slice(axis, start, length), (*shapes[0][: axis - 1], length, *shapes[0][axis:])


def _flatten(settings: Settings, shapes: list[Shape]) -> Layer:
    axis, end = _axis(settings, shapes[0]), settings.whole("end", 1, len(shapes[0]))
    if end < axis:
        raise RecipeError(f'The node "{settings.node}" flattens from {axis} to {end}: nothing.')
    flat = math.prod(shapes[0][axis - 1 : end])
    return nn.Flatten(axis, end), (*shapes[0][: axis - 1], flat, *shapes[0][end:])


def _reshape(settings: Settings, shapes: list[Shape]) -> Layer:
    shape = settings.wholes("shape", 1)
    if math.prod(shape) != math.prod(shapes[0]):
        raise RecipeError(
            f'The node "{settings.node}" cannot reshape {format_shape(shapes[0])} to '
            f"{format_shape(shape)}."
        )
    return Reshape(shape), shape


def _softmax(settings: Settings, shapes: list[Shape]) -> Layer:
    return nn.Softmax(_axis(settings, shapes[0])), shapes[0]


def _grayscale(settings: Settings, shapes: list[Shape]) -> Layer:
    channels, height, width = _require_map(settings, shapes[0])
    if channels != 3:
        raise RecipeError(
            f'The node "{settings.node}" makes one gray channel of 3; got {channels}.'
        )
    return Grayscale(settings.word("order", ("RGB", "BGR"))), (1, height, width)


OPERATIONS: Mapping[str, Callable[[Settings, list[Shape]], Layer]] = {
    "conv": _conv,
    "pool": _pool,
    "norm": _norm,
    "linear": _linear,
    "prelu": _prelu,
    "dropout": _dropout,
    "batch_norm": _batch_norm,
    "scale": _scale,
    "sum": _eltwise("sum"),
    "product": _eltwise("product"),
    "max": _eltwise("max"),
    "concat": _concat,
    "slice": _slice,
    "flatten": _flatten,
    "reshape": _reshape,
    "softmax": _softmax,
    "grayscale": _grayscale,
    **POINTWISE,
    **SHAPING,
}
"""Each operation and the function that makes its layer."""

_WITH_SEVERAL_INPUTS = ("sum", "product", "max", "concat", "scale_by", "shift_by")


def _require_map(settings: Settings, shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise RecipeError(
            f'The node "{settings.node}" ({settings.operation}) takes maps, and its input is a row '
            f"of {format_shape(shape)} numbers."
        )
    return shape[0], shape[1], shape[2]


def _axis(settings: Settings, shape: Shape) -> int:
    return settings.whole("axis", 1, len(shape))


def _require_windows(settings: Settings, rows: int, columns: int, shape: Shape) -> None:
    if rows < 1 or columns < 1:
        raise RecipeError(
            f'The window of the node "{settings.node}" is larger than its input of '
            f"{format_shape(shape)}. Use larger images."
        )


def _require_affordable(settings: Settings, parameters: int) -> None:
    if parameters > LARGEST_NETWORK:
        raise RecipeError(
            f'The node "{settings.node}" would have {parameters:,} parameters, and '
            f"{LARGEST_NETWORK:,} is the limit of a network."
        )
