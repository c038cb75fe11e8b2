"""Whole studies in this process, with trials that train nothing."""

from __future__ import annotations

import dataclasses
import math

import optuna
import pytest

from alexnet.errors import Diverged, Interrupted, RecipeError, RunError, SourceError
from alexnet.studies import Worker, best_of, field_importance, open_study, trial_records, write_best
from alexnet.studies.study import give_back
from alexnet.training import StopRequest

from .formula import error_of, make_epoch, make_plan, train_formula


def work(folder, plan, train=train_formula, **options):
    with open_study(folder, plan) as study:
        Worker(study, train, StopRequest(), **options).work()
        return trial_records(study)


@pytest.mark.parametrize("sampler", ["random", "tpe", "grid", "quasi-random"])
def test_the_same_seed_tries_the_same_and_another_does_not(tmp_path, sampler):
    plan = make_plan(sampler=sampler, trials=12)
    first = work(tmp_path / "a" / "study", plan)
    again = work(tmp_path / "b" / "study", plan)
    assert [each.values for each in first] == [each.values for each in again]
    assert len({str(each.values) for each in first}) == 12
    other = make_plan(sampler=sampler, trials=12, recipe=dataclasses.replace(plan.recipe, seed=4))
    found = [each.values for each in work(tmp_path / "c" / "study", other)]
    assert found != [each.values for each in first]


@pytest.mark.parametrize("sampler", ["random", "tpe", "grid", "quasi-random"])
def test_a_study_that_was_broken_off_goes_on_as_if_it_had_not_been(tmp_path, sampler):
    plan = make_plan(sampler=sampler, trials=12)
    whole = work(tmp_path / "a" / "study", plan)
    stop, count = StopRequest(), 0

    def train(recipe, folder, on_epoch):
        nonlocal count
        count += 1
        if count == 5:
            stop.reason = "Ctrl-C"
        return train_formula(recipe, folder, on_epoch)

    with open_study(tmp_path / "b" / "study", plan) as study:
        with pytest.raises(Interrupted, match=r"Stopped by Ctrl-C\."):
            Worker(study, train, stop).work()
        assert study.progress().ended == 5
    assert work(tmp_path / "b" / "study", plan)[4:] != []
    again = work(tmp_path / "b" / "study", plan)
    assert [(e.values, e.error) for e in again] == [(e.values, e.error) for e in whole]


def test_a_trial_that_was_interrupted_goes_on_in_its_own_folder(tmp_path):
    plan = make_plan(trials=3)
    folders = []

    def train(recipe, folder, on_epoch):
        folders.append((folder.name, recipe))
        if len(folders) == 2:
            on_epoch(make_epoch(1, 0.5))
            raise Interrupted("Stopped by SIGTERM after step 7.")
        return train_formula(recipe, folder, on_epoch)

    with pytest.raises(Interrupted):
        work(tmp_path / "study", plan, train)
    trials = work(tmp_path / "study", plan, train)
    assert [name for name, _ in folders] == ["0000", "0001", "0001", "0003"]
    assert folders[1][1] == folders[2][1]
    assert [each.state for each in trials] == ["complete"] * 3
    assert [each.retry_of for each in trials] == [None, 1, None]
    assert trials[1].curve[0] == (1, 0.5)  # what the first half had reported


def test_trials_that_fall_behind_are_given_up(tmp_path):
    trained = []

    def train(recipe, folder, on_epoch):
        (folder / "checkpoints").mkdir(parents=True)
        epochs, seconds = train_formula(recipe, folder, on_epoch)
        trained.append(folder)
        return epochs, seconds

    trials = work(tmp_path / "study", make_plan(pruner="halving", trials=20), train)
    pruned = [each for each in trials if each.state == "pruned"]
    assert 5 < len(pruned) < 19
    assert len(trained) == 20 - len(pruned)
    assert {len(each.curve) for each in pruned} <= {1, 3}  # never at the last epoch
    best = best_of(trials)
    assert best.error == min(each.error for each in trials if each.state == "complete")
    assert not list((tmp_path / "study").glob("trials/*/checkpoints"))


def test_hyperband_works_with_every_sampler(tmp_path):
    for sampler in ("random", "tpe"):
        plan = make_plan(pruner="hyperband", sampler=sampler, trials=15)
        trials = work(tmp_path / sampler, plan)
        assert [each.number for each in trials] == list(range(15))
        if sampler == "random":
            plain = work(tmp_path / "plain", make_plan(trials=15))
            assert [e.values for e in trials] == [e.values for e in plain]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Diverged("The loss is no longer finite."), "no longer finite"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 byte"), "not enough memory"),
        (RecipeError("crop_px is larger."), "crop_px is larger"),
    ],
)
def test_a_trial_that_fails_says_why_and_the_rest_goes_on(tmp_path, error, reason):
    count = 0

    def train(recipe, folder, on_epoch):
        nonlocal count
        count += 1
        if count == 2:
            raise error
        return train_formula(recipe, folder, on_epoch)

    trials = work(tmp_path / "study", make_plan(trials=4), train)
    assert [each.state for each in trials] == ["complete", "failed", "complete", "complete"]
    assert reason in trials[1].reason


@pytest.mark.parametrize("error", [SourceError("gone"), RunError("full"), RuntimeError("a bug")])
def test_what_is_no_fault_of_a_trial_ends_the_search_and_keeps_the_trial(tmp_path, error):
    def train(recipe, folder, on_epoch):
        raise error

    with pytest.raises(type(error), match=str(error)):
        work(tmp_path / "study", make_plan(trials=2), train)
    trials = work(tmp_path / "study", make_plan(trials=2))
    assert [each.state for each in trials] == ["complete", "complete"]
    assert trials[0].retry_of == 0


