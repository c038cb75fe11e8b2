"""Which network a state dict is of, told by the names of its tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from alexnet.importers.checkpoint import tensor_groups
from alexnet.importers.torchvision_graphs import ARCHITECTURES, GraphOfTensors
from alexnet.models import GRAPH

__all__ = ["TensorLayout", "recognize_layout"]


@dataclass(frozen=True, kw_only=True)
class TensorLayout:
    """How a state dict becomes the state of a model here.

    Args:
        name: of the network.
        what: it, for errors.
        model: the model here.
        head: name of the last layer in the state dict.
        origins: by our tensor's name, the state dict's.
        graph: the description, where the model is a graph.
    """

    name: str
    what: str
    model: str
    head: str
    origins: dict[str, str] = field(default_factory=dict[str, str])
    graph: GraphOfTensors | None = None

    def arguments(self, classes: int, image_px: int, crop_px: int) -> dict[str, Any]:
        """Return what `build_model` takes beside the model's name."""
        sizes: dict[str, Any] = {"classes": classes, "image_px": image_px, "crop_px": crop_px}
        if self.graph is None:
            return sizes
        nodes = [dict(node) for node in self.graph.nodes]
        last = max(i for i, node in enumerate(nodes) if node["op"] in ("conv", "linear"))
        nodes[last]["outputs"] = classes
        return {**sizes, "graph": {**self.graph.description(classes), "nodes": nodes}}


def recognize_layout(checkpoint: object) -> TensorLayout | None:
    """Return the layout of a state dict of ResNet, VGG or SqueezeNet; None: it is none of them.

    Args:
        checkpoint: what `read_checkpoint` returned.
    """
    names = {
        ".".join(part for part in name.split(".") if part not in ("module", "_orig_mod"))
        for _, entries in tensor_groups(checkpoint)
        for name in entries
    }
    ends = {name[i:] for name in names for i in _starts(name)}
    for architecture, make in sorted(ARCHITECTURES.items(), key=lambda each: -_depth(each[0])):
        graph = make()
        if set(graph.origins.values()) <= ends:
            return TensorLayout(
                name=graph.name,
                what=f"torchvision's {architecture}",
                model=GRAPH,
                head=graph.head,
                origins=dict(graph.origins),
                graph=graph,
            )
    return None


def _starts(name: str) -> list[int]:
    """Return where the parts of a name begin."""
    return [0, *(place + 1 for place, letter in enumerate(name) if letter == ".")]


def _depth(architecture: str) -> int:
    """Return a number by which those come first whose names hold another's as a part."""
    return len(ARCHITECTURES[architecture]().origins)
