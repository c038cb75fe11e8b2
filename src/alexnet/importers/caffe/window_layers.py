"""Caffe's layers with windows or learned products, as nodes of a graph.

Defaults are Caffe's. Where a description asks for what is not done here, the sentence names file,
line, layer and setting.

Legend: a shape is (C, H, W) or (D,), without the batch; axes count the batch as 0.
"""

from __future__ import annotations

from alexnet.importers.caffe.arguments import (
    AddLayer,
    Inputs,
    axis_of,
    height_and_width,
    one_input,
)
from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.graph_builder import GraphBuilder
from alexnet.nn import CaffePool

__all__ = ["WINDOW_LAYERS"]

_POOLS = {
    "MAX": "max",
    "0": "max",
    "AVE": "avg",
    "1": "avg",
    "AVE_EXC_PAD": "avg",  # of a fork: padding is not counted
    "AVE_TF": "avg",
}


def _convolution(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("convolution_param")
    if params.whole("axis", 1, -4) not in (1, -3):
        raise layer.error("runs along other axes than height and width.")
    node = graph.add(
        layer,
        layer.name,
        "conv",
        one_input(layer, inputs),
        outputs=params.whole("num_output", low=1),
        kernel=height_and_width(layer, params, "kernel", "kernel_size"),
        stride=height_and_width(layer, params, "stride", default=1),
        padding=height_and_width(layer, params, "pad", default=0),
        dilation=height_and_width(layer, params, "dilation", default=1),
        groups=_groups(graph, layer, inputs),
        bias=params.flag("bias_term", True),
    )
    return [node]


def _groups(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> int:
    """Return the groups; a depthwise convolution has one for each channel, said or not."""
    groups = layer.message.message("convolution_param").whole("group", 1, 1)
    if layer.type not in _DEPTHWISE:
        return groups
    channels = graph.shapes[inputs[0]][0]
    if groups not in (1, channels):
        raise layer.error(
            f"has {groups} groups, and a depthwise convolution of {channels} channels has "
            f"{channels}."
        )
    return channels


def _pooling(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("pooling_param")
    said = params.word("pool", tuple(_POOLS), "MAX")
    whole = params.flag("global_pooling", False)
    ceiling = params.flag("ceil_mode", True)
    if params.word("round_mode", ("CEIL", "FLOOR", "0", "1"), "CEIL") in ("FLOOR", "1"):
        ceiling = False
    node = graph.add(
        layer,
        layer.name,
        "pool",
        one_input(layer, inputs),
        kind=_POOLS[said],
        kernel=None if whole else height_and_width(layer, params, "kernel", "kernel_size"),
        stride=[1, 1] if whole else height_and_width(layer, params, "stride", default=1),
        padding=[0, 0] if whole else height_and_width(layer, params, "pad", default=0),
        ceiling=ceiling,
        **({"inside": True} if said in _INSIDE else {}),
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


def _spp(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    """Pool into 1, 4, 16, ... windows over all of the map, and put the results in a row."""
    params = layer.message.message("spp_param")
    (source,) = one_input(layer, inputs)
    if len(graph.shapes[source]) != 3:
        raise layer.error("takes maps, and its input is a row of numbers.")
    kind = _POOLS[params.word("pool", ("MAX", "AVE", "0", "1"), "MAX")]
    sides, levels = graph.shapes[source][1:], params.whole("pyramid_height", low=1)
    if 2 ** (levels - 1) > min(sides):
        raise layer.error(f"has {levels} levels, and its input only {sides[0]} x {sides[1]}.")
    rows: list[str] = []
    for level in range(levels):
        kernel = [-(-side // 2**level) for side in sides]
        padding = [(k * 2**level - side + 1) // 2 for k, side in zip(kernel, sides, strict=True)]
        settings = {"kind": kind, "kernel": kernel, "stride": kernel, "padding": padding}
        name = layer.name if levels == 1 else f"{layer.name}_{level}"
        pooled = graph.add(layer, name, "pool", (source,), ceiling=True, **settings)
        if levels == 1:  # Caffe leaves the one map as it is
            return [pooled]
        rows.append(graph.add(layer, f"{name}_flat", "flatten", (pooled,), axis=1, end=3))
    return [graph.add(layer, layer.name, "concat", tuple(rows), axis=1)]


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
        one_input(layer, inputs),
        size=size,
        alpha=params.number("alpha", 1),
        beta=params.number("beta", 0.75),
        k=params.number("k", 1) if region == "channels" else 1.0,  # Caffe leaves k out there
        region=region,
    )
    return [node]


def _inner_product(graph: GraphBuilder, layer: CaffeLayer, inputs: Inputs) -> list[str]:
    params = layer.message.message("inner_product_param")
    (source,) = one_input(layer, inputs)
    axes = len(graph.shapes[source])
    if axis_of(layer, params, graph.shapes[source], default=1) != 1:
        raise layer.error("keeps an axis of its input; with axis 1 it could be read.")
    if axes > 1:
        source = graph.add(None, f"{layer.name}_flat", "flatten", (source,), axis=1, end=axes)
    outputs, bias = params.whole("num_output", low=1), params.flag("bias_term", True)
    return [graph.add(layer, layer.name, "linear", (source,), outputs=outputs, bias=bias)]


_INSIDE = ("AVE_EXC_PAD", "AVE_TF")

_DEPTHWISE = ("ConvolutionDepthwise", "DepthwiseConvolution")

WINDOW_LAYERS: dict[str, AddLayer] = {
    "Convolution": _convolution,
    "ConvolutionDepthwise": _convolution,
    "DepthwiseConvolution": _convolution,
    "Pooling": _pooling,
    "SPP": _spp,
    "LRN": _lrn,
    "InnerProduct": _inner_product,
}
"""By type, the function that adds such a layer."""
