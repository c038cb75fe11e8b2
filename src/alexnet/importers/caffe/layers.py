"""Caffe's layers as nodes of a graph: a function for each type, in one table.

Defaults are Caffe's. Where a description asks for what is not done here, the sentence names file,
line, layer and setting.

Legend: a shape is (C, H, W) or (D,), without the batch; axes count the batch as 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

from alexnet.errors import WeightsError, did_you_mean
from alexnet.importers.caffe.graph_builder import GraphBuilder
from alexnet.importers.caffe.net import CaffeLayer, CaffeNet
from alexnet.importers.caffe.prototxt import Message
from alexnet.importers.caffe.subgraph import BlobSource, Subgraph
from alexnet.models import INPUT, Shape
from alexnet.nn import CaffePool

__all__ = ["SUPPORTED", "build_graph"]

Inputs = tuple[str, ...]


def build_graph(
    net: CaffeNet, subgraph: Subgraph, *, channels: int, side: int, order: str
) -> GraphBuilder:
    """Turn the layers of a subgraph into a graph that ends in one output for each class.

    Args:
        net: for the name and errors.
        subgraph: the layers that are needed.
        channels: 3, or 1: then the graph makes gray of three channels first.
        side: of the image, in pixels.
        order: "RGB" or "BGR": of three channels that become gray.

    Raises:
        WeightsError: a layer that is not supported, settings that cannot work, or no output.
    """
    graph = GraphBuilder(net.name, (channels, side, side), batch_size=subgraph.image.batch_size)
    first = INPUT
    if channels == 1:
        graph.start(order)
        first = graph.nodes[0].name
    for place, layer, sources in subgraph.layers:
        if layer.type not in SUPPORTED:
            raise layer.error(
                f"is of a type that cannot be imported.{did_you_mean(layer.type, SUPPORTED)} "
                f"Types that can: {', '.join(SUPPORTED)}."
            )
        inputs = tuple(first if each.layer is None else graph.node_of(each) for each in sources)
        if not inputs or not layer.tops:
            raise layer.error("has no input, or makes nothing.")
        made = SUPPORTED[layer.type](graph, layer, inputs)
        for top, node in enumerate(made * len(layer.tops) if len(made) == 1 else made):
            graph.set_node(BlobSource(place, top), node)
    end = graph.node_of(subgraph.output)
    shape = graph.shapes[end]
    if math.prod(shape) != shape[0]:
        raise WeightsError(
            f"{net.path} describes a network with outputs at {shape[1]} x {shape[2]} positions of "
            "an image; one output an image can be read. Is the side of the image too large?"
        )
    if len(shape) > 1:
        graph.add(None, "flatten", "flatten", (end,), axis=1, end=len(shape))
    elif graph.nodes[-1].name != end:
        graph.add(None, "output", "flatten", (end,), axis=1, end=1)
    return graph


def _convolution(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("convolution_param")
    if params.whole("axis", 1, -4) not in (1, -3):
        raise layer.error("runs along other axes than height and width.")
    node = graph.add(
        layer,
        layer.name,
        "conv",
        _one(layer, inputs),
        outputs=params.whole("num_output", low=1),
        kernel=_pair(layer, params, "kernel", "kernel_size"),
        stride=_pair(layer, params, "stride", default=1),
        padding=_pair(layer, params, "pad", default=0),
        dilation=_pair(layer, params, "dilation", default=1),
        groups=params.whole("group", 1, 1),
        bias=params.flag("bias_term", True),
    )
    return [node]


def _pooling(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("pooling_param")
    kinds = {"MAX": "max", "0": "max", "AVE": "avg", "1": "avg"}
    kind = kinds[params.word("pool", tuple(kinds), "MAX")]
    whole = params.flag("global_pooling", False)
    ceiling = params.flag("ceil_mode", True)
    if params.word("round_mode", ("CEIL", "FLOOR", "0", "1"), "CEIL") in ("FLOOR", "1"):
        ceiling = False
    node = graph.add(
        layer,
        layer.name,
        "pool",
        _one(layer, inputs),
        kind=kind,
        kernel=None if whole else _pair(layer, params, "kernel", "kernel_size"),
        stride=[1, 1] if whole else _pair(layer, params, "stride", default=1),
        padding=[0, 0] if whole else _pair(layer, params, "pad", default=0),
        ceiling=ceiling,
    )
    pool = graph.layers[node]
    if not isinstance(pool, CaffePool):
        return [node]
    for i, size in enumerate(graph.shapes[inputs[0]][1:]):
        last = -(-(size - pool.kernel[i]) // pool.stride[i]) * pool.stride[i]
        if ceiling and not pool.padding[i] and last >= size:
            raise layer.error(
                f"has a stride of {pool.stride[i]}, more than its window of {pool.kernel[i]}, and "
                f"on {size} positions Caffe's last window would see nothing."
            )
    return [node]


def _lrn(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("lrn_param")
    regions = {
        "ACROSS_CHANNELS": "channels",
        "0": "channels",
        "WITHIN_CHANNEL": "spatial",
        "1": "spatial",
    }
    region = regions[params.word("norm_region", tuple(regions), "ACROSS_CHANNELS")]
    size = params.whole("local_size", 5, 1)
    if size % 2 == 0:
        raise layer.error(f"has a local_size of {size}; Caffe takes odd ones.")
    node = graph.add(
        layer,
        layer.name,
        "norm",
        _one(layer, inputs),
        size=size,
        alpha=params.number("alpha", 1),
        beta=params.number("beta", 0.75),
        k=params.number("k", 1) if region == "channels" else 1.0,  # Caffe leaves k out there
        region=region,
    )
    return [node]


def _inner_product(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("inner_product_param")
    (source,) = _one(layer, inputs)
    axes = len(graph.shapes[source])
    if _axis(layer, params, graph.shapes[source], default=1) != 1:
        raise layer.error("keeps an axis of its input; with axis 1 it could be read.")
    if axes > 1:
        source = graph.add(None, f"{layer.name}_flat", "flatten", (source,), axis=1, end=axes)
    outputs, bias = params.whole("num_output", low=1), params.flag("bias_term", True)
    return [graph.add(layer, layer.name, "linear", (source,), outputs=outputs, bias=bias)]


def _relu(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    slope = layer.message.message("relu_param").number("negative_slope", 0)
    return [graph.add(layer, layer.name, "relu", _one(layer, inputs), slope=slope)]


def _prelu(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    shared = layer.message.message("prelu_param").flag("channel_shared", False)
    return [graph.add(layer, layer.name, "prelu", _one(layer, inputs), shared=shared)]


def _elu(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    alpha = layer.message.message("elu_param").number("alpha", 1)
    return [graph.add(layer, layer.name, "elu", _one(layer, inputs), alpha=alpha)]


def _sigmoid(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    return [graph.add(layer, layer.name, "sigmoid", _one(layer, inputs))]


def _tanh(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    return [graph.add(layer, layer.name, "tanh", _one(layer, inputs))]


def _dropout(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("dropout_param")
    dropout_ratio, inverted = params.number("dropout_ratio", 0.5), params.flag("scale_train", True)
    node = graph.add(
        layer, layer.name, "dropout", _one(layer, inputs), p=dropout_ratio, inverted=inverted
    )
    return [node]


def _batch_norm(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("batch_norm_param")
    if not params.flag("use_global_stats", True):
        raise layer.error(
            "takes mean and variance of the batch, so an output depends on other images."
        )
    eps = params.number("eps", 1e-5)
    return [graph.add(layer, layer.name, "batch_norm", _one(layer, inputs), eps=eps)]


def _scale(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("scale_param")
    (source,) = _one(layer, inputs)
    axis = _axis(layer, params, graph.shapes[source], default=1)
    axes = params.whole("num_axes", 1, -1)
    if axes == -1:
        axes = len(graph.shapes[source]) + 1 - axis
    bias = params.flag("bias_term", False)
    return [graph.add(layer, layer.name, "scale", (source,), axis=axis, axes=axes, bias=bias)]


def _eltwise(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("eltwise_param")
    names = {"PROD": "product", "0": "product", "SUM": "sum", "1": "sum", "MAX": "max", "2": "max"}
    how = names[params.word("operation", tuple(names), "SUM")]
    coefficients = params.numbers("coeff")
    if how != "sum":
        return [graph.add(layer, layer.name, how, inputs)]
    return [graph.add(layer, layer.name, "sum", inputs, coefficients=coefficients or None)]


def _concat(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("concat_param")
    old = params.whole("concat_dim", 1, 1)
    axis = _axis(layer, params, graph.shapes[inputs[0]], default=old)
    return [graph.add(layer, layer.name, "concat", inputs, axis=axis)]


def _slice(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("slice_param")
    (source,) = _one(layer, inputs)
    shape = graph.shapes[source]
    axis = _axis(layer, params, shape, default=params.whole("slice_dim", 1, 1))
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
    return list(_one(layer, inputs))


def _flatten(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("flatten_param")
    (source,) = _one(layer, inputs)
    shape = graph.shapes[source]
    axis = _axis(layer, params, shape, default=1)
    end = _axis(layer, params, shape, default=-1, name="end_axis")
    return [graph.add(layer, layer.name, "flatten", (source,), axis=axis, end=end)]


def _reshape(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    """Work the shape out as Caffe does, with the batch that the description speaks of."""
    params = layer.message.message("reshape_param")
    (source,) = _one(layer, inputs)
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
    (source,) = _one(layer, inputs)
    axis = _axis(layer, params, graph.shapes[source], default=1)
    return [graph.add(layer, layer.name, "softmax", (source,), axis=axis)]


SUPPORTED: Mapping[str, Callable[[GraphBuilder, CaffeLayer, Inputs], list[str]]] = {
    "Convolution": _convolution,
    "Pooling": _pooling,
    "LRN": _lrn,
    "InnerProduct": _inner_product,
    "ReLU": _relu,
    "PReLU": _prelu,
    "ELU": _elu,
    "Sigmoid": _sigmoid,
    "TanH": _tanh,
    "Dropout": _dropout,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "Eltwise": _eltwise,
    "Concat": _concat,
    "Slice": _slice,
    "Split": _split,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Softmax": _softmax,
}
"""Each type of layer that can be imported, and the function that adds its nodes."""


def _one(layer: CaffeLayer, inputs: Inputs) -> tuple[str]:
    if len(inputs) != 1:
        raise layer.error(f"takes {len(inputs)} inputs; with one it could be imported.")
    return (inputs[0],)


def _axis(
    layer: CaffeLayer, params: Message, shape: Shape, *, default: int, name: str = "axis"
) -> int:
    """Return an axis counted from the front, the batch as 0; the batch itself is an error."""
    value = params.whole(name, default, -4)
    axis = value if value >= 0 else len(shape) + 1 + value
    if not 1 <= axis <= len(shape):
        raise layer.error(f"has {name} {value}, and its input has the axes 1 to {len(shape)}.")
    return axis


def _pair(
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
