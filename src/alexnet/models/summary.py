"""What a network is, in numbers: windows, shapes, neurons, parameters, multiply-adds, coverings.

Everything follows from the layers' own settings. Nothing is allocated and nothing is run: the
networks are built on torch's meta device.

Legend: C channels, S side of a square map, D units of a row.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from alexnet.models import cuda_convnet
from alexnet.models.cuda_convnet.wiring import PICTURES, Grouped, Summed, Wired
from alexnet.models.external import ForeignNetwork, is_foreign
from alexnet.models.graph.network import GraphNetwork
from alexnet.models.graph.summary import graph_activation, graph_layers, graph_notes
from alexnet.models.heads import HeadedNetwork
from alexnet.models.network import Network
from alexnet.models.zoo.notes import line_on, notes_on
from alexnet.models.zoo.registry import MODELS, build_model, is_layer_file
from alexnet.nn import (
    Combine,
    Concat,
    ContrastNorm,
    Convolution,
    Dropout,
    FullyConnected,
    LocallyConnected,
    MaxPool,
    MeanPool,
    Neuron,
    OffsetPool,
    ResponseNorm,
    Window,
)
from alexnet.nn.windows import covering
from alexnet.recipe import Activation
from alexnet.records import Geometry, LayerGeometry, ModelList, ModelSummary

__all__ = ["geometry", "model_list", "network_geometry", "usual_classes"]

_CLASSES = {"alexnet_small": 200, "mlp": 10}  # Tiny ImageNet; digits and CIFAR-10

_KINDS: dict[type[nn.Module], str] = {
    Convolution: "convolution",
    LocallyConnected: "locally connected",
    MaxPool: "max pooling",
    MeanPool: "mean pooling",
    ResponseNorm: "response norm",
    ContrastNorm: "contrast norm",
    nn.BatchNorm2d: "batch norm",
    nn.Linear: "fully connected",
    FullyConnected: "fully connected",
    Combine: "combination",
    Concat: "side by side",
    OffsetPool: "pooling",
    nn.Flatten: "flatten",
    Dropout: "dropout",
}


def usual_classes(model: str) -> int:
    """Return the number of classes of the pictures that a model was made for."""
    if is_layer_file(model):
        return cuda_convnet.classes_of(cuda_convnet.read_layer_files(model))
    return _CLASSES.get(model, 10 if model.startswith("cifar") else 1000)


def geometry(
    model: str,
    *,
    classes: int | None = None,
    image_px: int | None = None,
    crop_px: int | None = None,
    activation: Activation | None = None,
) -> Geometry:
    """Return a model layer by layer.

    Multiply-adds are those of convolutions and fully connected layers for one crop; a window that
    hangs over the edge counts whole.

    Args:
        model: one of `MODELS`, or another name that `build_model` takes.
        classes: K; None: those of the pictures that the model was made for.
        image_px: side of the stored picture; None: the model's own.
        crop_px: side of the crop; None: in proportion to `image_px`.
        activation: of the hidden layers; None: the model's own.

    Raises:
        RecipeError: no such model, or a geometry that cannot work.
    """
    # Code of other people may not be able to run without numbers.
    with contextlib.nullcontext() if is_foreign(model) else torch.device("meta"):
        network = build_model(
            model,
            classes=usual_classes(model) if classes is None else classes,
            image_px=image_px,
            crop_px=crop_px,
            activation=activation,
        )
    return network_geometry(network)


def network_geometry(network: Network) -> Geometry:
    """Return a network that is built already, layer by layer; see `geometry`."""
    if isinstance(network, HeadedNetwork):
        return _headed_geometry(network)
    graph = isinstance(network, GraphNetwork)
    layers = list(graph_layers(network) if graph else _layers(network))
    neurons, weights, biases, multiply_adds = (
        sum(getattr(each, name) for each in layers)
        for name in ("neurons", "weights", "biases", "multiply_adds")
    )
    return Geometry(
        model=network.model,
        summary=network.arguments["graph"]["name"] if graph else line_on(network),
        image_px=network.image_px,
        crop_px=network.crop_px,
        classes=network.classes,
        activation=graph_activation(network) if graph else _activation(network),
        inputs=3 * network.crop_px**2,
        layers=layers,
        neurons=neurons,
        weights=weights,
        biases=biases,
        parameters=weights + biases,
        multiply_adds=multiply_adds,
        features_layer=network.features_layer,
        notes=graph_notes(network) if graph else notes_on(network, neurons),
    )


def _headed_geometry(network: HeadedNetwork) -> Geometry:
    """Describe the network below the head, and say what answers in its place."""
    below, head = network_geometry(network.body), network.classifier.settings
    note = (
        f"The answer comes from a {head['kind']} head on {head['layer']}, whose "
        f"{head['features']:,} numbers it looks at; what lies behind {head['layer']} is not used."
    )
    return dataclasses.replace(below, classes=network.classes, notes=[note, *below.notes])


def _activation(network: Network) -> str:
    return network.arguments["activation"] or "activations of its own"


def model_list() -> ModelList:
    """Return a line for every model, as it is built by itself."""
    return ModelList(models=[_line(geometry(name)) for name in MODELS])


def _line(found: Geometry) -> ModelSummary:
    return ModelSummary(
        name=found.model,
        summary=found.summary,
        image_px=found.image_px,
        crop_px=found.crop_px,
        classes=found.classes,
        parameters=found.parameters,
        multiply_adds=found.multiply_adds,
    )


def _layers(network: Network) -> Iterator[LayerGeometry]:
    """Yield each layer; the shapes that it reads are those that others left."""
    crop = [3, network.crop_px, network.crop_px]
    if isinstance(network, ForeignNetwork):
        yield from _foreign_layers(network)
        return
    shapes, before = {PICTURES: crop}, PICTURES
    for name, layer in network.named_children():
        names = network.inputs[name] if isinstance(network, Wired) else (before,)
        found = _layer(name, layer, [shapes[each] for each in names])
        shapes[name], before = found.output, name
        yield found


def _foreign_layers(network: ForeignNetwork) -> Iterator[LayerGeometry]:
    """Yield the layers of a torch module with the shapes that a run of it gives."""
    with torch.no_grad():
        outputs = network.eval().stages(torch.zeros(1, 3, network.crop_px, network.crop_px))
    for name, output in outputs.items():
        layer = network.get_submodule(name)
        yield _row(name, layer, list(output.shape[1:]), None, None)


def _layer(name: str, layer: nn.Module, shapes: list[list[int]]) -> LayerGeometry:
    parts = _parts(layer)
    windows: set[Window | None] = {getattr(each, "window", None) for each in parts}
    window = windows.pop() if len(windows) == 1 else None
    said = None
    if window is not None:
        said = covering(name, window, shapes[0][1], zeros=isinstance(parts[0], Convolution))
    return _row(name, layer, _output(layer, shapes), window, said, side=shapes[0][-1])


def _row(
    name: str,
    layer: nn.Module,
    output: list[int],
    window: Window | None,
    said: str | None,
    side: int = 0,
) -> LayerGeometry:
    parts = _parts(layer)
    weights = sum(_numbers(getattr(each, "weight", None)) for each in parts)
    parameters = sum(each.numel() for each in layer.parameters())
    neurons = 0
    if any(isinstance(each, _WITH_NEURONS) for each in parts):
        neurons = math.prod(output)
    inputs = list(layer) if isinstance(layer, Summed) else [layer]
    return LayerGeometry(
        name=name,
        kind=_kind(parts[0]),
        details=_details(layer),
        kernel=window and window.kernel,
        stride=window and window.stride,
        padding=window and window.padding,
        towers=len(parts) // len(inputs) if len(parts) > len(inputs) else _towers(parts[0]),
        output=output,
        neurons=neurons,
        weights=weights,
        biases=parameters - weights,
        parameters=parameters,
        multiply_adds=neurons * sum(_terms(_parts(each)[0]) for each in inputs),
        overhang=window.overhang(side) if window else 0,
        unseen=window.unseen(side) if window else 0,
        covering=said,
    )


_WITH_NEURONS = (nn.Conv2d, LocallyConnected, nn.Linear)


def _parts(layer: nn.Module) -> list[nn.Module]:
    """Return the layers that a sum, or groups, are made of; of any other layer itself."""
    if isinstance(layer, Summed | Grouped):
        return [each for part in layer for each in _parts(part)]
    return [layer]


def _kind(layer: nn.Module) -> str:
    return _KINDS.get(type(layer), type(layer).__name__.lower())


def _output(layer: nn.Module, shapes: list[list[int]]) -> list[int]:
    """Return (C, S, S) or (D,) behind a layer."""
    shape = shapes[0]
    if isinstance(layer, Summed):
        return _output(layer[0], shapes[:1])
    if isinstance(layer, Grouped):
        inside = _output(layer[0], [[shape[0] // len(layer), *shape[1:]]])
        return [inside[0] * len(layer), *inside[1:]]
    if isinstance(layer, nn.Linear):
        return [layer.out_features]
    if isinstance(layer, nn.Flatten):
        return [math.prod(shape)]
    if isinstance(layer, Concat):
        return [sum(each[0] for each in shapes), *shape[1:]]
    if isinstance(layer, OffsetPool):
        return [shape[0], layer.outputs, layer.outputs]
    if isinstance(layer, Convolution | LocallyConnected | MaxPool | MeanPool):
        side = layer.window.outputs(shape[1])
        return [_maps(layer, shape[0]), side, side]
    return shape


def _maps(layer: nn.Module, before: int) -> int:
    if isinstance(layer, Convolution):
        return layer.out_channels
    return layer.outputs if isinstance(layer, LocallyConnected) else before


def _terms(layer: nn.Module) -> int:
    """Return how many products one neuron of the layer sums."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    if isinstance(layer, nn.Conv2d):
        return layer.in_channels // layer.groups * math.prod(layer.kernel_size)
    return layer.inputs * layer.window.kernel**2 if isinstance(layer, LocallyConnected) else 0


