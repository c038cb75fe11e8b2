from __future__ import annotations

import dataclasses

import pytest

from alexnet.studies import (
    TrialWorker,
    best_trial,
    field_importance,
    open_study,
    trial_records,
    write_best_recipe,
)
from alexnet.training import StopRequest

from .formula import error_of, make_config, make_epoch, run_study, train_formula


def test_the_best_trial_of_equal_errors_has_the_lower_loss(tmp_path):
    losses = iter([0.9, 0.3, 0.5])

    def train(recipe, folder):
        yield dataclasses.replace(make_epoch(1, 0.25), val_loss=next(losses))

    trials = run_study(tmp_path / "study", make_config(trials=3), train)
    assert best_trial(trials).number == 1


def test_the_best_recipe_can_be_trained(tmp_path):
    from alexnet.recipes import choose_recipe

    with open_study(tmp_path / "study", make_config()) as study:
        TrialWorker(study, train_formula, StopRequest()).work()
        best = best_trial(trial_records(study))
        path = write_best_recipe(study, best)
    recipe = choose_recipe(str(path), {})
    assert {name: getattr(recipe, name) for name in best.params} == best.params
    assert error_of(recipe) == pytest.approx(best.val_error, abs=0.01)


def test_field_importance(tmp_path):
    config = make_config(trials=40, vary=("lr", "momentum"))
    trials = run_study(tmp_path / "study", config)
    shares = field_importance(trials, config.space)
    assert next(iter(shares)) == "lr"
    assert sum(shares.values()) == pytest.approx(1)
    assert field_importance(trials[:7], config.space) == {}
