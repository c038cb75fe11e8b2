"""Types with windows: conv, local and pool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import torch
from torch import nn

from alexnet.models.cuda_convnet.plan import LONGEST_SIDE, Layer, Plan, Shape, Source
from alexnet.models.cuda_convnet.sections import Section
from alexnet.models.cuda_convnet.wiring import Grouped, Summed
from alexnet.nn import Convolution, LocallyConnected, MaxPool, MeanPool, OffsetPool, Pooling, Window

__all__ = ["OF_WEIGHTS", "conv", "first_weights", "local", "pool"]

OF_WEIGHTS = (
    *("type", "inputs", "gpu", "neuron", "initW", "initB", "initWFunc", "initBFunc"),
    *("weightSource", "weightWidth", "actWidth"),
)
"""Options of every type with weights; the last two are of the program's screen."""

_OF_WINDOWS = (
    *OF_WEIGHTS,
    *("channels", "filters", "numFilters", "filterSize", "padding", "stride", "groups"),
    *("randSparse", "filterChannels", "modulesX", "partialSum", "sumWidth", "sharedBiases"),
)
_MANY = 16  # filters come in such bunches, as do the channels of pooling


@dataclass(frozen=True)
class _Part:
    """What a layer does with one of its inputs."""

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
    """Read a convolution: one window for each input, whose answers are added."""
    parts = _parts(section, plan)
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
    plan.afford(section, sum(filters * part.terms for part in parts) + biases, Shape(filters, side))

    def make() -> nn.Module:
        made: list[nn.Module] = [
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
        if len(made) == 1 and shared:
            return made[0]
        return Summed(made, None if shared else torch.zeros(filters, side, side))

    return _layer(section, "conv", Shape(filters, side), len(parts), make)


def local(section: Section, plan: Plan) -> Layer:
    """Read a convolution whose weights differ from position to position."""
    parts = _parts(section, plan)
    side, filters = parts[0].side, parts[0].filters
    weights = sum(filters * side**2 * (part.terms + 1) for part in parts)
    plan.afford(section, weights, Shape(filters, side))

    def one(part: _Part, bias: bool) -> nn.Module:
        made: list[nn.Module] = [
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
        return made[0] if len(made) == 1 else Grouped(made)

    def make() -> nn.Module:
        made = [one(part, index == 0) for index, part in enumerate(parts)]
        return made[0] if len(made) == 1 else Summed(made)

    return _layer(section, "local", Shape(filters, side), len(parts), make)


def pool(section: Section, plan: Plan) -> Layer:
    """Read a pooling layer."""
    section.know(
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
    if plan.learns(sources) and channels % _MANY:
        raise section.error(
            f"channels must be a multiple of {_MANY} where gradients pass; got {channels}."
        )
    kind = section.text("pool")
    if kind == "rand":
        raise section.error("pooling by chance (rand) is not supported. Use max or avg.")
    if kind not in get_args(Pooling):
        raise section.error(f'pool must be one of max, maxabs, avg; got "{kind}".')
    covering = -(-(shape.side - start - size) // stride) + 1
    count = outputs or covering
    if count < 1 or OffsetPool("max", size, stride=stride, start=start, outputs=count).misses(
        shape.side
    ):
        raise section.error(
            f"start={start} and outputsX={outputs} lay a window outside of maps of {shape.side} x "
            f"{shape.side}."
        )

    def make() -> nn.Module:
        if start == 0 and count == covering and kind != "maxabs":
            plain = MaxPool if kind == "max" else MeanPool
            return plain(size, stride=stride)
        asked: dict[str, Pooling] = {each: each for each in get_args(Pooling)}
        return OffsetPool(asked[kind], size, stride=stride, start=start, outputs=count)

    return Layer(
        name=section.name,
        kind="pool",
        inputs=(source.name,),
        shape=Shape(channels, count),
        make=make,
        learns=plan.learns(sources),
    )


def first_weights(section: Section, count: int) -> tuple[float, ...]:
    """Return the width of the first weights for each input, and refuse what would run code."""
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
        deviations=first_weights(section, inputs),
        bias=section.number("initB", 0.0),
        learns=True,
    )


def _parts(section: Section, plan: Plan) -> list[_Part]:
    """Read what conv and local have in common, with every check of the program's parser."""
    section.know(*_OF_WINDOWS)
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
    parts = [_part(section, plan, *each) for each in lists]
    found = {(part.filters, part.side) for part in parts}
    if len(found) > 1:
        shapes = ", ".join(f"{part.filters} x {part.side} x {part.side}" for part in parts)
        raise section.error(f"its inputs must all give one output shape; they give {shapes}.")
    return parts


def _part(
    section: Section,
    plan: Plan,
    source: Source,
    channels: int,
    filters: int,
    kernel: int,
    stride: int,
    padding: int,
    groups: int,
) -> _Part:
    shape = plan.maps(section, source, channels)
    if channels > 3 and channels % 4:
        raise section.error(f"channels must be up to 3 or a multiple of 4; got {channels}.")
    if groups > 1 and channels % (4 * groups):
        raise section.error(
            f"channels must be a multiple of 4 * groups = {4 * groups}; got {channels}."
        )
    if filters % _MANY:
        raise section.error(
            f"filters, which are counted for each group, must be a multiple of {_MANY}; got "
            f"{filters}."
        )
    padded = shape.side + 2 * padding
    if padded > LONGEST_SIDE:
        raise section.error(f"padding is {padding}, which makes its input {padded} positions wide.")
    if kernel > padded:
        raise section.error(
            f"filterSize is {kernel}, larger than its input of {shape.side} with 2 * {padding} of "
            "padding. Use larger pictures (--crop-px), or a smaller window."
        )
    window = Window(kernel, stride, padding, ceiling=True)
    return _Part(shape, window, groups, filters * groups, window.outputs(shape.side))
