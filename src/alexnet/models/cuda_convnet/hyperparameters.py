"""The learning rates of a parameter file as fields of a recipe.

    v <- mom * v + eps * coeff * gradient - wc * eps * w

The program's rule is ours (`src/weights.cu`) but for the coefficient of the cost, which multiplies
the gradient alone: with eps * coeff for the learning rate and wc / coeff for the weight decay both
are the same.
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
from alexnet.models.cuda_convnet.build import build, classes_of, plan_layers
from alexnet.models.cuda_convnet.network import LayerFileNetwork, SummedLayers
from alexnet.models.cuda_convnet.plan import Plan
from alexnet.models.cuda_convnet.sections import Section

__all__ = ["layer_file_hyperparameters"]

_KNOWN = (
    *("epsW", "epsB", "momW", "momB", "wc", "wball", "superEps", "superMom", "wcNormMax"),
    *("wcNormMin", "schedW", "schedB", "updatePeriod", "weightWidth", "actWidth"),
)
_OFF = ("wball", "superEps", "superMom", "wcNormMax", "wcNormMin")
"""What the program can do to weights beside the paper's rule; here only where it is off."""

_SCHEDULE = re.compile(r"(\w+)\s*\[\s*(.*?)\s*\]")


@dataclass(frozen=True)
class _Hyperparameters:
    """What a parameter file says of one tensor."""

    owner: str  # the module that holds it, "conv3a.0" for one of several inputs
    name: str  # "conv3a.0.weight"
    lr: float
    weight_decay: float
    momentum: float

    @property
    def is_bias(self) -> bool:
        """Whether it is a bias, which the program never decays."""
        return self.name.endswith(".bias")


def layer_file_hyperparameters(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a recipe that a parameter file settles.

    Args:
        texts: "layers" and "parameters".

    Returns:
        lr, momentum, weight_decay, bias_lr_ratio, bias_weight_decay, layer_lr, layer_weight_decay
        and layer_momentum.

    Raises:
        RecipeError: with the layer's name: a rate is missing, or is none that a recipe can hold.
    """
    classes = classes_of(texts)
    with torch.device("meta"):
        network = build(Options(classes=classes), dict(texts))
    plan, _ = plan_layers(texts, crop_px=network.crop_px, classes=classes)
    tensors = list(_tensors(network, plan))
    lr = max((tensor.lr for tensor in tensors if not tensor.is_bias), default=0.0)
    if lr == 0:
        raise RecipeError("Every epsW of the parameter file is 0, so nothing would be trained.")
    ratio = _bias_ratio(tensors)
    decays = {tensor.owner: tensor.weight_decay for tensor in tensors if not tensor.is_bias}
    weight_decay = _most_common(decays.values())
    momentum = _most_common(tensor.momentum for tensor in tensors)
    return {
        "lr": lr,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "bias_lr_ratio": 1.0 if ratio is None else ratio,
        "bias_weight_decay": False,
        "layer_lr": _layer_lrs(tensors, lr, by_owner=ratio is not None),
        "layer_weight_decay": _settings({k: v for k, v in decays.items() if v != weight_decay}),
        "layer_momentum": _settings(
            {tensor.name: tensor.momentum for tensor in tensors if tensor.momentum != momentum}
        ),
    }


def _layer_lrs(tensors: list[_Hyperparameters], lr: float, *, by_owner: bool) -> tuple[str, ...]:
    """Return each rate as a multiple of `lr`: by layer where biases follow, else by tensor."""
    if by_owner:
        multiples = {tensor.owner: tensor.lr / lr for tensor in tensors if not tensor.is_bias}
    else:
        multiples = {tensor.name: tensor.lr / lr for tensor in tensors}
    return _settings({name: multiple for name, multiple in multiples.items() if multiple != 1})


def _bias_ratio(tensors: list[_Hyperparameters]) -> float | None:
    """Return epsB / epsW where it is one for all biases, each beside weights of its own."""
    weight_lrs = {tensor.owner: tensor.lr for tensor in tensors if not tensor.is_bias}
    ratios: set[float] = set()
    for tensor in tensors:
        if tensor.is_bias:
            weight_lr = weight_lrs.get(tensor.owner, 0.0)
            if weight_lr == 0:
                return None
            ratios.add(float(f"{tensor.lr / weight_lr:.12g}"))
    return ratios.pop() if len(ratios) == 1 else None


def _tensors(network: LayerFileNetwork, plan: Plan) -> Iterable[_Hyperparameters]:
    (cost,) = (layer for layer in plan.layers.values() if layer.kind == "cost.logreg")
    coefficient = plan.parameters[cost.name].number("coeff")
    for name, _ in network.named_parameters():
        owner, _, kind = name.rpartition(".")
        layer, _, inside = owner.partition(".")
        section = plan.parameters[layer]
        count = len(plan.modules[layer].deviations)
        part = inside.partition(".")[0]
        summed = isinstance(network.get_submodule(layer), SummedLayers)
        index = int(part) if summed and part else 0
        _require_paper_rule(section)
        if kind == "bias":
            lr, weight_decay = _learning_rates(section, "epsB", 1)[0], 0.0
            momentum = section.number("momB", least=0)
        else:
            lr = _learning_rates(section, "epsW", count)[index]
            momentum = section.numbers("momW", count)[index]
            weight_decay = section.numbers("wc", count, 0.0)[index]
        if not 0 <= momentum < 1 or weight_decay < 0:
            raise section.error(
                f"momentum must be at least 0 and under 1, and wc at least 0; got {momentum:g} and "
                f"{weight_decay:g}."
            )
        yield _Hyperparameters(owner, name, lr * coefficient, weight_decay / coefficient, momentum)


def _require_paper_rule(section: Section) -> None:
    """Raise for an option that the paper's rule does not have."""
    section.require_known_options(*_KNOWN)
    for option in _OFF:
        values = section.numbers(option, len(section.texts(option, "0")), 0.0)
        if any(values):
            raise section.error(f"{option} other than 0 is not supported. Take it out.")
    for option in ("schedW", "schedB"):
        for schedule in section.texts(option, "default"):
            if schedule.partition("[")[0] not in ("", "default", "const"):
                raise _schedule_error(section, option, schedule)
    section.integer("updatePeriod", 1, least=0, most=1)


def _learning_rates(section: Section, option: str, count: int) -> list[float]:
    """Return learning rates, which may be written as const[base=0.01]."""
    values: list[float] = []
    for text in section.texts(option):
        schedule = _SCHEDULE.fullmatch(text)
        if schedule and schedule[1] != "const":
            raise _schedule_error(section, option, text)
        number = schedule[2].partition("=")[2] if schedule else text
        values += Section(section.name, {option.lower(): number}).numbers(option, 1)
    if min(values) < 0:
        raise section.error(f"{option} must be at least 0; got {min(values):g}.")
    return section.one_for_each(option, values, count)


def _schedule_error(section: Section, option: str, text: str) -> RecipeError:
    return section.error(
        f'{option} follows the schedule "{text}", and schedules of parameter files are not '
        "supported. Write the first rate there, and choose --schedule and --milestones."
    )


def _most_common(values: Iterable[float]) -> float:
    return Counter(values).most_common(1)[0][0]


def _settings(values: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(f"{name}={value:.15g}" for name, value in values.items())
