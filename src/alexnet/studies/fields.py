"""Which fields of a recipe may move in a search, on which scale, between which bounds.

Each entry is written down once and by hand: a search that may try everything finds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["FIELDS", "FIXED", "Choices", "Condition", "Domain", "Movable", "Range", "Scale"]

Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    scale: Scale = "linear"
    whole: bool = False


@dataclass(frozen=True)
class Choices:
    """Some values, each as likely as another."""

    values: tuple[Any, ...]


Domain = Range | Choices


@dataclass(frozen=True)
class Condition:
    """A field moves only while another has certain values: else it would shape nothing."""

    field: str
    holds: Callable[[Any], bool]
    words: str


@dataclass(frozen=True)
class Movable:
    """What a field does where nothing narrower is asked for.

    Args:
        domain: scale and bounds, or choices.
        usual: whether it moves without being named.
        only_with: when it moves at all; None: always.
    """

    domain: Domain
    usual: bool = False
    only_with: Condition | None = None


_STEPWISE = Condition("schedule", lambda v: v in ("plateau", "steps"), "schedule plateau or steps")
_PLATEAU = Condition("schedule", lambda v: v == "plateau", "schedule plateau")
_SOFTMAX = Condition("loss", lambda v: v == "softmax", "loss softmax")
_NO_MEAN_IMAGE = Condition("mean", lambda v: v != "image", "mean central, channel or none")
_NOISE = Condition("colour_noise", lambda v: v > 0, "colour_noise above 0")

FIELDS: Mapping[str, Movable] = {
    # rates
    "lr": Movable(Range(1e-4, 1e-1, "log"), usual=True),
    "momentum": Movable(Range(0.5, 0.99), usual=True),
    "decay": Movable(Range(1e-5, 1e-2, "log"), usual=True),
    "batch": Movable(Range(16, 256, "log", whole=True), usual=True),
    "bias_lr_ratio": Movable(Range(0.5, 4.0, "log")),
    "bias_decay": Movable(Choices((True, False))),
    # network
    "dropout": Movable(Range(0.0, 0.8), usual=True),
    "activation": Movable(Choices(("relu", "tanh", "sigmoid"))),
    "initialisation": Movable(Choices(("model", "he"))),
    # pictures and augmentation
    "mean": Movable(Choices(("image", "central", "channel", "none"))),
    "standardise": Movable(Choices((True, False))),
    "crop_area": Movable(Range(0.08, 1.0), only_with=_NO_MEAN_IMAGE),
    "flip": Movable(Choices((True, False))),
    "colour_noise": Movable(Range(0.0, 0.3)),
    "colour": Movable(Choices(("paper", "program")), only_with=_NOISE),
    "colour_until": Movable(Range(0, 90, whole=True), only_with=_NOISE),
    # objective
    "loss": Movable(Choices(("softmax", "squared"))),
    "label_smoothing": Movable(Range(0.0, 0.2), only_with=_SOFTMAX),
    "class_weights": Movable(Choices(("none", "auto"))),
    "sampling": Movable(Choices(("shuffle", "balanced"))),
    # schedule
    "schedule": Movable(Choices(("plateau", "cosine", "constant"))),
    "cut_factor": Movable(Range(0.05, 0.5, "log"), only_with=_STEPWISE),
    "max_cuts": Movable(Range(1, 4, whole=True), only_with=_PLATEAU),
    "patience": Movable(Range(1, 10, whole=True), only_with=_PLATEAU),
    "warmup_epochs": Movable(Range(0.0, 2.0)),
}
"""Every field that may move."""

_SAME_PICTURES = "all trials are measured on the same validation pictures"
_SAME_NETWORK = "a study is about one network; search each in a study of its own"
_SAME_LENGTH = "trials are compared epoch by epoch, up to the same last one"
_LIST = "it is a list with an entry for each layer or epoch"

FIXED: Mapping[str, str] = {
    "seed": _SAME_PICTURES,
    "val_fraction": _SAME_PICTURES,
    "image_px": "all trials share one pack of stored pictures",
    "fit": "all trials share one pack of stored pictures",
    "model": _SAME_NETWORK,
    "crop_px": _SAME_NETWORK,
    "crop_group": "it is there to repeat the authors' program, not to be better",
    "epochs": _SAME_LENGTH,
    "early_stop": _SAME_LENGTH,
    "cuts": _LIST,
    "bias_cuts": _LIST,
    "layer_lr": _LIST,
    "layer_decay": _LIST,
    "layer_momentum": _LIST,
}
"""Every other field, and why it stays."""