def _towers(layer: nn.Module) -> int:
    if isinstance(layer, nn.Conv2d):
        return layer.groups
    return layer.towers if isinstance(layer, ResponseNorm) else 1


def _numbers(parameter: Tensor | None) -> int:
    return 0 if parameter is None else parameter.numel()


def _details(layer: nn.Module) -> str | None:
    """Say the settings of normalisations and dropout, and what is joined how."""
    if isinstance(layer, Summed):
        return f"what it makes of {len(layer)} inputs is added" if len(layer) > 1 else None
    if isinstance(layer, Neuron | OffsetPool):
        return layer.extra_repr()
    if isinstance(layer, Combine):
        return f"{layer.how} of its inputs"
    if isinstance(layer, ResponseNorm):
        spatial = layer.region == "spatial"
        where = f"{layer.size} x {layer.size} positions of a map" if spatial else _reach(layer)
        divisor = f" / {layer.size**2 if spatial else layer.size}" if layer.divide else ""
        return (
            f"x / ({layer.k:g} + {layer.alpha:g}{divisor} * sum of squares) ^ {layer.beta:g} "
            f"over {where}"
        )
    if isinstance(layer, Dropout):
        when = "what is kept is scaled up in training" if layer.inverted else "scaled when testing"
        return f"{layer.share:g} of the units in training; {when}"
    return None


def _reach(layer: ResponseNorm) -> str:
    inside = f" inside each of {layer.towers} towers" if layer.towers > 1 else ""
    return f"{layer.size} neighbouring maps{inside}"
