"""Summaries of networks: windows, output shapes, neurons, parameters, multiply-adds, coverage.

Everything follows from the layers' settings. Nothing is allocated and nothing is run: the networks
are built on torch's meta device.

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
from alexnet.models.convolution_forms import describe_convolutions, describe_forms, layer_form
from alexnet.models.cuda_convnet.network import (
    IMAGES,
    GroupedLayers,
    LayerFileNetwork,
    SummedLayers,
)
from alexnet.models.external import ExternalNetwork, is_external
from alexnet.models.graph.network import GraphNetwork
from alexnet.models.graph.summary import graph_activation, graph_layers, graph_notes
from alexnet.models.headed_network import HeadedNetwork
from alexnet.models.network import Network
from alexnet.models.zoo.notes import describe_model, model_notes
from alexnet.models.zoo.registry import MODELS, build_model, is_layer_file
from alexnet.nn import (
    AdaptiveAvgPool,
    AvgPool,
    Concat,
    ContrastNorm,
    Convolution,
    Dropout,
    Eltwise,
    FullyConnected,
    LocallyConnected,
    MaxPool,
    OffsetPool,
    ProgramActivation,
    ResponseNorm,
    Window,
)
from alexnet.nn.windows import describe_coverage
from alexnet.recipe import Activation
from alexnet.records import LayerSummary, ModelEntry, ModelList, NetworkSummary

__all__ = ["default_classes", "model_list", "summarize_model", "summarize_network"]

_DEFAULT_CLASSES = {"alexnet_adaptive": 200, "alexnet_small": 200, "mlp": 10}
"""Classes of Tiny ImageNet; of digits and CIFAR-10."""

_KINDS: dict[type[nn.Module], str] = {
    Convolution: "convolution",
    LocallyConnected: "locally connected",
    MaxPool: "max pooling",
    AvgPool: "average pooling",
    AdaptiveAvgPool: "adaptive average pooling",
    ResponseNorm: "response norm",
    ContrastNorm: "contrast norm",
    nn.BatchNorm2d: "batch norm",
    nn.Linear: "fully connected",
    FullyConnected: "fully connected",
    Eltwise: "element-wise",
    Concat: "concatenation",
    OffsetPool: "pooling",
    nn.Flatten: "flatten",
    Dropout: "dropout",
}


def default_classes(model: str) -> int:
    """Return the number of classes of the images that a model was made for."""
    if is_layer_file(model):
        return cuda_convnet.classes_of(cuda_convnet.read_layer_files(model))
    return _DEFAULT_CLASSES.get(model, 10 if model.startswith("cifar") else 1000)


def summarize_model(
    model: str,
    *,
    classes: int | None = None,
    image_px: int | None = None,
    crop_px: int | None = None,
    activation: Activation | None = None,
) -> NetworkSummary:
    """Return the summary of a model, layer by layer.

    Multiply-adds are those of convolutions and fully connected layers for one crop; a window that
    hangs over the edge counts whole.

    Args:
        model: one of `MODELS`, or another name that `build_model` takes.
        classes: K; None: those of the images that the model was made for.
        image_px: side of the stored image; None: the model's own.
        crop_px: side of the crop; None: in proportion to `image_px`.
        activation: of the hidden layers; None: the model's own.

    Raises:
        RecipeError: no such model, or sizes that cannot work.
    """
    # External code may not run on tensors without data.
    with contextlib.nullcontext() if is_external(model) else torch.device("meta"):
        network = build_model(
            model,
            classes=default_classes(model) if classes is None else classes,
            image_px=image_px,
            crop_px=crop_px,
            activation=activation,
        )
    return summarize_network(network)


def summarize_network(network: Network) -> NetworkSummary:
    """Return the summary of a network that is built already; see `summarize_model`."""
    if isinstance(network, HeadedNetwork):
        return _summarize_headed(network)
    is_graph = isinstance(network, GraphNetwork)
    layers = list(graph_layers(network) if is_graph else _layers(network))
    neurons, weights, biases, multiply_adds = (
        sum(getattr(layer, name) for layer in layers)
        for name in ("neurons", "weights", "biases", "multiply_adds")
    )
    return NetworkSummary(
        model=network.model,
        summary=network.arguments["graph"]["name"] if is_graph else describe_model(network),
        image_px=network.image_px,
        crop_px=network.crop_px,
        classes=network.classes,
        activation=graph_activation(network) if is_graph else _activation(network),
        inputs=3 * network.crop_px**2,
        layers=layers,
        neurons=neurons,
        weights=weights,
        biases=biases,
        parameters=weights + biases,
        multiply_adds=multiply_adds,
        features_layer=network.features_layer,
        convolutions=_convolutions(network, layers),
        notes=graph_notes(network) if is_graph else model_notes(network, neurons),
    )


def _convolutions(network: Network, layers: list[LayerSummary]) -> str | None:
    """Say which convolutions Winograd's form computes; of external code, by running it once."""
    if isinstance(network, ExternalNetwork):
        return describe_convolutions(network, "winograd")
    fast = [layer.name for layer in layers if layer.tile]
    plain = {layer.name: layer.torch_because for layer in layers if layer.torch_because}
    reasons = set(plain.values())
    if not fast and len(reasons) == 1:
        return f"all by torch, since {reasons.pop()}"
    return describe_forms(fast, list(plain)) if fast or plain else None


