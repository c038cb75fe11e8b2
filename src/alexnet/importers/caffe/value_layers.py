"""Caffe's layers that change numbers where they stand, as nodes of a graph.

Defaults are Caffe's. Where a description asks for what is not done here, the sentence names file,
line, layer and setting.

Legend: a shape is (C, H, W) or (D,), without the batch; axes count the batch as 0.
"""

from __future__ import annotations

from alexnet.importers.caffe.arguments import (
    AddLayer,
    Inputs,
    axis_of,
    one_input,
    two_inputs,
)
from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.graph_builder import GraphBuilder
from alexnet.importers.caffe.message import Message

__all__ = ["VALUE_LAYERS", "is_of_nvidia"]


def _plain(operation: str) -> AddLayer:
    """Return the function that adds a layer without settings."""

    def add(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
        return [graph.add(layer, layer.name, operation, one_input(layer, inputs))]

    return add


def _with_number(operation: str, field: str, default: float, setting: str) -> AddLayer:
    """Return the function that adds a layer with one setting.

    Args:
        operation: of the node.
        field: of the parameters, which are called after the type.
        default: Caffe's.
        setting: what the node calls it.
    """

    def add(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
        params = layer.message.message(f"{layer.type.lower()}_param")
        settings = {setting: params.number(field, default)}
        return [graph.add(layer, layer.name, operation, one_input(layer, inputs), **settings)]

    return add


def _prelu(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    shared = layer.message.message("prelu_param").flag("channel_shared", False)
    return [graph.add(layer, layer.name, "prelu", one_input(layer, inputs), shared=shared)]


def _clip(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("clip_param")
    low, high = 0.0, 6.0
    if layer.type == "Clip":
        if not (params.has("min") and params.has("max")):
            raise layer.error("needs min and max in its clip_param.")
        low, high = params.number("min", 0), params.number("max", 0)
    return [graph.add(layer, layer.name, "clip", one_input(layer, inputs), low=low, high=high)]


def _power(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("power_param")
    node = graph.add(
        layer,
        layer.name,
        "power",
        one_input(layer, inputs),
        power=params.number("power", 1),
        scale=params.number("scale", 1),
        shift=params.number("shift", 0),
    )
    return [node]


def _exponential(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    """Add an Exp or a Log; their parameters are the same."""
    kind = layer.type.lower()
    params = layer.message.message(f"{kind}_param")
    base = params.number("base", -1)
    if base != -1 and base <= 0:
        raise layer.error(f"has a base of {base:g}; above 0, or -1 for e, is possible.")
    node = graph.add(
        layer,
        layer.name,
        kind,
        one_input(layer, inputs),
        base=None if base == -1 else base,
        scale=params.number("scale", 1),
        shift=params.number("shift", 0),
    )
    return [node]


def _dropout(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("dropout_param")
    dropout_ratio, inverted = params.number("dropout_ratio", 0.5), params.flag("scale_train", True)
    node = graph.add(
        layer, layer.name, "dropout", one_input(layer, inputs), p=dropout_ratio, inverted=inverted
    )
    return [node]


def _batch_norm(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    """Add a normalization, and in NVIDIA's form the factor and summand that it holds as well."""
    params = layer.message.message("batch_norm_param")
    of_nvidia = is_of_nvidia(params)
    if not params.flag("use_global_stats", True) and not of_nvidia:
        raise layer.error(
            "takes mean and variance of the batch, so an output depends on other images."
        )
    eps = params.number("eps", 1e-5)
    (source,) = one_input(layer, inputs)
    if not of_nvidia:
        return [graph.add(layer, layer.name, "batch_norm", (source,), eps=eps)]
    normed = graph.add(layer, layer.name, "batch_norm", (source,), eps=max(eps, 1e-5))
    name = f"{layer.name}_scale"
    return [graph.add(layer, name, "scale", (normed,), axis=1, axes=1, bias=True)]


def is_of_nvidia(params: Message) -> bool:
    """Whether a batch normalization holds a factor and a summand too, as NVIDIA's Caffe writes."""
    return (
        params.flag("scale_bias", False) or params.has("scale_filler") or params.has("bias_filler")
    )


def _scale(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("scale_param")
    if len(inputs) == 2:
        if params.flag("bias_term", False):
            raise layer.error("takes its factors from a layer, and has a bias_term too.")
        return [_spread(graph, layer, inputs, "scale_by", params.whole("axis", 1, -4))]
    (source,) = one_input(layer, inputs)
    axis, axes = _learned_axes(graph, layer, params, source)
    bias = params.flag("bias_term", False)
    return [graph.add(layer, layer.name, "scale", (source,), axis=axis, axes=axes, bias=bias)]


def _bias(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("bias_param")
    if len(inputs) == 2:
        return [_spread(graph, layer, inputs, "shift_by", params.whole("axis", 1, -4))]
    (source,) = one_input(layer, inputs)
    axis, axes = _learned_axes(graph, layer, params, source)
    return [graph.add(layer, layer.name, "bias", (source,), axis=axis, axes=axes)]


def _learned_axes(
    graph: GraphBuilder, layer: CaffeLayer, params: Message, source: str
) -> tuple[int, int]:
    axis = axis_of(layer, params, graph.shapes[source], default=1)
    axes = params.whole("num_axes", 1, -1)
    return axis, len(graph.shapes[source]) + 1 - axis if axes == -1 else axes


def _axpy(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    """Add a times x plus y, where a has one number for each channel of each image.

    OpenCV's reader multiplies y (findings/opencv-caffe-axpy.sh).
    """
    if len(inputs) != 3:
        raise layer.error(f"takes {len(inputs)} inputs; an Axpy takes three.")
    factors, maps, added = inputs
    scaled = _spread(graph, layer, (maps, factors), "scale_by", 0)
    return [graph.add(layer, f"{layer.name}_sum", "sum", (scaled, added), coefficients=None)]


def _spread(
    graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs, operation: str, axis: int
) -> str:
    """Multiply or add what has fewer axes; with the batch among them, as it must be here."""
    source, few = two_inputs(layer, inputs)
    shape, wanted = graph.shapes[few], len(graph.shapes[source])
    if axis not in (0, -wanted - 1):
        raise layer.error(
            f"has axis {axis}, so it takes what all images share; with axis 0 it could be imported."
        )
    if len(shape) == 3 and shape[1:] == (1, 1) and graph.shapes[source][1:] != (1, 1):
        few = graph.add(None, f"{layer.name}_row", "flatten", (few,), axis=1, end=3)
    return graph.add(layer, layer.name, operation, (source, few), axis=1)


def _eltwise(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("eltwise_param")
    names = {"PROD": "product", "0": "product", "SUM": "sum", "1": "sum", "MAX": "max", "2": "max"}
    how = names[params.word("operation", tuple(names), "SUM")]
    coefficients = params.numbers("coeff")
    if how != "sum":
        return [graph.add(layer, layer.name, how, inputs)]
    return [graph.add(layer, layer.name, "sum", inputs, coefficients=coefficients or None)]


VALUE_LAYERS: dict[str, AddLayer] = {
    "ReLU": _with_number("relu", "negative_slope", 0, "slope"),
    "PReLU": _prelu,
    "ELU": _with_number("elu", "alpha", 1, "alpha"),
    "ReLU6": _clip,
    "Clip": _clip,
    "Swish": _with_number("swish", "beta", 1, "beta"),
    "Sigmoid": _plain("sigmoid"),
    "TanH": _plain("tanh"),
    "AbsVal": _plain("abs"),
    "BNLL": _plain("softplus"),
    "Threshold": _with_number("step", "threshold", 0, "threshold"),
    "Power": _power,
    "Exp": _exponential,
    "Log": _exponential,
    "Dropout": _dropout,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "Bias": _bias,
    "Axpy": _axpy,
    "Eltwise": _eltwise,
}
"""By type, the function that adds such a layer."""
