"""From a name, a file or a model to its recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from alexnet.errors import RecipeError, did_you_mean
from alexnet.files import read_json
from alexnet.models import is_layer_file, layer_file_hyperparameters, needs_trust, read_layer_files
from alexnet.reading import MAX_SETTINGS_BYTES
from alexnet.recipe import Recipe, RecipeChanges, changed, recipe_from_json

__all__ = [
    "RECIPES",
    "choose_recipe",
    "cifar",
    "cifar_program",
    "digits",
    "finetuning",
    "paper",
    "program",
    "small",
]


def cifar() -> Recipe:
    """Train a net for 32-pixel images quickly: about 25 % of CIFAR-10 wrong after 7 epochs.

    The authors' nets with what is known since: initialization by layer width, one scale for the
    channels, thirty times the rate and a cosine. For 18 % take `cifar_18pct`, crops of 28 pixels,
    flips and 50 epochs.
    """
    return Recipe(
        model="cifar_26pct",
        mean="channel",
        normalize=True,
        flip=False,
        initialization="he",
        lr=0.03,
        schedule="cosine",
        warmup_epochs=0.5,
        epochs=7,
    )


def cifar_program() -> Recipe:
    """Train a net for 32-pixel images with the rates of the program's CIFAR-10 examples.

    Rate 0.001, biases at twice that and without decay, each layer's decay as published
    (`example-layers/`). The default net is the one of "26 % in 80 seconds".
    """
    return Recipe(
        model="cifar_26pct",
        mean="central",
        flip=False,
        lr=0.001,
        weight_decay=None,
        bias_lr_ratio=2.0,
        bias_weight_decay=False,
        schedule="steps",
        milestones=(8, 9),
        epochs=10,
    )


def digits() -> Recipe:
    """Train on handwritten digits: no mirror images (a mirrored 2 is no digit), small crops."""
    return Recipe(
        model="cifar_26pct",
        crop_px=28,
        mean="channel",
        initialization="he",
        normalize=True,
        flip=False,
        lr=0.02,
        weight_decay=0.0005,
        layer_weight_decay=("conv1=0.1",),  # noise decays, so that the filters can be looked at
        batch_size=64,
        schedule="cosine",
        warmup_epochs=1.0,
        epochs=30,
    )


def paper() -> Recipe:
    """Train as the paper prints it: batch 128, 0.9, 0.0005, rate 0.01 dropping by ten three times.

    The rate drops each time the validation error stops falling; where it would drop a fourth
    time, the run ends. About 90 epochs on 1.2 million images. Printed: 40.7 % top-1 and 18.2 %
    top-5 error on the 2012 validation set with ten crops. First weights are 0.01 everywhere, as
    printed; if the loss stays at ln(classes), `--model alexnet_program` starts as the authors did.
    """
    return Recipe(
        model="alexnet",
        mean="image",
        color_jitter_form="paper",
        color_jitter=0.1,
        schedule="plateau",
        max_lr_drops=3,
        patience=5,
        epochs=120,
    )


def program() -> Recipe:
    """Train as the program did: biases at twice the rate and without decay, conv3 to 5 at 0.03.

    Logged (`layer-params-145.cfg`): rate drops by ten at epochs 25, 51 and 79, biases never; color
    jitter off and conv1 at a tenth from 67, conv1 frozen from 72, the end at 91. Logged error on
    the 2012 validation set, ten views: 40.66 % top-1, 18.21 % top-5. Expect about 42.5 % and 19.8 %
    at one crop.
    """
    return Recipe(
        model="alexnet_program",
        mean="central",
        color_jitter_form="program",
        color_jitter=0.1,
        color_jitter_until=67,
        crop_group=32,
        bias_lr_ratio=2.0,
        bias_weight_decay=False,
        bias_lr_drops=0,
        layer_lr=("conv1@67=0.1", "conv1@72=0"),
        schedule="steps",
        milestones=(25, 51, 79),
        epochs=91,
    )


def small() -> Recipe:
    """Train `alexnet_small` on 64-pixel images: boxes of any size, flips, colors, a cosine.

    Made for some hundred images a class: without the boxes, and with hard labels, a net of this
    size overfits such a set long before the rate has fallen.
    """
    return Recipe(
        model="alexnet_small",
        mean="channel",
        normalize=True,
        random_resized_crop=0.35,
        label_smoothing=0.1,
        color_jitter_form="paper",
        color_jitter=0.1,
        schedule="cosine",
        warmup_epochs=1.0,
        lr=0.05,
        bias_weight_decay=False,
        epochs=40,
    )


RECIPES: Mapping[str, Callable[[], Recipe]] = {
    "paper": paper,
    "program": program,
    "cifar": cifar,
    "cifar_program": cifar_program,
    "small": small,
    "digits": digits,
}

_OF_MODEL = {
    "alexnet": "paper",
    "alexnet_program": "program",
    "alexnet_sixth_conv": "program",
    "one_gpu": "program",
}


def choose_recipe(name: str | None, changes: RecipeChanges) -> Recipe:
    """Return the recipe of that name, or of that file, with some fields changed.

    Args:
        name: a named recipe; or a JSON file that holds a recipe, such as a run's `run.json`;
            None: the recipe that suits the model, and `small` where no model is named either.
        changes: fields to change, `model` among them. A model in layer files brings its own rates,
            whatever the named recipe's are.

    Raises:
        RecipeError: no such recipe (the nearest names are given), or a field that cannot be; a file
            that asks for code which nobody named in this call.
    """
    model = changes.get("model")
    if name is None:
        recipe = Recipe() if model and is_layer_file(model) else RECIPES[_recipe_of(model)]()
    elif name in RECIPES:
        recipe = RECIPES[name]()
    elif name.endswith(".json"):
        recipe = _from_file(Path(name))
        if model is None and needs_trust(recipe.model):
            raise RecipeError(
                f"{name} asks for the network {recipe.model}, which is code that would be imported "
                f"and run. If you trust it, add --trust {recipe.model}"
            )
    else:
        raise RecipeError(
            f'There is no recipe "{name}".{did_you_mean(name, RECIPES)} '
            f"Recipes: {', '.join(RECIPES)}; or the name of a .json file that holds one."
        )
    if model and is_layer_file(model):
        recipe = changed(recipe, layer_file_hyperparameters(read_layer_files(model)))
    return changed(recipe, changes)


def _recipe_of(model: str | None) -> str:
    if model is None:
        return "small"
    if model.startswith("cifar"):
        return "cifar"
    if model in ("alexnet_caffe", "caffenet", "one_column"):
        return "paper"
    return _OF_MODEL.get(model, "small")


def _from_file(path: Path) -> Recipe:
    if not path.is_file():
        raise RecipeError(
            f"There is no recipe file {path}. Name one, such as the run.json of a run, or a "
            f"recipe: {', '.join(RECIPES)}."
        )
    values: object = read_json(path, RecipeError, most=MAX_SETTINGS_BYTES)
    if isinstance(values, dict) and "recipe" in values:
        return recipe_from_json(cast("dict[str, object]", values)["recipe"], str(path))
    return recipe_from_json(cast("object", values), str(path))


def finetuning() -> Recipe:
    """Train the new last layer fast and the others slowly, in small batches, down a cosine.

    Made for some dozens of images a class: boxes of many sizes, colors, soft labels, rare
    classes weighing more, and an end where the held-out images gain nothing for a while. Model
    and preprocessing become those of the weights; where these hold a mean image, which no box can
    follow, crops keep their size. Each layer's own rate is set by `alexnet finetune`.
    """
    return Recipe(
        mean="channel",
        random_resized_crop=0.35,
        color_jitter=0.1,
        label_smoothing=0.1,
        class_weights="auto",
        early_stop=8,
        batch_size=32,
        lr=0.01,
        schedule="cosine",
        warmup_epochs=0.5,
        epochs=20,
        bias_weight_decay=False,
    )
