"""Types with windows: conv, local and pool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import torch
from torch import nn

from alexnet.models.cuda_convnet.network import GroupedLayers, SummedLayers
from alexnet.models.cuda_convnet.plan import LARGEST_SIDE, Layer, Plan, Shape, Source
from alexnet.models.cuda_convnet.sections import Section
from alexnet.nn import (
    AvgPool,
    Convolution,
    LocallyConnected,
    MaxPool,
    OffsetPool,
    OffsetPoolKind,
    Window,
)

__all__ = ["WEIGHT_OPTIONS", "conv", "initial_deviations", "local", "pool"]

WEIGHT_OPTIONS = (
    *("type", "inputs", "gpu", "neuron", "initW", "initB", "initWFunc", "initBFunc"),
    *("weightSource", "weightWidth", "actWidth"),
)
"""Options of every type with weights; the last two are of the program's screen."""

_WINDOW_OPTIONS = (
    *WEIGHT_OPTIONS,
    *("channels", "filters", "numFilters", "filterSize", "padding", "stride", "groups"),
    *("randSparse", "filterChannels", "modulesX", "partialSum", "sumWidth", "sharedBiases"),
)
_MULTIPLE = 16  # the program's kernels take filters, and channels of pooling, by so many


@dataclass(frozen=True)
class _InputWindow:
    """The window that a layer lays on one of its inputs."""

    shape: Shape
    window: Window
    groups: int
    filters: int  # of all groups together
    side: int  # of the output

    @property
    def terms(self) -> int:
        """Products that one output sums."""
        return self.shape.channels // self.groups * self.window.kernel**2


def conv(section: Section, plan: Plan) -> Layer:
    """Read a convolution: one window for each input, whose outputs are added."""
    parts = _input_windows(section, plan)
    side, filters = parts[0].side, parts[0].filters
    sums = section.first("partialSum", "sumWidth")
    bunch = section.integer(sums, least=0)
    if sums == "partialSum" and bunch and side**2 % bunch:
        raise section.error(
            f"partialSum is {bunch}, which does not divide the {side} x {side} = {side**2} "
            "positions of its output. Give a divisor, or 0."
        )
    shared = section.boolean("sharedBiases", True)
    biases = filters if shared else filters * side**2
    plan.require_affordable(
        section, sum(filters * part.terms for part in parts) + biases, Shape(filters, side)
    )

    def make() -> nn.Module:
        layers: list[nn.Module] = [
            Convolution(
                part.shape.channels,
                filters,
                kernel=part.window.kernel,
                stride=part.window.stride,
                padding=part.window.padding,
                towers=part.groups,
                ceiling=True,
                bias=shared and index == 0,
            )
            for index, part in enumerate(parts)
        ]
        if len(layers) == 1 and shared:
            return layers[0]
        return SummedLayers(layers, None if shared else torch.zeros(filters, side, side))

    return _layer(section, "conv", Shape(filters, side), len(parts), make)


def local(section: Section, plan: Plan) -> Layer:
    """Read a convolution whose weights differ from position to position."""
    parts = _input_windows(section, plan)
    side, filters = parts[0].side, parts[0].filters
    weights = sum(filters * side**2 * (part.terms + 1) for part in parts)
    plan.require_affordable(section, weights, Shape(filters, side))

    def make_part(part: _InputWindow, bias: bool) -> nn.Module:
        layers: list[nn.Module] = [
            LocallyConnected(
                part.shape.channels // part.groups,
                filters // part.groups,
                positions=side,
                kernel=part.window.kernel,
                stride=part.window.stride,
                padding=part.window.padding,
                ceiling=True,
                bias=bias,
            )
            for _ in range(part.groups)
        ]
        return layers[0] if len(layers) == 1 else GroupedLayers(layers)

    def make() -> nn.Module:
        layers = [make_part(part, index == 0) for index, part in enumerate(parts)]
        return layers[0] if len(layers) == 1 else SummedLayers(layers)

    return _layer(section, "local", Shape(filters, side), len(parts), make)


