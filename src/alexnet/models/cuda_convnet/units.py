"""Types without windows: data, fc, norms, neurons, dropout, joins, softmax and its cost."""

from __future__ import annotations

import re
from collections.abc import Callable

from torch import nn

from alexnet.errors import did_you_mean
from alexnet.models.cuda_convnet.plan import LABELS, Layer, Plan, Shape, Source
from alexnet.models.cuda_convnet.sections import Section
from alexnet.models.cuda_convnet.windows import OF_WEIGHTS, first_weights
from alexnet.models.cuda_convnet.wiring import Summed
from alexnet.nn import (
    NEURONS,
    Combine,
    Concat,
    ContrastNorm,
    Dropout,
    FullyConnected,
    Neuron,
    ResponseNorm,
    neuron_layer,
)

__all__ = ["concat", "data", "dropout", "eltmax", "eltsum", "fc", "logreg", "neuron"]
__all__ += ["neuron_of", "norm", "softmax"]

_COMMON = ("type", "inputs", "gpu", "neuron")
_NEURON = re.compile(r"(\w+)\s*(?:\[([^\[\]]*)\])?")


def data(section: Section, plan: Plan) -> Layer:
    """Read a data layer: number 0 gives the pictures, number 1 the true classes."""
    section.know("type", "dataIdx", "gpu")
    index = section.integer("dataIdx", least=0)
    if index > 1:
        raise section.error(
            f"dataIdx={index} is of the program's own data; here 0 gives the pictures and 1 the "
            "labels."
        )
    if index:
        return Layer(name=section.name, kind=LABELS, inputs=(), shape=Shape(1))
    return Layer(name=section.name, kind="data", inputs=(), shape=Shape(3, plan.crop_px))


def fc(section: Section, plan: Plan) -> Layer:
    """Read a fully connected layer; what it makes of several inputs is added."""
    section.know(*OF_WEIGHTS, "outputs", "numOutputs")
    sources = plan.sources(section)
    plan.settings(section)
    outputs = section.integer(section.first("outputs", "numOutputs"), least=1)
    if section.name == plan.head and plan.classes is not None:
        plan.resized = outputs != plan.classes
        outputs = plan.classes
    inputs = [each.shape.numbers for each in sources]
    plan.afford(section, outputs * (sum(inputs) + 1), Shape(outputs))

    def make() -> nn.Module:
        made: list[nn.Module] = [
            FullyConnected(numbers, outputs, bias=index == 0)
            for index, numbers in enumerate(inputs)
        ]
        return made[0] if len(made) == 1 else Summed(made)

    return Layer(
        name=section.name,
        kind="fc",
        inputs=tuple(each.name for each in sources),
        shape=Shape(outputs),
        make=make,
        deviations=first_weights(section, len(sources)),
        bias=section.number("initB", 0.0),
        learns=True,
    )


