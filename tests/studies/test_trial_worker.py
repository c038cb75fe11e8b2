"""Whole studies in this process, with trials that train nothing."""

from __future__ import annotations

import dataclasses
import math

import optuna
import pytest

from alexnet.errors import Diverged, Interrupted, RecipeError, RunError, SourceError
from alexnet.studies import (
    TrialWorker,
    best_trial,
    open_study,
    trial_records,
)
from alexnet.studies.study import requeue
from alexnet.training import StopRequest

from .formula import make_config, make_epoch, run_study, train_formula


@pytest.mark.parametrize("sampler", ["random", "tpe", "grid", "quasi-random"])
def test_samplers_follow_the_seed(tmp_path, sampler):
    config = make_config(sampler=sampler, trials=12)
    first = run_study(tmp_path / "a" / "study", config)
    again = run_study(tmp_path / "b" / "study", config)
    assert [each.params for each in first] == [each.params for each in again]
    assert len({str(each.params) for each in first}) == 12
    other = make_config(
        sampler=sampler, trials=12, recipe=dataclasses.replace(config.recipe, seed=4)
    )
    found = [each.params for each in run_study(tmp_path / "c" / "study", other)]
    assert found != [each.params for each in first]


@pytest.mark.parametrize("sampler", ["random", "tpe", "grid", "quasi-random"])
def test_an_interrupted_study_ends_as_an_uninterrupted_one(tmp_path, sampler):
    config = make_config(sampler=sampler, trials=12)
    whole = run_study(tmp_path / "a" / "study", config)
    stop, count = StopRequest(), 0

    def train(recipe, folder):
        nonlocal count
        count += 1
        if count == 5:
            stop.reason = "Ctrl-C"
        return train_formula(recipe, folder)

    with open_study(tmp_path / "b" / "study", config) as study:
        with pytest.raises(Interrupted, match=r"Stopped by Ctrl-C\."):
            TrialWorker(study, train, stop).work()
        assert study.progress().finished == 5
    assert run_study(tmp_path / "b" / "study", config)[4:] != []
    again = run_study(tmp_path / "b" / "study", config)
    assert [(e.params, e.val_error) for e in again] == [(e.params, e.val_error) for e in whole]


def test_an_interrupted_trial_continues_in_its_own_folder(tmp_path):
    config = make_config(trials=3)
    folders = []

    def train(recipe, folder):
        folders.append((folder.name, recipe))
        if len(folders) == 2:
            yield make_epoch(1, 0.5)
            raise Interrupted("Stopped by SIGTERM after step 7.")
        yield from train_formula(recipe, folder)

    with pytest.raises(Interrupted):
        run_study(tmp_path / "study", config, train)
    trials = run_study(tmp_path / "study", config, train)
    assert [name for name, _ in folders] == ["0000", "0001", "0001", "0003"]
    assert folders[1][1] == folders[2][1]
    assert [each.state for each in trials] == ["complete"] * 3
    assert [each.retry_of for each in trials] == [None, 1, None]
    assert trials[1].curve[0] == (1, 0.5)  # what the first half had reported


def test_halving_prunes_trials_that_fall_behind(tmp_path):
    trained = []

    def train(recipe, folder):
        (folder / "checkpoints").mkdir(parents=True)
        yield from train_formula(recipe, folder)
        trained.append(folder)

    trials = run_study(tmp_path / "study", make_config(pruner="halving", trials=20), train)
    pruned = [each for each in trials if each.state == "pruned"]
    assert 5 < len(pruned) < 19
    assert len(trained) == 20 - len(pruned)
    assert {len(each.curve) for each in pruned} <= {1, 3}  # never at the last epoch
    best = best_trial(trials)
    assert best.val_error == min(each.val_error for each in trials if each.state == "complete")
    assert not list((tmp_path / "study").glob("trials/*/checkpoints"))


def test_hyperband_works_with_every_sampler(tmp_path):
    for sampler in ("random", "tpe"):
        config = make_config(pruner="hyperband", sampler=sampler, trials=15)
        trials = run_study(tmp_path / sampler, config)
        assert [each.number for each in trials] == list(range(15))
        if sampler == "random":
            plain = run_study(tmp_path / "plain", make_config(trials=15))
            assert [e.params for e in trials] == [e.params for e in plain]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Diverged("The loss is no longer finite."), "no longer finite"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 byte"), "not enough memory"),
        (RecipeError("crop_px is larger."), "crop_px is larger"),
    ],
)
def test_failed_trials_have_a_reason_and_the_study_continues(tmp_path, error, reason):
    count = 0

    def train(recipe, folder):
        nonlocal count
        count += 1
        if count == 2:
            raise error
        return train_formula(recipe, folder)

    trials = run_study(tmp_path / "study", make_config(trials=4), train)
    assert [each.state for each in trials] == ["complete", "failed", "complete", "complete"]
    assert reason in trials[1].reason


@pytest.mark.parametrize("error", [SourceError("gone"), RunError("full"), RuntimeError("a bug")])
def test_other_errors_end_the_search_and_requeue_the_trial(tmp_path, error):
    def train(recipe, folder):
        raise error

    with pytest.raises(type(error), match=str(error)):
        run_study(tmp_path / "study", make_config(trials=2), train)
    trials = run_study(tmp_path / "study", make_config(trials=2))
    assert [each.state for each in trials] == ["complete", "complete"]
    assert trials[0].retry_of == 0


def test_a_worker_taken_for_dead_gives_up_its_trial(tmp_path):
    config = make_config(trials=3)
    with open_study(tmp_path / "study", config) as study:

        def train(recipe, folder):
            if folder.name == "0001" and len(study.trials()) == 2:
                trial = study.optuna.trials[1]
                study.optuna._storage.set_trial_state_values(
                    trial._trial_id, optuna.trial.TrialState.FAIL
                )
                requeue(study.optuna, trial)
            return train_formula(recipe, folder)

        TrialWorker(study, train, StopRequest()).work()
        trials = trial_records(study)
    assert [(each.state, each.retry_of) for each in trials] == [
        *(("complete", None), ("complete", 1), ("complete", None)),
    ]


def test_a_trial_fails_after_three_deaths_of_its_worker(tmp_path):
    config = make_config(trials=2)

    def die(recipe, folder):
        raise RuntimeError("a bug")

    for _ in range(3):
        with pytest.raises(RuntimeError, match="a bug"):
            run_study(tmp_path / "study", config, die)
    trials = run_study(tmp_path / "study", config)
    assert [each.state for each in trials] == ["failed", "complete"]
    assert trials[0].reason == "Its worker died three times during it."


def test_no_trial_starts_after_the_deadline(tmp_path):
    assert run_study(tmp_path / "study", make_config(), deadline=-math.inf) == []


def test_inactive_fields_are_not_sampled(tmp_path):
    config = make_config(vary=("schedule=plateau,cosine", "patience"), trials=12)
    for each in run_study(tmp_path / "study", config):
        assert ("patience" in each.params) == (each.params["schedule"] == "plateau")
