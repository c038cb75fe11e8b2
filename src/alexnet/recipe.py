"""The Recipe: everything that shapes a training, as one flat, frozen value.

What does not shape the result (where the run lies, how many threads, how the pictures are cached)
is not here but a parameter of `train`. The fields are many because three published programs differ
in each of them; every one has a default that suits a folder of pictures.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, cast, get_args, get_origin, get_type_hints

from alexnet.errors import RecipeError, did_you_mean

__all__ = [
    "LARGEST_PX",
    "Activation",
    "ClassWeights",
    "Colour",
    "Fit",
    "Initialisation",
    "LayerSetting",
    "Loss",
    "Mean",
    "Recipe",
    "RecipeChanges",
    "Sampling",
    "Schedule",
    "changed",
    "choices",
    "kind_in_words",
    "recipe_from_json",
]

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    Path: "a path",
    type(None): "none",
}


def choices(kind: Any) -> tuple[Any, ...]:
    """Return what a `Literal`, also inside of an optional or a tuple, lets one choose from."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(each for part in get_args(kind) for each in choices(part))


def kind_in_words(kind: Any) -> str:
    """Return what values an annotation takes: "a whole number or none", '"crop" or "pad"'."""
    if get_origin(kind) is Literal:
        return _either(
            [f'"{each}"' if isinstance(each, str) else str(each) for each in choices(kind)]
        )
    if get_origin(kind) is tuple:
        return f"a list, each {kind_in_words(get_args(kind)[0])}"
    if get_args(kind):
        return _either([kind_in_words(each) for each in get_args(kind)])
    return _WORDS.get(kind, "something else")