def test_a_worker_that_was_taken_for_dead_lets_the_other_have_its_trial(tmp_path):
    plan = make_plan(trials=3)
    with open_study(tmp_path / "study", plan) as study:

        def train(recipe, folder, on_epoch):
            if folder.name == "0001" and len(study.trials()) == 2:
                trial = study.optuna.trials[1]
                study.optuna._storage.set_trial_state_values(
                    trial._trial_id, optuna.trial.TrialState.FAIL
                )
                give_back(study.optuna, trial)
            return train_formula(recipe, folder, on_epoch)

        Worker(study, train, StopRequest()).work()
        trials = trial_records(study)
    assert [(each.state, each.retry_of) for each in trials] == [
        *(("complete", None), ("complete", 1), ("complete", None)),
    ]


def test_a_trial_during_which_three_workers_died_is_to_blame(tmp_path):
    plan = make_plan(trials=2)

    def die(recipe, folder, on_epoch):
        raise RuntimeError("a bug")

    for _ in range(3):
        with pytest.raises(RuntimeError, match="a bug"):
            work(tmp_path / "study", plan, die)
    trials = work(tmp_path / "study", plan)
    assert [each.state for each in trials] == ["failed", "complete"]
    assert trials[0].reason == "Its worker died three times during it."


def test_more_trials_go_on_with_a_study(tmp_path):
    work(tmp_path / "study", make_plan(trials=4))
    trials = work(tmp_path / "study", make_plan(trials=6))
    assert [each.number for each in trials] == list(range(6))
    assert work(tmp_path / "study", make_plan(trials=6)) == trials


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"fingerprint": "g"}, "fingerprint: f then, g now"),
        ({"sampler": "tpe"}, "sampler: random then, tpe now"),
        ({"vary": ("lr",)}, "space: "),
        ({"recipe": make_plan().recipe.__class__(model="mlp", epochs=8)}, "epochs: 9 then, 8 now"),
    ],
)
def test_another_study_in_the_same_folder_is_refused(tmp_path, changes, named):
    work(tmp_path / "study", make_plan(trials=1))
    with pytest.raises(RunError, match=f"holds another study. It differs in .*{named}"):
        work(tmp_path / "study", make_plan(trials=1, **changes))


def test_a_grid_with_another_number_of_trials_is_another_study(tmp_path):
    work(tmp_path / "study", make_plan(sampler="grid", trials=4))
    with pytest.raises(RunError, match="trials: 4 then, 8 now"):
        work(tmp_path / "study", make_plan(sampler="grid", trials=8))


def test_folders_of_other_things_are_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(RunError, match="holds a run of train"):
        work(tmp_path / "run", make_plan())
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"")
    with pytest.raises(RunError, match="is not empty and holds no study"):
        work(tmp_path / "photos", make_plan())
    with pytest.raises(RunError, match="is a file"):
        work(tmp_path / "photos" / "cat.png", make_plan())


def test_no_trial_begins_after_the_deadline(tmp_path):
    assert work(tmp_path / "study", make_plan(), deadline=-math.inf) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"trials": 0}, "trials must be at least 1; got 0"),
        ({"sampler": "rnadom"}, 'no sampler "rnadom". Did you mean "random"'),
        ({"pruner": "median"}, 'no pruner "median".*Known: halving, hyperband, none'),
    ],
)
def test_a_plan_that_cannot_be(changes, sentence):
    with pytest.raises(RecipeError, match=sentence):
        make_plan(**changes)


def test_the_best_of_equal_errors_has_the_lower_loss(tmp_path):
    losses = iter([0.9, 0.3, 0.5])

    def train(recipe, folder, on_epoch):
        epoch = dataclasses.replace(make_epoch(1, 0.25), val_loss=next(losses))
        on_epoch(epoch)
        return [epoch], 0.1

    trials = work(tmp_path / "study", make_plan(trials=3), train)
    assert best_of(trials).number == 1


def test_the_best_recipe_is_one_that_train_takes(tmp_path):
    from alexnet.recipes import choose_recipe

    with open_study(tmp_path / "study", make_plan()) as study:
        Worker(study, train_formula, StopRequest()).work()
        best = best_of(trial_records(study))
        path = write_best(study, best)
    recipe = choose_recipe(str(path), {})
    assert {name: getattr(recipe, name) for name in best.values} == best.values
    assert error_of(recipe) == pytest.approx(best.error, abs=0.01)


def test_the_rate_matters_most_where_it_does(tmp_path):
    plan = make_plan(trials=40, vary=("lr", "momentum"))
    trials = work(tmp_path / "study", plan)
    shares = field_importance(trials, plan.space)
    assert next(iter(shares)) == "lr"
    assert sum(shares.values()) == pytest.approx(1)
    assert field_importance(trials[:7], plan.space) == {}


def test_fields_that_shape_nothing_are_not_drawn(tmp_path):
    plan = make_plan(vary=("schedule=plateau,cosine", "patience"), trials=12)
    for each in work(tmp_path / "study", plan):
        assert ("patience" in each.values) == (each.values["schedule"] == "plateau")


def test_optuna_itself_opens_the_study(tmp_path):
    trials = work(tmp_path / "pets", make_plan())
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "pets" / "study.journal"))
    study = optuna.load_study(study_name="pets", storage=optuna.storages.JournalStorage(backend))
    assert [each.params for each in study.trials] == [each.values for each in trials]
    assert study.best_value == best_of(trials).error
