"""From the texts of a pair of layer files to a network."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import nn

from alexnet.errors import RecipeError, did_you_mean
from alexnet.models.builder import Options, sizes
from alexnet.models.cuda_convnet import units, windows
from alexnet.models.cuda_convnet.network import LayerFileNetwork, SummedLayers
from alexnet.models.cuda_convnet.plan import Layer, Plan
from alexnet.models.cuda_convnet.sections import Section, layer_error, read_sections
from alexnet.models.cuda_convnet.unsupported import UNSUPPORTED, unsupported_error
from alexnet.nn import Convolution, LocallyConnected, gaussian, he

__all__ = ["MODEL", "build", "classes_of", "plan_layers", "require_texts"]

MODEL = "cuda_convnet"
"""What weights call a network that layer files made."""

_TYPES: dict[str, Callable[[Section, Plan], Layer]] = {
    "data": units.data,
    "conv": windows.conv,
    "local": windows.local,
    "fc": units.fc,
    "pool": windows.pool,
    "rnorm": units.norm,
    "cmrnorm": units.norm,
    "cnorm": units.norm,
    "neuron": units.neuron,
    "hs": units.dropout,
    "dropout": units.dropout,
    "dropout2": units.dropout,
    "eltsum": units.eltsum,
    "eltmax": units.eltmax,
    "concat": units.concat,
    "softmax": units.softmax,
    "cost.logreg": units.logreg,
}


def build(options: Options, files: object) -> LayerFileNetwork:
    """Build the network of a pair of layer files.

    Its layers are called as in the file; the activation of "conv1" is "conv1_neuron", as in the
    program. The last fully connected layer has as many outputs as there are classes.

    Args:
        options: classes, dropout, sizes and seed; where no size is given, images of 256 and crops
            of 224 where the first convolution has a stride, else 32 and 32.
        files: "layers" and "parameters", texts.

    Raises:
        RecipeError: with the name of the layer that cannot be.
    """
    texts = require_texts(files)
    if options.activation is not None:
        raise RecipeError("The activations of this network stand in its layer file (neuron=...).")
    image_px, crop_px = sizes(options, *_default_sizes(texts))
    plan, last = plan_layers(
        texts, crop_px=crop_px, classes=options.classes, dropout=options.dropout
    )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inputs: dict[str, tuple[str, ...]] = {}
    generator = torch.Generator().manual_seed(options.seed)
    for name, layer in plan.modules.items():
        if layer.make is None:
            continue
        layers[name] = layer.make()
        inputs[name] = layer.inputs
        _draw(layers[name], layer, options, generator)
    arguments: dict[str, Any] = {
        "classes": options.classes,
        "activation": None,
        "dropout": options.dropout,
        "image_px": image_px,
        "crop_px": crop_px,
        "files": texts,
    }
    if last != next(reversed(layers)):
        raise layer_error(last, "it feeds the softmax, and another layer comes after it.")
    return LayerFileNetwork(
        layers, inputs=inputs, model=MODEL, arguments=arguments, weight_decay={}
    )


def classes_of(files: object) -> int:
    """Return the number of classes for which a pair of layer files was written."""
    texts = require_texts(files)
    crop_px = sizes(Options(classes=1), *_default_sizes(texts))[1]
    plan, last = plan_layers(texts, crop_px=crop_px)
    return plan.modules[last].shape.numbers


def require_texts(files: object) -> dict[str, str]:
    """Return the texts of both files; raise where there are not two texts."""
    texts = cast("dict[Any, Any]", files) if isinstance(files, Mapping) else {}
    if set(texts) != {"layers", "parameters"} or not all(
        isinstance(text, str) for text in texts.values()
    ):
        raise RecipeError(
            f'The model "{MODEL}" is made of two texts, "layers" and "parameters". '
            "Name the files instead: --model layers-X.cfg"
        )
    return dict(texts)


def plan_layers(
    texts: Mapping[str, str],
    *,
    crop_px: int,
    classes: int | None = None,
    dropout: float | None = None,
) -> tuple[Plan, str]:
    """Read and check both files; nothing is allocated.

    Returns:
        The plan, and the name of the module whose outputs are the logits.

    Raises:
        RecipeError: with the name of the layer that cannot be.
    """
    sections = read_sections(texts["layers"], "The layer file")
    parameters = read_sections(texts["parameters"], "The parameter file")
    plan = Plan(parameters, crop_px, classes, _head(sections), dropout)
    for section in sections.values():
        _require_usable_name(section)
        kind = section.text("type")
        if kind in UNSUPPORTED:
            raise unsupported_error(section, plan)
        if kind not in _TYPES:
            raise section.error(
                f'there is no type "{kind}".{did_you_mean(kind, _TYPES)} '
                f"Types: {', '.join(_TYPES)}."
            )
        layer = _TYPES[kind](section, plan)
        plan.add(_with_network_names(layer, plan))
        if kind != "neuron" and section.text("neuron", ""):
            _append_activation(section, layer, plan)
    return plan, _last(plan)


def _with_network_names(layer: Layer, plan: Plan) -> Layer:
    """Return the layer with its inputs called as in the network."""
    if layer.make is None:
        return layer
    inputs = tuple(plan.outputs[name] for name in layer.inputs)
    return dataclasses.replace(layer, inputs=inputs)


def _append_activation(section: Section, layer: Layer, plan: Plan) -> None:
    """Append the activation that a layer names for its output; later layers read that."""
    make = units.activation_maker(section, section.text("neuron"))
    if make is None:
        return
    name = f"{section.name}_neuron"
    plan.outputs[section.name] = plan.append(
        Layer(
            name=name,
            kind="neuron",
            inputs=(plan.outputs[section.name],),
            shape=layer.shape,
            make=make,
            trainable=layer.trainable,
        )
    )


def _last(plan: Plan) -> str:
    """Return the module that gives the logits; raise for a layer that does not lead there."""
    costs = [layer for layer in plan.layers.values() if layer.kind.startswith("cost.")]
    if len(costs) != 1:
        raise RecipeError(
            f"A layer file needs one cost of type cost.logreg; this one has {len(costs)}."
        )
    for layer in plan.layers.values():
        if layer not in costs and layer.name not in plan.used:
            raise layer_error(
                layer.name, f"of type {layer.kind}, it is read by no layer. Take it out."
            )
    last = plan.outputs[costs[0].name]
    if last not in plan.modules or not plan.modules[last].trainable:
        raise layer_error(costs[0].name, "no layer with weights is below it.")
    if plan.modules[last].shape.side:
        plan.append(
            Layer(
                name="flatten",
                kind="flatten",
                inputs=(last,),
                shape=plan.modules[last].shape,
                make=nn.Flatten,
                trainable=True,
            )
        )
        last = "flatten"
    return last


def _head(sections: Mapping[str, Section]) -> str | None:
    """Return the fully connected layer below the softmax of the cost, where it is one."""
    for cost in sections.values():
        if cost.text("type", "") != "cost.logreg":
            continue
        name = cost.texts("inputs", "")[-1]
        while name in sections and sections[name].text("type", "") in ("softmax", "neuron"):
            below = sections[name].texts("inputs", "")[0]
            if below == name:
                break
            name = below
        if name in sections and sections[name].text("type", "") == "fc":
            return name
    return None


def _require_usable_name(section: Section) -> None:
    name = section.name
    if not name or "." in name or "," in name or hasattr(nn.Sequential(), name):
        raise section.error("this name cannot be a layer's here (no dot, no comma). Rename it.")
    if hasattr(LayerFileNetwork, name) or name in _OWN:
        raise section.error("this name has another meaning here. Rename the layer.")


_OWN = ("model", "arguments", "classes", "image_px", "crop_px", "weight_decay", "inputs", "flatten")
"""Attributes of a network: no layer can have these names."""


def _default_sizes(texts: Mapping[str, str]) -> tuple[int, int]:
    """Return image and crop where no size is given: the program took them from its data."""
    for section in read_sections(texts["layers"], "The layer file").values():
        if section.text("type", "") == "conv":
            strides = section.integers("stride", len(section.texts("stride", "1")), 1, least=1)
            return (256, 224) if max(strides) > 1 else (32, 32)
    return (32, 32)


def _draw(module: nn.Module, layer: Layer, options: Options, generator: torch.Generator) -> None:
    """Draw the initial weights: a deviation for each input, one number for all biases."""
    if any(parameter.is_meta for parameter in module.parameters()):
        return
    published = options.initialization != "he"
    parts = list(module) if isinstance(module, SummedLayers) else [module]
    for part, deviation in zip(parts, layer.deviations, strict=False):
        for leaf in part.modules():
            if isinstance(leaf, nn.Linear | Convolution | LocallyConnected):
                if published:
                    gaussian(leaf, deviation, layer.bias, generator=generator)
                else:
                    he(leaf, generator=generator)
    if isinstance(module, SummedLayers) and module.bias is not None:
        with torch.no_grad():
            module.bias.fill_(layer.bias if published else 0.0)