def pool(section: Section, plan: Plan) -> Layer:
    """Read a pooling layer."""
    section.require_known_options(
        *("type", "inputs", "gpu", "neuron", "channels", "sizeX", "subsX", "start", "stride"),
        *("outputsX", "pool"),
    )
    (source,) = sources = plan.sources(section, 1)
    channels = section.integer("channels", least=1)
    shape = plan.maps(section, source, channels)
    size = section.integer(section.first("sizeX", "subsX"), least=1, most=shape.side)
    stride = section.integer("stride", least=1, most=size)
    start = section.integer("start", 0, least=-size, most=shape.side)
    outputs = section.integer("outputsX", 0, least=0)
    if plan.trainable(sources) and channels % _MULTIPLE:
        raise section.error(
            f"channels must be a multiple of {_MULTIPLE} where gradients pass; got {channels}."
        )
    kind = section.text("pool")
    if kind == "rand":
        raise section.error("pooling by chance (rand) is not supported. Use max or avg.")
    if kind not in get_args(OffsetPoolKind):
        raise section.error(f'pool must be one of max, maxabs, avg; got "{kind}".')
    coverage = -(-(shape.side - start - size) // stride) + 1
    count = outputs or coverage
    if count < 1 or OffsetPool(
        "max", size, stride=stride, start=start, outputs=count
    ).has_empty_window(shape.side):
        raise section.error(
            f"start={start} and outputsX={outputs} lay a window outside of maps of {shape.side} x "
            f"{shape.side}."
        )

    def make() -> nn.Module:
        if start == 0 and count == coverage and kind != "maxabs":
            pool_type = MaxPool if kind == "max" else AvgPool
            return pool_type(size, stride=stride)
        kinds: dict[str, OffsetPoolKind] = {name: name for name in get_args(OffsetPoolKind)}
        return OffsetPool(kinds[kind], size, stride=stride, start=start, outputs=count)

    return Layer(
        name=section.name,
        kind="pool",
        inputs=(source.name,),
        shape=Shape(channels, count),
        make=make,
        trainable=plan.trainable(sources),
    )


def initial_deviations(section: Section, count: int) -> tuple[float, ...]:
    """Return the deviation of the initial weights for each input; raise for Python code."""
    for option in ("initWFunc", "initBFunc"):
        if section.text(option, ""):
            raise section.error(
                f"{option} names Python code, which a layer file never runs here. Give initW and "
                "initB as numbers."
            )
    if any(section.texts("weightSource", "")):
        raise section.error("weights shared between layers (weightSource) are not supported.")
    deviations = section.numbers("initW", count)
    if min(deviations) < 0:
        raise section.error(f"initW must be at least 0; got {min(deviations):g}.")
    return tuple(deviations)


def _layer(
    section: Section, kind: str, shape: Shape, inputs: int, make: Callable[[], nn.Module]
) -> Layer:
    return Layer(
        name=section.name,
        kind=kind,
        inputs=tuple(section.texts("inputs")),
        shape=shape,
        make=make,
        deviations=initial_deviations(section, inputs),
        bias=section.number("initB", 0.0),
        trainable=True,
    )


def _input_windows(section: Section, plan: Plan) -> list[_InputWindow]:
    """Read what conv and local have in common, with every check of the program's parser."""
    section.require_known_options(*_WINDOW_OPTIONS)
    sources = plan.sources(section)
    plan.settings(section)
    count = len(sources)
    if section.boolean("randSparse", False):
        raise section.error("connections drawn by chance (randSparse) are not supported.")
    if section.integer("modulesX", 0, least=0):
        raise section.error("modulesX is not supported: windows cover their input.")
    lists = zip(
        sources,
        section.integers("channels", count, least=1),
        section.integers(section.first("filters", "numFilters"), count, least=1),
        section.integers("filterSize", count, least=1),
        section.integers("stride", count, 1, least=1),
        section.integers("padding", count, 0, least=0),
        section.integers("groups", count, 1, least=1),
        strict=True,
    )
    parts = [_input_window(section, plan, *values) for values in lists]
    outputs = {(part.filters, part.side) for part in parts}
    if len(outputs) > 1:
        shapes = ", ".join(f"{part.filters} x {part.side} x {part.side}" for part in parts)
        raise section.error(f"its inputs must all give one output shape; they give {shapes}.")
    return parts


def _input_window(
    section: Section,
    plan: Plan,
    source: Source,
    channels: int,
    filters: int,
    kernel: int,
    stride: int,
    padding: int,
    groups: int,
) -> _InputWindow:
    shape = plan.maps(section, source, channels)
    if channels > 3 and channels % 4:
        raise section.error(f"channels must be up to 3 or a multiple of 4; got {channels}.")
    if groups > 1 and channels % (4 * groups):
        raise section.error(
            f"channels must be a multiple of 4 * groups = {4 * groups}; got {channels}."
        )
    if filters % _MULTIPLE:
        raise section.error(
            f"filters, which are counted for each group, must be a multiple of {_MULTIPLE}; got "
            f"{filters}."
        )
    padded = shape.side + 2 * padding
    if padded > LARGEST_SIDE:
        raise section.error(f"padding is {padding}, which makes its input {padded} positions wide.")
    if kernel > padded:
        raise section.error(
            f"filterSize is {kernel}, larger than its input of {shape.side} with 2 * {padding} of "
            "padding. Use larger images (--crop-px), or a smaller window."
        )
    window = Window(kernel, stride, padding, ceiling=True)
    return _InputWindow(shape, window, groups, filters * groups, window.outputs(shape.side))
