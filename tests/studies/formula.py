"""Studies whose trials train nothing: their error is a formula of the parameters."""

from __future__ import annotations

import math
from collections.abc import Generator
from pathlib import Path

from alexnet.recipe import Recipe
from alexnet.records import Epoch, TrialRecord
from alexnet.studies import StudyConfig, TrialWorker, open_study, parse_space, trial_records
from alexnet.training import StopRequest

RECIPE = Recipe(model="mlp", epochs=9, schedule="constant", seed=3)
VARY = ("lr=1e-4..1e-1:log", "momentum=0.5..0.98", "activation=relu,tanh")


def make_config(**changes) -> StudyConfig:
    recipe = changes.pop("recipe", RECIPE)
    vary = changes.pop("vary", VARY)
    values = {
        "sampler": "random",
        "pruner": "none",
        "trials": 6,
        "fingerprint": "f",
        "classes": ("ant", "bee"),
    }
    return StudyConfig(recipe=recipe, space=parse_space(vary, recipe), **(values | changes))


def error_of(recipe: Recipe) -> float:
    """Return an error that is lowest at a rate of 0.01; momentum matters a little."""
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


def train_formula(recipe: Recipe, folder: Path) -> Generator[Epoch]:
    """Approach the recipe's error from epoch to epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, recipe.epochs + 1):
        yield make_epoch(number, error_of(recipe) + 0.05 / number)


def run_study(
    folder: Path, config: StudyConfig, train=train_formula, **options: float
) -> list[TrialRecord]:
    """Run a study to its end with one worker in this process; return its trials."""
    with open_study(folder, config) as study:
        TrialWorker(study, train, StopRequest(), **options).work()
        return trial_records(study)