def _summarize_headed(network: HeadedNetwork) -> NetworkSummary:
    """Summarize the network below the head, with a note on the head."""
    backbone, head = summarize_network(network.backbone), network.classifier.settings
    note = (
        f"Predictions come from a {head['kind']} head on {head['layer']}, whose "
        f"{head['features']:,} features it takes; layers after {head['layer']} are not used."
    )
    return dataclasses.replace(backbone, classes=network.classes, notes=[note, *backbone.notes])


def _activation(network: Network) -> str:
    return network.arguments["activation"] or "activations of its own"


def model_list() -> ModelList:
    """Return an entry for every model, with its default sizes and classes."""
    return ModelList(models=[_entry(summarize_model(name)) for name in MODELS])


def _entry(network: NetworkSummary) -> ModelEntry:
    return ModelEntry(
        name=network.model,
        summary=network.summary,
        image_px=network.image_px,
        crop_px=network.crop_px,
        classes=network.classes,
        parameters=network.parameters,
        multiply_adds=network.multiply_adds,
    )


def _layers(network: Network) -> Iterator[LayerSummary]:
    """Yield each layer; its input shapes are the output shapes of others."""
    crop = [3, network.crop_px, network.crop_px]
    if isinstance(network, ExternalNetwork):
        yield from _external_layers(network)
        return
    shapes, before = {IMAGES: crop}, IMAGES
    for name, layer in network.named_children():
        names = network.inputs[name] if isinstance(network, LayerFileNetwork) else (before,)
        summary = _layer(name, layer, [shapes[source] for source in names])
        shapes[name], before = summary.output, name
        yield summary


def _external_layers(network: ExternalNetwork) -> Iterator[LayerSummary]:
    """Yield the layers of a torch module with the shapes of a forward pass."""
    with torch.no_grad():
        outputs = network.eval().stages(torch.zeros(1, 3, network.crop_px, network.crop_px))
    for name, output in outputs.items():
        layer = network.get_submodule(name)
        yield _row(name, layer, list(output.shape[1:]), None, None)


def _layer(name: str, layer: nn.Module, shapes: list[list[int]]) -> LayerSummary:
    parts = _parts(layer)
    windows: set[Window | None] = {getattr(part, "window", None) for part in parts}
    window = windows.pop() if len(windows) == 1 else None
    coverage = None
    if window is not None:
        coverage = describe_coverage(
            name, window, shapes[0][1], zeros=isinstance(parts[0], Convolution)
        )
    inputs = layer if isinstance(layer, SummedLayers) else [layer]
    form = layer_form(
        (part, tuple(shape))
        for source, shape in zip(inputs, shapes, strict=False)
        for part in _parts(source)
    )
    row = _row(name, layer, _output(layer, shapes), window, coverage, side=shapes[0][-1])
    return dataclasses.replace(row, **form)


