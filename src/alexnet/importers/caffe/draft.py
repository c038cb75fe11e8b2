"""A graph in the making: each node is held against the shapes of its inputs as it is added."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from alexnet.errors import RecipeError
from alexnet.importers.caffe.net import CaffeLayer
from alexnet.importers.caffe.plan import Source
from alexnet.models import INPUT, VERSION, Node, Shape, add_layer, free_name

__all__ = ["Draft"]


class Draft:
    """Collects nodes and remembers which layer of Caffe each came from.

    Attributes:
        name: of the network.
        batch: pictures that the description speaks of at once, where it names a shape in full.
        nodes: in order.
        shapes: by node, without the batch.
        origins: by node that has weights, the layer that they belong to.
    """

    def __init__(self, name: str, shape: Shape, *, batch: int) -> None:
        self.name, self.batch = name, batch
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape] = {INPUT: shape}
        self.layers: dict[str, nn.Module] = {}  # on the meta device
        self.origins: dict[str, CaffeLayer] = {}
        self._nodes: dict[Source, str] = {}

    def node_of(self, source: Source) -> str:
        """Return the node that stands for what a layer made."""
        return self._nodes[source]

    def stands_for(self, source: Source, node: str) -> None:
        """Note which node a blob is."""
        self._nodes[source] = node

    def start(self, order: str) -> None:
        """Begin with three channels that are made one."""
        self.shapes[INPUT] = (3, *self.shapes[INPUT][1:])
        self.add(None, "grey", "grey", (INPUT,), order=order)

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
        node = Node(free_name(name, self.shapes), operation, inputs, settings)
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
