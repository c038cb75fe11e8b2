"""From a name, a file or a model to its recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from alexnet.errors import RecipeError, did_you_mean
from alexnet.files import read_json
from alexnet.models import file_rates, is_layer_file, needs_trust, read_layer_files
from alexnet.recipe import Recipe, RecipeChanges, changed, recipe_from_json
from alexnet.recipes.cifar import cifar, cifar_program
from alexnet.recipes.digits import digits
from alexnet.recipes.paper import paper
from alexnet.recipes.program import program
from alexnet.recipes.small import small

__all__ = ["RECIPES", "choose_recipe"]

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
        recipe = changed(recipe, file_rates(read_layer_files(model)))
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
    values: object = read_json(path, RecipeError)
    if isinstance(values, dict) and "recipe" in values:
        return recipe_from_json(cast("dict[str, object]", values)["recipe"], str(path))
    return recipe_from_json(cast("object", values), str(path))