def _row(
    name: str,
    layer: nn.Module,
    output: list[int],
    window: Window | None,
    coverage: str | None,
    side: int = 0,
) -> LayerSummary:
    parts = _parts(layer)
    weights = sum(_count(getattr(part, "weight", None)) for part in parts)
    parameters = sum(tensor.numel() for tensor in layer.parameters())
    neurons = 0
    if any(isinstance(part, _WITH_NEURONS) for part in parts):
        neurons = math.prod(output)
    inputs = list(layer) if isinstance(layer, SummedLayers) else [layer]
    return LayerSummary(
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
        multiply_adds=neurons * sum(_products(_parts(source)[0]) for source in inputs),
        overhang=window.overhang(side) if window else 0,
        uncovered=window.uncovered(side) if window else 0,
        coverage=coverage,
    )


_WITH_NEURONS = (nn.Conv2d, LocallyConnected, nn.Linear)


def _parts(layer: nn.Module) -> list[nn.Module]:
    """Return the layers that a sum, or groups, are made of; of any other layer itself."""
    if isinstance(layer, SummedLayers | GroupedLayers):
        return [leaf for part in layer for leaf in _parts(part)]
    return [layer]


def _kind(layer: nn.Module) -> str:
    return _KINDS.get(type(layer), type(layer).__name__.lower())


def _output(layer: nn.Module, shapes: list[list[int]]) -> list[int]:
    """Return the output shape of a layer, (C, S, S) or (D,)."""
    shape = shapes[0]
    if isinstance(layer, SummedLayers):
        return _output(layer[0], shapes[:1])
    if isinstance(layer, GroupedLayers):
        group = _output(layer[0], [[shape[0] // len(layer), *shape[1:]]])
        return [group[0] * len(layer), *group[1:]]
    if isinstance(layer, nn.Linear):
        return [layer.out_features]
    if isinstance(layer, nn.Flatten):
        return [math.prod(shape)]
    if isinstance(layer, Concat):
        return [sum(channels for channels, *_ in shapes), *shape[1:]]
    if isinstance(layer, OffsetPool):
        return [shape[0], layer.outputs, layer.outputs]
    if isinstance(layer, AdaptiveAvgPool):
        return [shape[0], layer.grid, layer.grid]
    if isinstance(layer, Convolution | LocallyConnected | MaxPool | AvgPool):
        side = layer.window.outputs(shape[1])
        return [_maps(layer, shape[0]), side, side]
    return shape


def _maps(layer: nn.Module, before: int) -> int:
    if isinstance(layer, Convolution):
        return layer.out_channels
    return layer.outputs if isinstance(layer, LocallyConnected) else before


def _products(layer: nn.Module) -> int:
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


def _count(parameter: Tensor | None) -> int:
    return 0 if parameter is None else parameter.numel()


def _details(layer: nn.Module) -> str | None:
    """Return the settings of normalizations, dropout, sums and activations, for people."""
    if isinstance(layer, SummedLayers):
        return f"its outputs for {len(layer)} inputs are added" if len(layer) > 1 else None
    if isinstance(layer, ProgramActivation | OffsetPool):
        return layer.extra_repr()
    if isinstance(layer, Eltwise):
        return f"{layer.operation} of its inputs"
    if isinstance(layer, ResponseNorm):
        spatial = layer.region == "spatial"
        where = f"{layer.size} x {layer.size} positions of a map" if spatial else _reach(layer)
        divisor = f" / {layer.size**2 if spatial else layer.size}" if layer.divide else ""
        return (
            f"x / ({layer.k:g} + {layer.alpha:g}{divisor} * sum of squares) ^ {layer.beta:g} "
            f"over {where}"
        )
    if isinstance(layer, Dropout):
        when = "the others are scaled up in training" if layer.inverted else "scaled when testing"
        return f"{layer.p:g} of the units in training; {when}"
    return None


def _reach(layer: ResponseNorm) -> str:
    inside = f" inside each of {layer.towers} towers" if layer.towers > 1 else ""
    return f"{layer.size} neighboring maps{inside}"
