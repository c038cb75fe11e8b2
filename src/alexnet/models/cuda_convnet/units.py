"""Types without windows: data, fc, norms, activations, dropout, joins, softmax, its cost."""

from __future__ import annotations

import re
from collections.abc import Callable

from torch import nn

from alexnet.errors import did_you_mean
from alexnet.models.cuda_convnet.network import SummedLayers
from alexnet.models.cuda_convnet.plan import LABELS, Layer, Plan, Shape, Source
from alexnet.models.cuda_convnet.sections import Section
from alexnet.models.cuda_convnet.windows import WEIGHT_OPTIONS, initial_deviations
from alexnet.nn import (
    PROGRAM_ACTIVATIONS,
    Concat,
    ContrastNorm,
    Dropout,
    Eltwise,
    FullyConnected,
    ProgramActivation,
    ResponseNorm,
    program_activation_layer,
)

__all__ = ["concat", "data", "dropout", "eltmax", "eltsum", "fc", "logreg", "neuron"]
__all__ += ["activation_maker", "norm", "softmax"]

_COMMON = ("type", "inputs", "gpu", "neuron")
_NEURON = re.compile(r"(\w+)\s*(?:\[([^\[\]]*)\])?")


def data(section: Section, plan: Plan) -> Layer:
    """Read a data layer: number 0 gives the images, number 1 the labels."""
    section.require_known_options("type", "dataIdx", "gpu")
    index = section.integer("dataIdx", least=0)
    if index > 1:
        raise section.error(
            f"dataIdx={index} is of the program's own data; here 0 gives the images and 1 the "
            "labels."
        )
    if index:
        return Layer(name=section.name, kind=LABELS, inputs=(), shape=Shape(1))
    return Layer(name=section.name, kind="data", inputs=(), shape=Shape(3, plan.crop_px))


def fc(section: Section, plan: Plan) -> Layer:
    """Read a fully connected layer; its outputs for several inputs are added."""
    section.require_known_options(*WEIGHT_OPTIONS, "outputs", "numOutputs")
    sources = plan.sources(section)
    plan.settings(section)
    outputs = section.integer(section.first("outputs", "numOutputs"), least=1)
    if section.name == plan.head and plan.classes is not None:
        plan.resized = outputs != plan.classes
        outputs = plan.classes
    inputs = [source.shape.numbers for source in sources]
    plan.require_affordable(section, outputs * (sum(inputs) + 1), Shape(outputs))

    def make() -> nn.Module:
        parts: list[nn.Module] = [
            FullyConnected(numbers, outputs, bias=index == 0)
            for index, numbers in enumerate(inputs)
        ]
        return parts[0] if len(parts) == 1 else SummedLayers(parts)

    return Layer(
        name=section.name,
        kind="fc",
        inputs=tuple(source.name for source in sources),
        shape=Shape(outputs),
        make=make,
        deviations=initial_deviations(section, len(sources)),
        bias=section.number("initB", 0.0),
        trainable=True,
    )