def _either(parts: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


LARGEST_PX = 4096
"""Most pixels of a side, of stored pictures and of crops."""

Activation = Literal["relu", "tanh", "sigmoid"]
Fit = Literal["crop", "squash", "pad"]
Mean = Literal["image", "central", "channel", "none"]
Colour = Literal["paper", "program"]
Initialisation = Literal["model", "he"]
Loss = Literal["softmax", "squared"]
ClassWeights = Literal["none", "auto"]
Sampling = Literal["shuffle", "balanced"]
Schedule = Literal["plateau", "steps", "cosine", "constant"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train: network, pictures, augmentation, objective, rates, schedule.

    Every field is a flag of `alexnet train`. Unknown names and values out of range raise
    `RecipeError`. The defaults are section 5 of the paper, without its colour noise.
    """

    # network
    model: str = "alexnet"
    activation: Activation | None = None  # None: the model's own
    dropout: float | None = None  # share of units set to zero; None: the model's own
    initialisation: Initialisation = "model"  # "he": N(0, 2 / fan-in), biases 0

    # pictures
    image_px: int | None = None  # side of the stored picture; None: the model's own
    crop_px: int | None = None  # side of the crop that the network sees; None: the model's own
    fit: Fit = "crop"
    mean: Mean = "image"  # "central": the mean image's central cut for every crop (the program)
    standardise: bool = False  # divide by each channel's standard deviation after the mean
    val_fraction: float = 0.1  # of train, where the source brings no val; 0: none

    # augmentation
    flip: bool = True
    crop_area: float = 1.0  # below 1: boxes of that share of the area up to all, brought to size
    crop_group: int = 1  # pictures that share one crop and one flip; the program: 32
    colour: Colour = "paper"  # "program": the noisy picture is also divided by 1 + colour_noise
    colour_noise: float = 0.0  # standard deviation of the draw along each principal colour
    colour_until: int | None = None  # epoch from which colour noise is off

    # objective
    loss: Loss = "softmax"
    label_smoothing: float = 0.0  # share of each label that is spread over all classes
    class_weights: ClassWeights = "none"  # "auto": inverse class frequency
    sampling: Sampling = "shuffle"  # "balanced": each class equally often in an epoch

    # rates
    epochs: int = 90
    batch: int = 128
    lr: float = 0.01
    momentum: float = 0.9
    decay: float | None = 0.0005  # None: what the model's authors used, layer by layer
    bias_lr_ratio: float = 1.0  # rate of biases over the rate of weights; the program: 2
    bias_decay: bool = True  # the program: False
    layer_lr: tuple[str, ...] = ()  # "conv1@67=0.1": from epoch 67 conv1 learns at a tenth
    layer_decay: tuple[str, ...] = ()  # "fc10=0.03": fc10 has its own decay
    layer_momentum: tuple[str, ...] = ()  # "fc10=0": fc10 has its own momentum

    # schedule
    schedule: Schedule = "plateau"
    cuts: tuple[int, ...] = ()  # steps: epochs at which the rate is cut
    max_cuts: int = 3  # plateau: the run ends when the rate would be cut once more
    cut_factor: float = 0.1
    bias_cuts: int | None = None  # cuts that the biases' rate follows; None: all
    patience: int = 5  # plateau: epochs without a better validation error before a cut
    warmup_epochs: float = 0.0  # the rate rises in a line from 0 over so many epochs
    early_stop: int | None = None  # epochs without a better validation error before the end
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind in _hints().items():
            _check_kind(name, getattr(self, name), kind)
        for name, holds, wanted in _RANGES:
            value = getattr(self, name)
            if value is not None and not holds(value):
                raise RecipeError(f"{name} must be {wanted}; got {value!r}.")
        if self.image_px and self.crop_px and self.crop_px > self.image_px:
            raise RecipeError(
                f"crop_px ({self.crop_px}) is larger than image_px ({self.image_px}): the crop is "
                "taken out of the stored picture. Lower crop_px or raise image_px."
            )
        if self.crop_area < 1 and self.mean == "image":
            raise RecipeError(
                "crop_area below 1 resizes what is cut, and a mean image cannot follow it. "
                'Set mean to "central", "channel" or "none".'
            )
        if self.label_smoothing and self.loss != "softmax":
            raise RecipeError("label_smoothing belongs to the softmax loss. Set it to 0.")
        if list(self.cuts) != sorted(set(self.cuts)):
            raise RecipeError(f"cuts must be rising epochs; got {self.cuts}.")
        if self.schedule == "steps" and not self.cuts:
            raise RecipeError('schedule "steps" needs cuts, the epochs at which the rate is cut.')
        for text in self.layer_lr:
            LayerSetting.parse(text, "layer_lr")
        for text in self.layer_decay:
            LayerSetting.parse(text, "layer_decay")
        for text in self.layer_momentum:
            if LayerSetting.parse(text, "layer_momentum").value >= 1:
                raise RecipeError(f"layer_momentum must be under 1; got {text!r}.")

    def to_json(self) -> dict[str, Any]:
        """Return plain values, lists for tuples: what `run.json` and weights files hold."""
        return {
            name: list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }


class RecipeChanges(TypedDict, total=False):
    """The fields of `Recipe`, each optional: what a caller changes in a named recipe."""

    model: str
    """Network: one of `alexnet describe`'s names, layers-X.cfg, or package.module:function."""
    activation: Activation | None
    """Activation of the hidden layers; none: the model's own."""
    dropout: float | None
    """Share of units set to zero while training; none: the model's own."""
    initialisation: Initialisation
    """First weights: the model's published ones, or He's."""
    image_px: int | None
    """Side of the stored picture; none: the model's own."""
    crop_px: int | None
    """Side of the crop the network sees; none: the model's own."""
    fit: Fit
    """How a picture becomes square: centre crop (the paper), squash (Caffe), or pad."""
    mean: Mean
    """Subtracted: mean image, its central cut (the program), mean colour, or nothing."""
    standardise: bool
    """Divide by each channel's standard deviation."""
    val_fraction: float
    """Share of train held out where the source brings no val; 0: none."""
    flip: bool
    """Mirror half of the pictures while training."""
    crop_area: float
    """Smallest share of the picture that a crop shows, resized; 1: crops of fixed size."""
    crop_group: int
    """Pictures that share one crop and one flip; the authors' program: 32."""
    colour: Colour
    """Reading of the colour noise; the program divides by 1 + colour-noise afterwards."""
    colour_noise: float
    """Standard deviation of the noise along the principal colours; the paper: 0.1."""
    colour_until: int | None
    """Epoch from which colour noise is off."""
    loss: Loss
    """Softmax regression (the paper), or squared error on one-hot labels."""
    label_smoothing: float
    """Share of each label that is spread evenly over all classes."""
    class_weights: ClassWeights
    """Weigh classes by inverse frequency."""
    sampling: Sampling
    """True shuffle, or each class equally often."""
    epochs: int
    """Most passes over the training pictures."""
    batch: int
    """Pictures in a step."""
    lr: float | Literal["auto"]
    """Learning rate at the start; auto, for train alone: what the range test suggests."""
    momentum: float
    """Share of the last step kept."""
    decay: float | None
    """Weight decay, multiplied by the rate as in the paper; none: the model's published one."""
    bias_lr_ratio: float
    """Rate of biases over the rate of weights; the program: 2."""
    bias_decay: bool
    """Decay biases too."""
    layer_lr: tuple[str, ...]
    """A layer's rate as a multiple: conv1=0.1, conv1@67=0.1 from epoch 67, conv1.bias=2."""
    layer_decay: tuple[str, ...]
    """A layer's own decay: fc10=0.03."""
    layer_momentum: tuple[str, ...]
    """A layer's own momentum: fc10=0."""
    schedule: Schedule
    """How the rate falls."""
    cuts: tuple[int, ...]
    """Steps: epochs at which the rate is cut."""
    max_cuts: int
    """Plateau: cuts before the run ends."""
    cut_factor: float
    """What a cut multiplies the rate by."""
    bias_cuts: int | None
    """Cuts that the biases' rate follows; none: all."""
    patience: int
    """Plateau: epochs without a better validation error before a cut."""
    warmup_epochs: float
    """The rate rises from 0 over so many epochs."""
    early_stop: int | None
    """Epochs without a better validation error before the run ends."""
    seed: int
    """Seed of the split, the order, the crops, the first weights."""


@dataclass(frozen=True)
class LayerSetting:
    """One entry of `layer_lr` and its like: a value for a layer, or a tensor, from an epoch on."""

    layer: str
    from_epoch: int
    value: float

    @classmethod
    def parse(cls, text: str, field: str) -> LayerSetting:
        """Read `"conv1=0.1"` or `"conv1@67=0.1"`; raise RecipeError for anything else."""
        layer, equals, value = text.partition("=")
        layer, _, epoch = layer.partition("@")
        try:
            setting = cls(layer.strip(), int(epoch or 0), float(value))
        except ValueError:
            setting = None
        if setting is None or not (equals and setting.layer and 0 <= setting.value < math.inf):
            raise RecipeError(
                f"{field} holds {text!r}, which is not LAYER=NUMBER or LAYER@EPOCH=NUMBER. "
                'Write for example "conv1=0.1" or "conv1@67=0.1".'
            )
        return setting


_RANGES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("dropout", lambda v: 0 <= v < 1, "at least 0 and under 1"),
    ("image_px", lambda v: 1 <= v <= LARGEST_PX, f"between 1 and {LARGEST_PX} pixels"),
    ("crop_px", lambda v: 1 <= v <= LARGEST_PX, f"between 1 and {LARGEST_PX} pixels"),
    ("val_fraction", lambda v: 0 <= v < 1, "at least 0 and under 1"),
    ("crop_area", lambda v: 0 < v <= 1, "above 0 and at most 1"),
    ("label_smoothing", lambda v: 0 <= v < 1, "at least 0 and under 1"),
    ("crop_group", lambda v: v >= 1, "at least 1 picture"),
    ("colour_noise", lambda v: 0 <= v < math.inf, "a number of at least 0"),
    ("colour_until", lambda v: v >= 0, "an epoch of at least 0"),
    ("epochs", lambda v: v >= 1, "at least 1"),
    ("batch", lambda v: v >= 1, "at least 1"),
    ("lr", lambda v: 0 < v < math.inf, "a number above 0"),
    ("momentum", lambda v: 0 <= v < 1, "at least 0 and under 1"),
    ("decay", lambda v: 0 <= v < math.inf, "a number of at least 0"),
    ("bias_lr_ratio", lambda v: 0 <= v < math.inf, "a number of at least 0"),
    ("cuts", lambda v: all(each >= 1 for each in v), "epochs of at least 1"),
    ("max_cuts", lambda v: v >= 0, "at least 0"),
    ("cut_factor", lambda v: 0 < v < 1, "above 0 and under 1"),
    ("bias_cuts", lambda v: v >= 0, "at least 0"),
    ("patience", lambda v: v >= 1, "at least 1 epoch"),
    ("warmup_epochs", lambda v: 0 <= v < math.inf, "a number of at least 0"),
    ("early_stop", lambda v: v >= 1, "at least 1 epoch"),
    ("seed", lambda v: 0 <= v < 2**63, "between 0 and 2**63 - 1"),
)


def changed(recipe: Recipe, changes: RecipeChanges | Mapping[str, Any]) -> Recipe:
    """Return `recipe` with some fields changed; an unknown name raises RecipeError."""
    known = [field.name for field in dataclasses.fields(Recipe)]
    for name in changes:
        if name not in known:
            raise RecipeError(
                f'A recipe has no field "{name}".{did_you_mean(name, known)} '
                f"Fields: {', '.join(known)}."
            )
    hints = _hints()
    values = {name: _listed(value, hints[name]) for name, value in changes.items()}
    return dataclasses.replace(recipe, **values)


def recipe_from_json(values: object, where: str) -> Recipe:
    """Read what `Recipe.to_json` wrote; `where` names the file in errors."""
    if not isinstance(values, dict):
        raise RecipeError(f"{where} holds no recipe: an object of fields and values is expected.")
    try:
        return changed(Recipe(), cast("dict[str, Any]", values))
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from None


def _hints() -> dict[str, Any]:
    return get_type_hints(Recipe)


def _listed(value: Any, kind: Any) -> Any:
    """Turn the lists of JSON into the tuples of the dataclass."""
    if isinstance(value, list) and get_origin(kind) is tuple:
        return tuple(cast("list[Any]", value))
    return cast("object", value)


def _check_kind(name: str, value: object, kind: Any) -> None:
    """Hold a value against the field's annotation: plain kinds, literals, optionals, tuples."""
    if not _is_kind(value, kind):
        wanted = kind_in_words(kind)
        near = did_you_mean(value, choices(kind)) if isinstance(value, str) else ""
        raise RecipeError(f"{name} must be {wanted}; got {value!r}.{near}")


def _is_kind(value: object, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        parts = cast("tuple[object, ...]", value)
        return isinstance(value, tuple) and all(_is_kind(each, get_args(kind)[0]) for each in parts)
    if get_args(kind):
        return any(_is_kind(value, each) for each in get_args(kind))
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)
