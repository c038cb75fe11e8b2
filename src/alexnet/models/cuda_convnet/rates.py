"""The rates of a parameter file as fields of a recipe.

    v <- mom * v + eps * coeff * gradient - wc * eps * w

The program's rule is ours (`src/weights.cu`) but for the coefficient of the cost, which multiplies
the gradient alone: with eps * coeff for the rate and wc / coeff for the decay both are the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from alexnet.errors import RecipeError
from alexnet.models.builder import Options
from alexnet.models.cuda_convnet.build import build, classes_of, planned
from alexnet.models.cuda_convnet.plan import Plan
from alexnet.models.cuda_convnet.sections import Section
from alexnet.models.cuda_convnet.wiring import Summed, Wired

__all__ = ["file_rates"]

_KNOWN = (
    *("epsW", "epsB", "momW", "momB", "wc", "wball", "superEps", "superMom", "wcNormMax"),
    *("wcNormMin", "schedW", "schedB", "updatePeriod", "weightWidth", "actWidth"),
)
_OFF = ("wball", "superEps", "superMom", "wcNormMax", "wcNormMin")
"""What the program can do to weights beside the paper's rule; here only where it is off."""

_SCHEDULE = re.compile(r"(\w+)\s*\[\s*(.*?)\s*\]")


@dataclass(frozen=True)
class _Rates:
    """What a parameter file says of one tensor."""

    owner: str  # the module that holds it, "conv3a.0" for a part
    tensor: str  # its name, "conv3a.0.weight"
    rate: float
    decay: float
    momentum: float

    @property
    def is_bias(self) -> bool:
        """Whether it is a bias, which the program never decays."""
        return self.tensor.endswith(".bias")


def file_rates(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a recipe that a parameter file settles.

    Args:
        texts: "layers" and "parameters".

    Returns:
        lr, momentum, decay, bias_lr_ratio, bias_decay, layer_lr, layer_decay, layer_momentum.

    Raises:
        RecipeError: with the layer's name: a rate is missing, or is none that a recipe can hold.
    """
    classes = classes_of(texts)
    with torch.device("meta"):
        network = build(Options(classes=classes), dict(texts))
    plan, _ = planned(texts, crop_px=network.crop_px, classes=classes)
    found = list(_tensors(network, plan))
    lr = max((each.rate for each in found if not each.is_bias), default=0.0)
    if lr == 0:
        raise RecipeError("Every epsW of the parameter file is 0, so that nothing would learn.")
    ratio = _bias_ratio(found)
    decays = {each.owner: each.decay for each in found if not each.is_bias}
    decay = _most_common(decays.values())
    momentum = _most_common(each.momentum for each in found)
    return {
        "lr": lr,
        "momentum": momentum,
        "decay": decay,
        "bias_lr_ratio": 1.0 if ratio is None else ratio,
        "bias_decay": False,
        "layer_lr": _layer_rates(found, lr, by_owner=ratio is not None),
        "layer_decay": _settings({k: v for k, v in decays.items() if v != decay}),
        "layer_momentum": _settings(
            {each.tensor: each.momentum for each in found if each.momentum != momentum}
        ),
    }


def _layer_rates(found: list[_Rates], lr: float, *, by_owner: bool) -> tuple[str, ...]:
    """Return each rate as a multiple of `lr`: by layer where biases follow, else by tensor."""
    if by_owner:
        multiples = {each.owner: each.rate / lr for each in found if not each.is_bias}
    else:
        multiples = {each.tensor: each.rate / lr for each in found}
    return _settings({name: multiple for name, multiple in multiples.items() if multiple != 1})


def _bias_ratio(found: list[_Rates]) -> float | None:
    """Return epsB / epsW where it is one for all biases, each beside weights of its own."""
    weights = {each.owner: each.rate for each in found if not each.is_bias}
    ratios: set[float] = set()
    for each in found:
        if each.is_bias:
            beside = weights.get(each.owner, 0.0)
            if beside == 0:
                return None
            ratios.add(float(f"{each.rate / beside:.12g}"))
    return ratios.pop() if len(ratios) == 1 else None


def _tensors(network: Wired, plan: Plan) -> Iterable[_Rates]:
    (cost,) = (each for each in plan.layers.values() if each.kind == "cost.logreg")
    coefficient = plan.parameters[cost.name].number("coeff")
    for name, _ in network.named_parameters():
        owner, _, kind = name.rpartition(".")
        layer, _, inside = owner.partition(".")
        section = plan.parameters[layer]
        count = len(plan.modules[layer].deviations)
        part = inside.partition(".")[0]
        summed = isinstance(network.get_submodule(layer), Summed)
        index = int(part) if summed and part else 0
        _check(section)
        if kind == "bias":
            rate, momentum, decay = (
                _rates(section, "epsB", 1)[0],
                section.number("momB", least=0),
                0.0,
            )
        else:
            rate = _rates(section, "epsW", count)[index]
            momentum = section.numbers("momW", count)[index]
            decay = section.numbers("wc", count, 0.0)[index]
        if not 0 <= momentum < 1 or decay < 0:
            raise section.error(
                f"momentum must be at least 0 and under 1, and wc at least 0; got {momentum:g} and "
                f"{decay:g}."
            )
        yield _Rates(owner, name, rate * coefficient, decay / coefficient, momentum)


def _check(section: Section) -> None:
    """Refuse what the paper's rule does not have."""
    section.know(*_KNOWN)
    for option in _OFF:
        values = section.numbers(option, len(section.texts(option, "0")), 0.0)
        if any(values):
            raise section.error(f"{option} other than 0 is not supported. Take it out.")
    for option in ("schedW", "schedB"):
        for each in section.texts(option, "default"):
            if each.partition("[")[0] not in ("", "default", "const"):
                raise _no_schedule(section, option, each)
    section.integer("updatePeriod", 1, least=0, most=1)


def _rates(section: Section, option: str, count: int) -> list[float]:
    """Return learning rates, which may be written as const[base=0.01]."""
    values: list[float] = []
    for text in section.texts(option):
        found = _SCHEDULE.fullmatch(text)
        if found and found[1] != "const":
            raise _no_schedule(section, option, text)
        number = found[2].partition("=")[2] if found else text
        values += Section(section.name, {option.lower(): number}).numbers(option, 1)
    if min(values) < 0:
        raise section.error(f"{option} must be at least 0; got {min(values):g}.")
    return section.each(option, values, count)


def _no_schedule(section: Section, option: str, text: str) -> RecipeError:
    return section.error(
        f'{option} follows the schedule "{text}", and schedules of parameter files are not '
        "supported. Write the first rate there, and choose --schedule and --cuts."
    )


def _most_common(values: Iterable[float]) -> float:
    return Counter(values).most_common(1)[0][0]


def _settings(values: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(f"{name}={value:.15g}" for name, value in values.items())