def norm(section: Section, plan: Plan) -> Layer:
    """Read rnorm (inside a map), cmrnorm (across maps) and cnorm (about the local mean).

    The older examples write scale and pow into the layer file, and crossMap=1 for cmrnorm.
    """
    section.require_known_options(
        *_COMMON, "channels", "size", "sizeX", "scale", "pow", "minDiv", "crossMap", "blocked"
    )
    (source,) = sources = plan.sources(section, 1)
    kind = section.text("type")
    across = kind == "cmrnorm" or (kind == "rnorm" and section.boolean("crossMap", False))
    channels = section.integer("channels", least=1)
    if across and channels % 16:
        raise section.error(f"channels must be a multiple of 16 across maps; got {channels}.")
    if not across and channels > 3 and channels % 4:
        raise section.error(f"channels must be up to 3 or a multiple of 4; got {channels}.")
    shape = plan.maps(section, source, channels)
    least, most = (2, channels) if across else (1, shape.side)
    size = section.integer(section.first("size", "sizeX"), least=least, most=most)
    settings = section if section.has("scale") else plan.settings(section)
    alpha, beta = settings.number("scale", least=0), settings.number("pow")
    k = settings.number("minDiv", 1.0)
    if k <= 0:
        raise section.error(f"minDiv must be above 0; got {k:g}.")
    blocked = section.boolean("blocked", False)
    if blocked and (not across or channels % size):
        raise section.error("blocked=1 is read for cmrnorm alone, where size divides channels.")

    def make() -> nn.Module:
        if kind == "cnorm":
            return ContrastNorm(size, alpha=alpha, beta=beta, k=k)
        if blocked:  # one window over the whole of each tower of `size` maps
            return ResponseNorm(
                2 * size - 1, alpha=alpha / size, beta=beta, k=k, towers=channels // size
            )
        region = "channels" if across else "spatial"
        return ResponseNorm(size, alpha=alpha, beta=beta, k=k, divide=True, region=region)

    return _same_shape(
        section, "cmrnorm" if across else kind, source, plan.trainable(sources), make
    )


def neuron(section: Section, plan: Plan) -> Layer:
    """Read a layer that is an activation (the program's neuron) alone."""
    section.require_known_options(*_COMMON)
    (source,) = sources = plan.sources(section, 1)
    return _same_shape(
        section,
        "neuron",
        source,
        plan.trainable(sources),
        activation_maker(section, section.text("neuron")),
    )


def activation_maker(section: Section, text: str) -> Callable[[], nn.Module] | None:
    """Return what makes the activation written so, such as "tanh[1.5,0.5]"; None: x itself."""
    match = _NEURON.fullmatch(text.strip())
    kind = match[1] if match else text
    if kind == "nrelu":
        raise section.error("the neuron nrelu, which adds noise, is not supported. Use relu.")
    if match is None or kind not in PROGRAM_ACTIVATIONS:
        raise section.error(
            f'there is no neuron "{text[:60]}".{did_you_mean(kind, PROGRAM_ACTIVATIONS)} '
            f"Neurons: {', '.join(PROGRAM_ACTIVATIONS)}."
        )
    inside = Section(section.name, {"neuron": match[2] or ""})
    parameters = inside.numbers("neuron", len(inside.texts("neuron"))) if match[2] else []
    activation = PROGRAM_ACTIVATIONS[kind]
    if len(parameters) != activation.parameters:
        raise section.error(
            f"the neuron {kind}, {activation.format_formula()}, has {activation.parameters} "
            f'parameters in brackets; got "{text[:60]}".'
        )
    return None if kind == "ident" else lambda: program_activation_layer(kind, *parameters)


def dropout(section: Section, plan: Plan) -> Layer:
    """Read hs of 2012 and dropout of 2014 (scaled when testing), or dropout2 (when training)."""
    section.require_known_options(*_COMMON)
    (source,) = sources = plan.sources(section, 1)
    settings = plan.settings(section)
    keep = settings.number("keep", 0.5, most=1)
    if keep <= 0:
        raise section.error(f"keep must be above 0; got {keep:g}.")
    inverted = section.text("type") == "dropout2"
    make: Callable[[], nn.Module] | None
    if not settings.boolean("enable", True):  # hs then scales in training as well
        make = None if inverted else lambda: ProgramActivation("linear", keep, 0.0)
    else:
        p = 1 - keep if plan.dropout is None else plan.dropout
        make = lambda: Dropout(p, inverted=inverted)  # noqa: E731 - one of two makers
    return _same_shape(section, section.text("type"), source, plan.trainable(sources), make)


