"""What a network is, in numbers: windows, shapes, neurons, parameters, multiply-adds, coverings.

Everything follows from the layers' own settings. Nothing is allocated and nothing is run: the
networks are built on torch's meta device.

Legend: C channels, S side of a square map, D units of a row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from alexnet.models.catalogue import MODELS, build_model
from alexnet.models.covering import covering
from alexnet.models.graph import GraphNetwork
from alexnet.models.graph_geometry import graph_activation, graph_layers, graph_notes
from alexnet.models.network import Network
from alexnet.models.notes import MODEL_LINES, notes_on
from alexnet.nn import (
    ContrastNorm,
    Convolution,
    Dropout,
    LocallyConnected,
    MaxPool,
    MeanPool,
    ResponseNorm,
    Window,
)
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
    nn.Flatten: "flatten",
    Dropout: "dropout",
}


def usual_classes(model: str) -> int:
    """Return the number of classes of the pictures that a model was made for."""
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
        model: one of `MODELS`.
        classes: K; None: those of the pictures that the model was made for.
        image_px: side of the stored picture; None: the model's own.
        crop_px: side of the crop; None: in proportion to `image_px`.
        activation: of the hidden layers; None: the model's own.

    Raises:
        RecipeError: no such model, or a geometry that cannot work.
    """
    with torch.device("meta"):
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
    graph = isinstance(network, GraphNetwork)
    layers = list(graph_layers(network) if graph else _layers(network, network.crop_px))
    neurons, weights, biases, multiply_adds = (
        sum(getattr(each, name) for each in layers)
        for name in ("neurons", "weights", "biases", "multiply_adds")
    )
    return Geometry(
        model=network.model,
        summary=network.arguments["graph"]["name"] if graph else MODEL_LINES[network.model],
        image_px=network.image_px,
        crop_px=network.crop_px,
        classes=network.classes,
        activation=graph_activation(network) if graph else network.arguments["activation"],
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


def _layers(network: nn.Module, crop_px: int) -> Iterator[LayerGeometry]:
    """Yield each layer; the shape that it leaves is the next one's."""
    shape = [3, crop_px, crop_px]
    for name, layer in network.named_children():
        found = _layer(name, layer, shape)
        shape = found.output
        yield found


def _layer(name: str, layer: nn.Module, shape: list[int]) -> LayerGeometry:
    window: Window | None = getattr(layer, "window", None)
    zeros = isinstance(layer, Convolution)
    weights, biases = (_numbers(getattr(layer, each, None)) for each in ("weight", "bias"))
    output = _output(layer, shape)
    neurons = 0
    if isinstance(layer, Convolution | LocallyConnected | nn.Linear):
        neurons = math.prod(output)
    return LayerGeometry(
        name=name,
        kind=_KINDS.get(type(layer), type(layer).__name__.lower()),
        details=_details(layer),
        kernel=window and window.kernel,
        stride=window and window.stride,
        padding=window and window.padding,
        towers=_towers(layer),
        output=output,
        neurons=neurons,
        weights=weights,
        biases=biases,
        parameters=weights + biases,
        multiply_adds=neurons * _terms(layer),
        overhang=window.overhang(shape[1]) if window else 0,
        unseen=window.unseen(shape[1]) if window else 0,
        covering=covering(name, window, shape[1], zeros=zeros) if window else None,
    )


def _output(layer: nn.Module, shape: list[int]) -> list[int]:
    """Return (C, S, S) or (D,) behind a layer."""
    if isinstance(layer, nn.Linear):
        return [layer.out_features]
    if isinstance(layer, nn.Flatten):
        return [math.prod(shape)]
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
    if isinstance(layer, Convolution):
        return layer.in_channels // layer.groups * layer.window.kernel**2
    return layer.inputs * layer.window.kernel**2 if isinstance(layer, LocallyConnected) else 0


def _towers(layer: nn.Module) -> int:
    if isinstance(layer, Convolution):
        return layer.groups
    return layer.towers if isinstance(layer, ResponseNorm) else 1


def _numbers(parameter: Tensor | None) -> int:
    return 0 if parameter is None else parameter.numel()


def _details(layer: nn.Module) -> str | None:
    """Say the settings of normalisations and dropout."""
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
