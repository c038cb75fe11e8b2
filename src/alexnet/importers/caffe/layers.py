"""From the layers that an output needs to a graph: a function for each type, in one table.

Legend: a shape is (C, H, W) or (D,), without the batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from alexnet.errors import WeightsError, did_you_mean
from alexnet.importers.caffe.arguments import AddLayer
from alexnet.importers.caffe.graph_builder import GraphBuilder
from alexnet.importers.caffe.net import CaffeNet
from alexnet.importers.caffe.shape_layers import SHAPE_LAYERS
from alexnet.importers.caffe.subgraph import BlobSource, Subgraph
from alexnet.importers.caffe.value_layers import VALUE_LAYERS
from alexnet.importers.caffe.window_layers import WINDOW_LAYERS
from alexnet.models import INPUT

__all__ = ["SUPPORTED", "build_graph"]

SUPPORTED: Mapping[str, AddLayer] = {**WINDOW_LAYERS, **VALUE_LAYERS, **SHAPE_LAYERS}
"""Each type of layer that can be imported, and the function that adds its nodes."""


def build_graph(
    net: CaffeNet, subgraph: Subgraph, *, channels: int, side: int, order: str
) -> GraphBuilder:
    """Turn the layers of a subgraph into a graph that ends in one output for each class.

    Args:
        net: for the name and errors.
        subgraph: the layers that are needed.
        channels: 3, or 1: then the graph makes gray of three channels first.
        side: of the square image, in pixels; an input that is none is made of it first.
        order: "RGB" or "BGR": of three channels that become gray.

    Raises:
        WeightsError: a layer that is not supported, settings that cannot work, or no output.
    """
    graph = GraphBuilder(net.name, (channels, side, side), batch_size=subgraph.image.batch_size)
    first = INPUT
    if channels == 1:
        graph.start(order)
        first = graph.nodes[0].name
    image = subgraph.image
    if not image.is_square and image.height and image.width:
        size = [image.height, image.width]
        first = graph.add(None, "rectangle", "resize", (first,), size=size)
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
            f"{net.path} describes a network with outputs at {' x '.join(map(str, shape[1:]))} "
            "positions of an image; one output an image can be read. Is the side of the image too "
            "large?"
        )
    if len(shape) > 1:
        graph.add(None, "flatten", "flatten", (end,), axis=1, end=len(shape))
    elif graph.nodes[-1].name != end:
        graph.add(None, "output", "flatten", (end,), axis=1, end=1)
    return graph
