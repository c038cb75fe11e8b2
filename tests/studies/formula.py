"""Studies whose trials train nothing: their error is a formula of what is tried."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from alexnet.recipe import Recipe
from alexnet.records import Epoch
from alexnet.studies import Plan, space_of

RECIPE = Recipe(model="mlp", epochs=9, schedule="constant", seed=3)
VARY = ("lr=1e-4..1e-1:log", "momentum=0.5..0.98", "activation=relu,tanh")


def make_plan(**changes) -> Plan:
    recipe = changes.pop("recipe", RECIPE)
    vary = changes.pop("vary", VARY)
    values = {
        "sampler": "random",
        "pruner": "none",
        "trials": 6,
        "fingerprint": "f",
        "classes": ("ant", "bee"),
    }
    return Plan(recipe=recipe, space=space_of(vary, recipe), **(values | changes))


def error_of(recipe: Recipe) -> float:
    """The lowest at a rate of 0.01; momentum matters a little."""
    return min(0.9, 0.1 + 0.2 * abs(math.log10(recipe.lr) + 2) + 0.05 * abs(recipe.momentum - 0.9))


def make_epoch(number: int, error: float) -> Epoch:
    return Epoch(
        epoch=number,
        step=number,
        lr=0.01,
        train_loss=error,
        train_error=error,
        val_loss=2 * error,
        val_error=error,
        val_top5_error=0.0,
        images_per_s=100.0,
        seconds=0.1,
        best=True,
    )


def train_formula(
    recipe: Recipe, folder: Path, on_epoch: Callable[[Epoch], None]
) -> tuple[list[Epoch], float]:
    """Come nearer to the recipe's error from epoch to epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    done: list[Epoch] = []
    for number in range(1, recipe.epochs + 1):
        done.append(make_epoch(number, error_of(recipe) + 0.05 / number))
        on_epoch(done[-1])
    return done, 0.9
