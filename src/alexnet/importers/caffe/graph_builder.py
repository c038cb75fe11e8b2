"""A graph while it is built: each node is checked against its inputs' shapes as it is added."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from alexnet.errors import RecipeError
from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.subgraph import BlobSource
from alexnet.models import INPUT, VERSION, Node, Shape, add_layer, unused_name

__all__ = ["GraphBuilder"]


class GraphBuilder:
    """Collects nodes and remembers which layer of Caffe each came from.

    Attributes:
        name: of the network.
        batch: images that the description speaks of at once, where it names a shape in full.
        nodes: in order.
        shapes: by node, without the batch.
        origins: by node that has weights, the layer that they belong to.
    """

    def __init__(self, name: str, shape: Shape, *, batch_size: int) -> None:
        self.name, self.batch_size = name, batch_size
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape] = {INPUT: shape}
        self.layers: dict[str, nn.Module] = {}  # on the meta device
        self.origins: dict[str, CaffeLayer] = {}
        self._nodes: dict[BlobSource, str] = {}

    def node_of(self, source: BlobSource) -> str:
        """Return the node that stands for a layer's output."""
        return self._nodes[source]

    def set_node(self, source: BlobSource, node: str) -> None:
        """Note which node a blob is."""
        self._nodes[source] = node

    def start(self, order: str) -> None:
        """Begin with three channels that become one."""
        self.shapes[INPUT] = (3, *self.shapes[INPUT][1:])
        self.add(None, "gray", "grayscale", (INPUT,), order=order)

    def add(
        self,
        layer: CaffeLayer | None,
        name: str,
        operation: str,
        inputs: tuple[str, ...],
        **settings: Any,
    ) -> str:
        """Append a node and return the name that it got.

        Raises:
            WeightsError: settings or shapes that cannot work, with the layer's place in the file.
        """
        node = Node(unused_name(name, self.shapes), operation, inputs, settings)
        try:
            with torch.device("meta"):
                made = add_layer(node, self.shapes)
        except RecipeError as error:
            if layer is None:
                raise
            raise layer.error(f"cannot work: {error}") from error
        self.nodes.append(node)
        self.layers[node.name] = made
        if layer is not None and made.state_dict():
            self.origins[node.name] = layer
        return node.name

    def description(self, classes: int) -> dict[str, Any]:
        """Return the graph as `build_model` takes it."""
        nodes = [node.to_json() for node in self.nodes]
        return {"version": VERSION, "name": self.name, "classes": classes, "nodes": nodes}
