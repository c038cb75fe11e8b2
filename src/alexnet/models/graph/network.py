"""A network whose layers may branch and meet again: a graph of named nodes, run in order.

Its description is plain JSON that travels in the weights file: version, name, number of classes,
and nodes, each with a name, an operation, the names of its inputs and its settings. Nothing in it
is code.

    {"version": 1, "name": "SqueezeNet", "classes": 1000, "nodes": [
        {"name": "conv1", "op": "conv", "inputs": ["input"], "outputs": 64, "kernel": [3, 3], ...},
        ...]}

"input" is the image, (3, c, c); the last node gives the logits, (K,).
"""

from __future__ import annotations

import copy
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from alexnet.errors import RecipeError
from alexnet.models.builder import LARGEST_NETWORK, Options, sizes
from alexnet.models.graph.operations import Node, Shape, make_layer
from alexnet.models.network import Network
from alexnet.nn import Dropout, Reshape, he

__all__ = [
    "GRAPH",
    "INPUT",
    "VERSION",
    "BranchedNetwork",
    "GraphNetwork",
    "add_layer",
    "build_graph",
    "unused_name",
]


class BranchedNetwork(Network):
    """Named layers in an order in which each takes only earlier ones.

    An output is kept until the last layer that takes it has run.

    Attributes:
        IMAGES: what layers call the network's input.
        inputs: by layer, the names of the layers (or `IMAGES`) that it takes.
    """

    IMAGES: ClassVar[str] = "input"

    def __init__(
        self,
        layers: OrderedDict[str, nn.Module],
        *,
        inputs: Mapping[str, tuple[str, ...]],
        model: str,
        arguments: dict[str, Any],
        weight_decay: dict[str, float],
    ) -> None:
        super().__init__(layers, model=model, arguments=arguments, weight_decay=weight_decay)
        self.inputs = dict(inputs)
        last = {name: reader for reader in layers for name in self.inputs[reader]}
        self._last_read_by: dict[str, list[str]] = {layer: [] for layer in layers}
        for name, reader in last.items():
            self._last_read_by[reader].append(name)

    def _logits(self, x: Tensor) -> Tensor:
        ((_, logits),) = deque(self._outputs(x), maxlen=1)
        return logits

    def _outputs(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        outputs = {self.IMAGES: x}
        del x
        for name, layer in self.named_children():
            output = layer(*(outputs[source] for source in self.inputs[name]))
            for source in self._last_read_by[name]:
                del outputs[source]
            outputs[name] = output
            yield name, output


GRAPH = "graph"
"""Name of the model that is built from a description."""

INPUT = "input"
"""What nodes call the image."""

VERSION = 1
"""Of the description; raised when an older reader would misunderstand a newer file."""

_MOST_NODES = 20_000
_NODE_FIELDS = ("name", "op", "inputs")
_HEADS = (nn.Conv2d, nn.Linear)


class GraphNetwork(BranchedNetwork):
    """Named layers that take their inputs by name; in all else a network as any other.

    Attributes:
        shapes: by layer, of its output for one image: (C, H, W) or (D,).
    """

    IMAGES = INPUT

    def __init__(
        self,
        layers: OrderedDict[str, nn.Module],
        *,
        inputs: Mapping[str, tuple[str, ...]],
        shapes: Mapping[str, Shape],
        arguments: dict[str, Any],
    ) -> None:
        super().__init__(layers, inputs=inputs, model=GRAPH, arguments=arguments, weight_decay={})
        self.shapes = dict(shapes)

    @property
    def head(self) -> str:
        """Name of the last convolution or fully connected layer; "" where there is none."""
        layers = dict(self.named_children())
        return next((name for name in reversed(layers) if isinstance(layers[name], _HEADS)), "")

    @property
    def features_layer(self) -> str:
        """Name of the layer that the last one with weights reads.

        As in a flat network, dropout and changes of shape are passed over.
        """
        layers = dict(self.named_children())
        name = self.head or next(reversed(layers))
        while self.inputs[name][0] != INPUT:
            name = self.inputs[name][0]
            if not isinstance(layers[name], Dropout | nn.Flatten | Reshape):
                break
        return name


def build_graph(description: Mapping[str, Any], options: Options) -> GraphNetwork:
    """Build a network from its description, with initial weights (He's).

    For another number of classes than its own, its last convolution or fully connected layer gets
    that many outputs.

    Args:
        description: plain values, as at the top.
        options: classes, sides of image and crop, and the seed of the initial weights.

    Raises:
        RecipeError: a description that cannot be understood or built, or a newer one.
    """
    if options.crop_px is None or (options.activation, options.dropout) != (None, None):
        raise RecipeError(
            "A graph is built for the crop that it was made for (crop_px), and has activations and "
            "dropout of its own."
        )
    image_px, crop_px = sizes(options, options.crop_px, options.crop_px)
    name, classes, nodes = _read(description)
    if options.classes != classes:
        nodes = _with_classes(nodes, options.classes, name)
    inputs = {node.name: node.inputs for node in nodes}
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    shapes: dict[str, Shape] = {INPUT: (3, crop_px, crop_px)}
    parameters = 0
    for node in nodes:
        layers[node.name] = add_layer(node, shapes)
        parameters += sum(tensor.numel() for tensor in layers[node.name].parameters())
        if parameters > LARGEST_NETWORK:
            raise RecipeError(
                f'The graph "{name}" has {parameters:,} parameters up to "{node.name}", and '
                f"{LARGEST_NETWORK:,} is the limit."
            )
    if shapes[nodes[-1].name] != (options.classes,):
        raise RecipeError(
            f'The last node of the graph "{name}", "{nodes[-1].name}", has an output of shape '
            f"{shapes[nodes[-1].name]} for an image; it needs ({options.classes},), one logit for "
            "each class."
        )
    _draw(layers, options.seed)
    arguments: dict[str, Any] = {
        "classes": options.classes,
        "image_px": image_px,
        "crop_px": crop_px,
        "graph": {
            "version": VERSION,
            "name": name,
            "classes": options.classes,
            "nodes": [node.to_json() for node in nodes],
        },
    }
    return GraphNetwork(layers, inputs=inputs, shapes=shapes, arguments=arguments)


def add_layer(node: Node, shapes: dict[str, Shape]) -> nn.Module:
    """Make the layer of a node and record the shape of its output.

    Args:
        node: the node; its inputs are in `shapes`, its name is not.
        shapes: by name; gets the node's.

    Raises:
        RecipeError: an input that does not stand before it, or what `make_layer` raises.
    """
    for source in node.inputs:
        if source not in shapes:
            raise RecipeError(
                f'The node "{node.name}" takes "{source}", but no node before it has that name.'
            )
    if node.name != unused_name(node.name, shapes):
        raise RecipeError(
            f'No node can be called "{node.name}" here: the name is taken, or holds a dot.'
        )
    layer, shapes[node.name] = make_layer(node, [shapes[source] for source in node.inputs])
    return layer


def unused_name(name: str, taken: Mapping[str, object]) -> str:
    """Return a name that a layer can have: no dot, none of torch's own, not taken yet."""
    name = name.replace(".", "_")
    if not name or name.startswith("_"):
        name = f"node{name}"
    if hasattr(nn.Sequential, name) or hasattr(Network, name) or name in _ATTRIBUTES:
        name += "_"
    return name if name not in taken else f"{name}_{_unused_number(name, taken)}"


def _unused_number(name: str, taken: Mapping[str, object]) -> int:
    """Return a number behind the name that is free while the one before is not, from 2 on.

    Thousands of layers in place share a name, so it is looked for in growing steps.
    """
    used, step = 1, 1
    while f"{name}_{used + step}" in taken:
        used, step = used + step, step * 2
    while step > 1:
        step //= 2
        used += step if f"{name}_{used + step}" in taken else 0
    return used + 1


_ATTRIBUTES = frozenset(
    (
        "training",
        "model",
        "arguments",
        "classes",
        "image_px",
        "crop_px",
        "weight_decay",
        "inputs",
        "shapes",
    )
)
"""Attributes of a network that no layer may shadow."""


def _read(description: Mapping[str, Any]) -> tuple[str, int, list[Node]]:
    """Check the form of a description; settings are checked where the layers are made."""
    if not isinstance(cast("object", description), Mapping):
        raise RecipeError(f"A graph is described by an object; got {description!r:.60}.")
    version = description.get("version")
    if isinstance(version, int) and version > VERSION:
        raise RecipeError(
            f"The graph has version {version}; this one reads up to {VERSION}. "
            "Update alexnet: pip install --upgrade alexnet"
        )
    kinds: tuple[tuple[str, type], ...] = (
        ("version", int),
        ("name", str),
        ("classes", int),
        ("nodes", list),
    )
    for field, kind in kinds:
        value: object = description.get(field)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise RecipeError(f'The graph has {value!r:.60} as "{field}", not {_TYPE_NAMES[kind]}.')
    unknown = sorted(set(description) - {field for field, _ in kinds})
    if unknown:
        raise RecipeError(f'The graph has a field "{unknown[0]}", which it should not have.')
    listed = cast("list[Any]", description["nodes"])
    if not 1 <= len(listed) <= _MOST_NODES:
        raise RecipeError(f"A graph has 1 to {_MOST_NODES:,} nodes; this one has {len(listed):,}.")
    nodes = [_node(value, number) for number, value in enumerate(listed, 1)]
    return description["name"], description["classes"], nodes


_TYPE_NAMES: dict[type, str] = {int: "a whole number", str: "a text", list: "a list"}


def _node(value: object, number: int) -> Node:
    """Read one node; `number` counts from 1."""
    if not isinstance(value, Mapping):
        raise RecipeError(f"Node {number} of the graph is {value!r:.60}, not an object.")
    fields = cast("Mapping[str, Any]", value)
    name, operation, inputs = (fields.get(field) for field in _NODE_FIELDS)
    texts = isinstance(name, str) and isinstance(operation, str)
    if not texts or not isinstance(inputs, list | tuple):
        raise RecipeError(f"Node {number} of the graph lacks one of name, op and inputs.")
    sources = tuple(cast("list[Any]", inputs))
    if not all(isinstance(source, str) for source in sources):
        raise RecipeError(f'The inputs of the node "{name}" are not all names: {inputs!r:.60}.')
    settings = {key: setting for key, setting in fields.items() if key not in _NODE_FIELDS}
    return Node(cast("str", name), cast("str", operation), sources, copy.deepcopy(settings))


def _with_classes(nodes: list[Node], classes: int, name: str) -> list[Node]:
    """Give the last layer with weights another number of outputs."""
    for index in reversed(range(len(nodes))):
        node = nodes[index]
        if node.operation in ("conv", "linear"):
            settings = {**node.settings, "outputs": classes}
            changed = Node(node.name, node.operation, node.inputs, settings)
            return [*nodes[:index], changed, *nodes[index + 1 :]]
    raise RecipeError(f'The graph "{name}" has no layer with weights to replace for its classes.')


def _draw(layers: Mapping[str, nn.Module], seed: int) -> None:
    """Draw initial weights, in the order of the nodes; all other layers start as they are made."""
    generator = torch.Generator().manual_seed(seed)
    for layer in layers.values():
        if isinstance(layer, _HEADS) and not layer.weight.is_meta:
            he(layer, generator=generator)