def norm(section: Section, plan: Plan) -> Layer:
    """Read rnorm (inside a map), cmrnorm (across maps) and cnorm (about the local mean).

    The older examples write scale and pow into the layer file, and crossMap=1 for cmrnorm.
    """
    section.know(
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
    place = section if section.has("scale") else plan.settings(section)
    alpha, beta = place.number("scale", least=0), place.number("pow")
    k = place.number("minDiv", 1.0)
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

    return _alike(section, "cmrnorm" if across else kind, source, plan.learns(sources), make)


def neuron(section: Section, plan: Plan) -> Layer:
    """Read a layer that is a neuron alone."""
    section.know(*_COMMON)
    (source,) = sources = plan.sources(section, 1)
    return _alike(
        section, "neuron", source, plan.learns(sources), neuron_of(section, section.text("neuron"))
    )


def neuron_of(section: Section, text: str) -> Callable[[], nn.Module] | None:
    """Return what makes the neuron that is written so, such as "tanh[1.5,0.5]"; None: x itself."""
    found = _NEURON.fullmatch(text.strip())
    kind = found[1] if found else text
    if kind == "nrelu":
        raise section.error("the neuron nrelu, which adds noise, is not supported. Use relu.")
    if found is None or kind not in NEURONS:
        raise section.error(
            f'there is no neuron "{text[:60]}".{did_you_mean(kind, NEURONS)} '
            f"Neurons: {', '.join(NEURONS)}."
        )
    inside = Section(section.name, {"neuron": found[2] or ""})
    numbers = inside.numbers("neuron", len(inside.texts("neuron"))) if found[2] else []
    wanted = NEURONS[kind]
    if len(numbers) != wanted.numbers:
        raise section.error(
            f"the neuron {kind}, {wanted.words()}, has {wanted.numbers} numbers in brackets; got "
            f'"{text[:60]}".'
        )
    return None if kind == "ident" else lambda: neuron_layer(kind, *numbers)


def dropout(section: Section, plan: Plan) -> Layer:
    """Read hs of 2012 and dropout of 2014 (scaled when testing), or dropout2 (when training)."""
    section.know(*_COMMON)
    (source,) = sources = plan.sources(section, 1)
    settings = plan.settings(section)
    keep = settings.number("keep", 0.5, most=1)
    if keep <= 0:
        raise section.error(f"keep must be above 0; got {keep:g}.")
    inverted = section.text("type") == "dropout2"
    make: Callable[[], nn.Module] | None
    if not settings.boolean("enable", True):  # hs then scales in training as well
        make = None if inverted else lambda: Neuron("linear", keep, 0.0)
    else:
        share = 1 - keep if plan.dropout is None else plan.dropout
        make = lambda: Dropout(share, inverted=inverted)  # noqa: E731 - one of two makers
    return _alike(section, section.text("type"), source, plan.learns(sources), make)


def eltsum(section: Section, plan: Plan) -> Layer:
    """Read a sum of layers of one shape, each with its coefficient."""
    names, shape, learns = _join(section, plan, least=1)
    place = plan.parameters.get(section.name, Section(section.name, {}))
    coefficients = place.numbers("coeffs", len(names), 1.0)
    return Layer(
        name=section.name,
        kind="eltsum",
        inputs=names,
        shape=shape,
        make=lambda: Combine("sum", coefficients),
        learns=learns,
    )


def eltmax(section: Section, plan: Plan) -> Layer:
    """Read the largest of layers of one shape, unit by unit."""
    names, shape, learns = _join(section, plan, least=2)
    return Layer(
        name=section.name,
        kind="eltmax",
        inputs=names,
        shape=shape,
        make=lambda: Combine("max"),
        learns=learns,
    )


def concat(section: Section, plan: Plan) -> Layer:
    """Read layers that are laid side by side."""
    section.know(*_COMMON)
    sources = plan.sources(section)
    sides = {each.shape.side for each in sources}
    if len(sides) > 1:
        raise section.error(
            "its inputs must be rows, or maps of one side; they are "
            f"{', '.join(str(each.shape) for each in sources)}."
        )
    shape = Shape(sum(each.shape.channels for each in sources), sides.pop())
    plan.afford(section, 0, shape)
    return Layer(
        name=section.name,
        kind="concat",
        inputs=tuple(each.name for each in sources),
        shape=shape,
        make=Concat,
        learns=plan.learns(sources),
    )


def softmax(section: Section, plan: Plan) -> Layer:
    """Read the softmax, which the objective works out: the network ends before it."""
    section.know("type", "inputs", "gpu")
    (source,) = sources = plan.sources(section, 1)
    return _alike(section, "softmax", source, plan.learns(sources), None)


def logreg(section: Section, plan: Plan) -> Layer:
    """Read softmax regression: the labels, then a softmax over the classes."""
    section.know("type", "inputs", "gpu", "topk")
    labels, answers = plan.sources(section, 2)
    settings = plan.settings(section)
    if plan.layers[labels.name].kind != LABELS:
        raise section.error(
            f'its first input must be the labels (type=data, dataIdx=1); "{labels.name}" is not.'
        )
    if plan.layers[answers.name].kind != "softmax":
        raise section.error(
            f'its second input must be a softmax layer; "{answers.name}" is of type '
            f"{plan.layers[answers.name].kind}."
        )
    count = answers.shape.numbers
    if plan.classes is not None and count != plan.classes:
        raise section.error(
            f'the softmax "{answers.name}" has {count} outputs, and there are {plan.classes} '
            "classes."
        )
    settings.integer("topk", 1, least=1, most=None if plan.resized else count)
    if settings.number("coeff", least=0) == 0:
        raise section.error("coeff is 0, so that nothing would learn. Give coeff=1.")
    return Layer(
        name=section.name,
        kind="cost.logreg",
        inputs=(answers.name,),
        shape=answers.shape,
        learns=True,
    )


def _join(section: Section, plan: Plan, least: int) -> tuple[tuple[str, ...], Shape, bool]:
    section.know(*_COMMON)
    sources = plan.sources(section)
    if len(sources) < least:
        raise section.error(f"it needs at least {least} inputs; got {len(sources)}.")
    if len({each.shape for each in sources}) > 1:
        raise section.error(
            "its inputs must have one shape; they are "
            f"{', '.join(str(each.shape) for each in sources)}."
        )
    return tuple(each.name for each in sources), sources[0].shape, plan.learns(sources)


def _alike(
    section: Section,
    kind: str,
    source: Source,
    learns: bool,
    make: Callable[[], nn.Module] | None,
) -> Layer:
    """Return a layer of one input whose output has its shape."""
    return Layer(
        name=section.name,
        kind=kind,
        inputs=(source.name,),
        shape=source.shape,
        make=make,
        learns=learns,
    )
