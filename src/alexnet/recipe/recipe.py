"""The Recipe and its fields, each described once.

What does not shape the result (where the run lies, how many threads, how the images are cached)
is not here but a parameter of `train`. The fields are many because three published programs differ
in each of them; every one has a default that suits a folder of images.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_origin, get_type_hints

from alexnet.errors import RecipeError, did_you_mean
from alexnet.recipe.layers import LayerSetting
from alexnet.recipe.settings import (
    Condition,
    Search,
    any_of,
    check_value,
    linear,
    log,
    resolve_search,
    setting,
    setting_of,
)
from alexnet.text import shorten

__all__ = [
    "LARGEST_PX",
    "Activation",
    "ClassWeights",
    "ColorJitterForm",
    "Initialization",
    "Loss",
    "Mean",
    "Recipe",
    "ResizeMode",
    "Sampling",
    "Schedule",
    "changed",
    "recipe_from_json",
    "recipe_help",
    "search_defaults",
    "search_exclusions",
]

LARGEST_PX = 4096
"""Most pixels of a side, of stored images and of crops."""

Activation = Literal["relu", "tanh", "sigmoid"]
ResizeMode = Literal["crop", "squash", "pad"]
Mean = Literal["image", "central", "channel", "none"]
ColorJitterForm = Literal["paper", "program"]
Initialization = Literal["model", "he"]
Loss = Literal["softmax", "squared"]
ClassWeights = Literal["none", "auto"]
Sampling = Literal["shuffle", "balanced"]
Schedule = Literal["plateau", "steps", "cosine", "constant"]

_SAME_IMAGES = "all trials are measured on the same validation images"
_SAME_PACK = "all trials share one pack of stored images"
_SAME_NETWORK = "a study is about one network; search each in a study of its own"
_SAME_LENGTH = "trials are compared epoch by epoch, up to the same last one"
_REPEATS = "it is there to repeat the authors' program, not to be better"
_LIST = "it is a list with an entry for each layer or epoch"

_STEPWISE = Condition("schedule", ("plateau", "steps"))
_PLATEAU = Condition("schedule", ("plateau",))
_NO_MEAN_IMAGE = Condition("mean", ("central", "channel", "none"))
_JITTER = Condition("color_jitter", above=0)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train: network, images, augmentation, loss, rates, schedule.

    Every field is a flag of `alexnet train`. Unknown names and values out of range raise
    `RecipeError`. The defaults are section 5 of the paper, without its color jitter.
    """

    # network
    model: str = setting(
        "alexnet",
        "Network: one of `alexnet describe`'s names, layers-X.cfg, or package.module:function.",
        search=_SAME_NETWORK,
    )
    activation: Activation | None = setting(
        None, "Activation of the hidden layers; none: the model's own.", search=any_of()
    )
    dropout: float | None = setting(
        None,
        "Share of units set to zero while training; none: the model's own.",
        at_least=0,
        under=1,
        search=linear(0.0, 0.8, usual=5),
    )
    initialization: Initialization = setting(
        "model", "First weights: the model's published ones, or He's.", search=any_of()
    )

    # images
    image_px: int | None = setting(
        None,
        "Side of the stored image; none: the model's own.",
        at_least=1,
        at_most=LARGEST_PX,
        search=_SAME_PACK,
    )
    crop_px: int | None = setting(
        None,
        "Side of the crop that the network sees; none: the model's own.",
        at_least=1,
        at_most=LARGEST_PX,
        search=_SAME_NETWORK,
    )
    resize_mode: ResizeMode = setting(
        "crop",
        "How an image becomes square: center crop (the paper), squash (Caffe), or pad.",
        search=_SAME_PACK,
    )
    mean: Mean = setting(
        "image",
        "Subtracted: mean image, its central crop (the program), mean color, or nothing.",
        search=any_of(),
    )
    normalize: bool = setting(
        False, "Divide by each channel's standard deviation.", search=any_of()
    )
    val_fraction: float = setting(
        0.1,
        "Share of train held out where the source brings no val; 0: none.",
        at_least=0,
        under=1,
        search=_SAME_IMAGES,
    )

    # augmentation
    flip: bool = setting(True, "Mirror half of the images while training.", search=any_of())
    random_resized_crop: float = setting(
        1.0,
        "Smallest share of the image that a crop shows, resized; 1: crops of fixed size.",
        above=0,
        at_most=1,
        search=linear(0.08, 1.0, only_with=_NO_MEAN_IMAGE),
    )
    crop_group: int = setting(
        1,
        "Images that share one crop and one flip; the authors' program: 32.",
        at_least=1,
        search=_REPEATS,
    )
    color_jitter_form: ColorJitterForm = setting(
        "paper",
        "Form of the color jitter; the program also divides by 1 + color-jitter.",
        search=any_of(only_with=_JITTER),
    )
    color_jitter: float = setting(
        0.0,
        "Standard deviation of the jitter along the principal colors; the paper: 0.1.",
        at_least=0,
        search=linear(0.0, 0.3),
    )
    color_jitter_until: int | None = setting(
        None,
        "Epoch from which color jitter is off.",
        at_least=0,
        search=linear(0, 90, only_with=_JITTER),
    )

    # loss
    loss: Loss = setting(
        "softmax",
        "Softmax regression (the paper), or squared error on one-hot labels.",
        search=any_of(),
    )
    label_smoothing: float = setting(
        0.0,
        "Share of each label that is spread evenly over all classes.",
        at_least=0,
        under=1,
        search=linear(0.0, 0.2, only_with=Condition("loss", ("softmax",))),
    )
    class_weights: ClassWeights = setting(
        "none", "Weigh classes by inverse frequency.", search=any_of()
    )
    sampling: Sampling = setting(
        "shuffle", "True shuffle, or each class equally often.", search=any_of()
    )

    # rates
    epochs: int = setting(
        90, "Most passes over the training images.", at_least=1, search=_SAME_LENGTH
    )
    batch_size: int = setting(128, "Images in a step.", at_least=1, search=log(16, 256, usual=4))
    lr: float = setting(
        0.01,
        "Learning rate at the start; auto, for train alone: what the range test suggests.",
        above=0,
        search=log(1e-4, 1e-1, usual=1),
    )
    momentum: float = setting(
        0.9,
        "Share of the last step kept.",
        at_least=0,
        under=1,
        search=linear(0.5, 0.99, usual=2),
    )
    weight_decay: float | None = setting(
        0.0005,
        "Weight decay, multiplied by the rate as in the paper; none: the model's published one.",
        at_least=0,
        search=log(1e-5, 1e-2, usual=3),
    )
    bias_lr_ratio: float = setting(
        1.0,
        "Rate of biases over the rate of weights; the program: 2.",
        at_least=0,
        search=log(0.5, 4.0),
    )
    bias_weight_decay: bool = setting(
        True, "Decay biases too; the program does not.", search=any_of()
    )
    layer_lr: tuple[str, ...] = setting(
        (),
        "A layer's rate as a multiple: conv1=0.1, conv1@67=0.1 from epoch 67, conv1.bias=2.",
        search=_LIST,
    )
    layer_weight_decay: tuple[str, ...] = setting(
        (), "A layer's own weight decay: fc10=0.03.", search=_LIST
    )
    layer_momentum: tuple[str, ...] = setting((), "A layer's own momentum: fc10=0.", search=_LIST)

    # schedule
    schedule: Schedule = setting(
        "plateau", "How the rate falls.", search=any_of("plateau", "cosine", "constant")
    )
    milestones: tuple[int, ...] = setting(
        (), "Steps: epochs at which the rate drops.", at_least=1, search=_LIST
    )
    max_lr_drops: int = setting(
        3,
        "Plateau: drops of the rate before the run ends.",
        at_least=0,
        search=linear(1, 4, only_with=_PLATEAU),
    )
    lr_factor: float = setting(
        0.1,
        "What a drop multiplies the rate by.",
        above=0,
        under=1,
        search=log(0.05, 0.5, only_with=_STEPWISE),
    )
    bias_lr_drops: int | None = setting(
        None, "Drops that the biases' rate follows; none: all.", at_least=0, search=_LIST
    )
    patience: int = setting(
        5,
        "Plateau: epochs without a better validation error before a drop.",
        at_least=1,
        search=linear(1, 10, only_with=_PLATEAU),
    )
    warmup_epochs: float = setting(
        0.0,
        "The rate rises in a line from 0 over so many epochs.",
        at_least=0,
        search=linear(0.0, 2.0),
    )
    early_stop: int | None = setting(
        None,
        "Epochs without a better validation error before the end; from 100 images on.",
        at_least=1,
        search=_SAME_LENGTH,
    )
    seed: int = setting(
        0,
        "Seed of the split, the order, the crops, the first weights.",
        at_least=0,
        at_most=2**63 - 1,
        search=_SAME_IMAGES,
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_value(field, getattr(self, field.name), _hints()[field.name])
        self._check_images()
        self._check_schedule()
        for name in ("layer_lr", "layer_weight_decay", "layer_momentum"):
            for text in getattr(self, name):
                value = LayerSetting.parse(text, name).value
                if name == "layer_momentum" and value >= 1:
                    raise RecipeError(f"layer_momentum must be under 1; got {text!r}.")

    def _check_images(self) -> None:
        if self.image_px and self.crop_px and self.crop_px > self.image_px:
            raise RecipeError(
                f"crop_px ({self.crop_px}) is larger than image_px ({self.image_px}): the crop is "
                "taken out of the stored image. Lower crop_px or raise image_px."
            )
        if self.random_resized_crop < 1 and self.mean == "image":
            raise RecipeError(
                "random_resized_crop below 1 resizes each crop, and a mean image cannot follow it. "
                'Set mean to "central", "channel" or "none".'
            )
        if self.label_smoothing and self.loss != "softmax":
            raise RecipeError("label_smoothing belongs to the softmax loss. Set it to 0.")

    def _check_schedule(self) -> None:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise RecipeError(f"milestones must be rising epochs; got {shorten(self.milestones)}.")
        if self.schedule == "steps" and not self.milestones:
            raise RecipeError(
                'schedule "steps" needs milestones, the epochs at which the rate drops.'
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain values, lists for tuples: what `run.json` and weights files hold."""
        return {
            name: list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
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


def recipe_help() -> dict[str, str]:
    """Return the help of each field by its name."""
    return {field.name: setting_of(field).help for field in dataclasses.fields(Recipe)}


def search_defaults() -> dict[str, Search]:
    """Return what a search tries, by the name of the field; those that it tries unasked first."""
    found = {
        field.name: resolve_search(search, _hints()[field.name])
        for field in dataclasses.fields(Recipe)
        if isinstance(search := setting_of(field).search, Search)
    }
    return dict(sorted(found.items(), key=lambda item: item[1].usual or len(found)))


def search_exclusions() -> dict[str, str]:
    """Return the fields that no search varies, and why."""
    return {
        field.name: reason
        for field in dataclasses.fields(Recipe)
        if isinstance(reason := setting_of(field).search, str)
    }


@functools.cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Recipe)


def _listed(value: Any, annotation: Any) -> Any:
    """Turn the lists of JSON into the tuples of the dataclass."""
    if isinstance(value, list) and get_origin(annotation) is tuple:
        return tuple(cast("list[Any]", value))
    return cast("object", value)
