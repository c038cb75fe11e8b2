"""What every kind of Caffe's layers asks of its description: inputs, axes, windows."""

from __future__ import annotations

from collections.abc import Callable

from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.graph_builder import GraphBuilder
from alexnet.importers.caffe.message import Message
from alexnet.models import Shape

__all__ = ["AddLayer", "Inputs", "axis_of", "height_and_width", "one_input", "two_inputs"]

Inputs = tuple[str, ...]
"""The nodes that a layer takes."""

AddLayer = Callable[[GraphBuilder, CaffeLayer, Inputs], list[str]]
"""Adds a layer's nodes to a graph, and returns the node of each of its tops."""


def one_input(layer: CaffeLayer, inputs: Inputs) -> tuple[str]:
    """Return the input of a layer that takes one."""
    if len(inputs) != 1:
        raise layer.error(f"takes {len(inputs)} inputs; with one it could be imported.")
    return (inputs[0],)


def two_inputs(layer: CaffeLayer, inputs: Inputs) -> tuple[str, str]:
    """Return the inputs of a layer that takes two."""
    if len(inputs) != 2:
        raise layer.error(f"takes {len(inputs)} inputs; with two it could be imported.")
    return inputs[0], inputs[1]


def axis_of(
    layer: CaffeLayer, params: Message, shape: Shape, *, default: int, name: str = "axis"
) -> int:
    """Return an axis counted from the front, the batch as 0; the batch itself is an error."""
    value = params.whole(name, default, -4)
    axis = value if value >= 0 else len(shape) + 1 + value
    if not 1 <= axis <= len(shape):
        raise layer.error(f"has {name} {value}, and its input has the axes 1 to {len(shape)}.")
    return axis


def height_and_width(
    layer: CaffeLayer,
    params: Message,
    name: str,
    repeated: str | None = None,
    *,
    default: int | None = None,
) -> list[int]:
    """Return height and width, from `name`_h and `name`_w or from one value for both."""
    low = 0 if default == 0 else 1
    both = params.wholes(repeated or name, low)
    tall, wide = f"{name}_h", f"{name}_w"
    if params.has(tall) or params.has(wide):
        if both:
            raise layer.error(f"has both {repeated or name} and {tall} or {wide}.")
        return [params.whole(tall, default, low), params.whole(wide, default, low)]
    if not both and default is not None:
        both = [default]
    if len(both) not in (1, 2):
        raise layer.error(f"needs one {repeated or name}, or two; it has {len(both)}.")
    return [both[0], both[-1]]