def eltsum(section: Section, plan: Plan) -> Layer:
    """Read a sum of layers of one shape, each with its coefficient."""
    names, shape, trainable = _join_inputs(section, plan, least=1)
    settings = plan.parameters.get(section.name, Section(section.name, {}))
    coefficients = settings.numbers("coeffs", len(names), 1.0)
    return Layer(
        name=section.name,
        kind="eltsum",
        inputs=names,
        shape=shape,
        make=lambda: Eltwise("sum", coefficients),
        trainable=trainable,
    )


def eltmax(section: Section, plan: Plan) -> Layer:
    """Read the maximum of layers of one shape, element by element."""
    names, shape, trainable = _join_inputs(section, plan, least=2)
    return Layer(
        name=section.name,
        kind="eltmax",
        inputs=names,
        shape=shape,
        make=lambda: Eltwise("max"),
        trainable=trainable,
    )


def concat(section: Section, plan: Plan) -> Layer:
    """Read layers that are concatenated."""
    section.require_known_options(*_COMMON)
    sources = plan.sources(section)
    sides = {source.shape.side for source in sources}
    if len(sides) > 1:
        raise section.error(
            "its inputs must be rows, or maps of one side; they are "
            f"{', '.join(str(source.shape) for source in sources)}."
        )
    shape = Shape(sum(source.shape.channels for source in sources), sides.pop())
    plan.require_affordable(section, 0, shape)
    return Layer(
        name=section.name,
        kind="concat",
        inputs=tuple(source.name for source in sources),
        shape=shape,
        make=Concat,
        trainable=plan.trainable(sources),
    )


def softmax(section: Section, plan: Plan) -> Layer:
    """Read the softmax, which the loss computes: the network ends before it."""
    section.require_known_options("type", "inputs", "gpu")
    (source,) = sources = plan.sources(section, 1)
    return _same_shape(section, "softmax", source, plan.trainable(sources), None)


def logreg(section: Section, plan: Plan) -> Layer:
    """Read softmax regression: the labels, then a softmax over the classes."""
    section.require_known_options("type", "inputs", "gpu", "topk")
    labels, probabilities = plan.sources(section, 2)
    settings = plan.settings(section)
    if plan.layers[labels.name].kind != LABELS:
        raise section.error(
            f'its first input must be the labels (type=data, dataIdx=1); "{labels.name}" is not.'
        )
    if plan.layers[probabilities.name].kind != "softmax":
        raise section.error(
            f'its second input must be a softmax layer; "{probabilities.name}" is of type '
            f"{plan.layers[probabilities.name].kind}."
        )
    count = probabilities.shape.numbers
    if plan.classes is not None and count != plan.classes:
        raise section.error(
            f'the softmax "{probabilities.name}" has {count} outputs, and there are {plan.classes} '
            "classes."
        )
    settings.integer("topk", 1, least=1, most=None if plan.resized else count)
    if settings.number("coeff", least=0) == 0:
        raise section.error("coeff is 0, so nothing would be trained. Give coeff=1.")
    return Layer(
        name=section.name,
        kind="cost.logreg",
        inputs=(probabilities.name,),
        shape=probabilities.shape,
        trainable=True,
    )


def _join_inputs(section: Section, plan: Plan, least: int) -> tuple[tuple[str, ...], Shape, bool]:
    section.require_known_options(*_COMMON)
    sources = plan.sources(section)
    if len(sources) < least:
        raise section.error(f"it needs at least {least} inputs; got {len(sources)}.")
    if len({source.shape for source in sources}) > 1:
        raise section.error(
            "its inputs must have one shape; they are "
            f"{', '.join(str(source.shape) for source in sources)}."
        )
    return tuple(source.name for source in sources), sources[0].shape, plan.trainable(sources)


def _same_shape(
    section: Section,
    kind: str,
    source: Source,
    trainable: bool,
    make: Callable[[], nn.Module] | None,
) -> Layer:
    """Return a layer of one input whose output has its shape."""
    return Layer(
        name=section.name,
        kind=kind,
        inputs=(source.name,),
        shape=source.shape,
        make=make,
        trainable=trainable,
    )
