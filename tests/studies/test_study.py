from __future__ import annotations

import optuna
import pytest

from alexnet.errors import RunError
from alexnet.studies import (
    best_trial,
)

from .formula import make_config, run_study


def test_more_trials_continue_a_study(tmp_path):
    run_study(tmp_path / "study", make_config(trials=4))
    trials = run_study(tmp_path / "study", make_config(trials=6))
    assert [each.number for each in trials] == list(range(6))
    assert run_study(tmp_path / "study", make_config(trials=6)) == trials


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"fingerprint": "g"}, "fingerprint: f then, g now"),
        ({"sampler": "tpe"}, "sampler: random then, tpe now"),
        ({"vary": ("lr",)}, "space: "),
        (
            {"recipe": make_config().recipe.__class__(model="mlp", epochs=8)},
            "epochs: 9 then, 8 now",
        ),
    ],
)
def test_another_study_in_the_folder_raises(tmp_path, changes, named):
    run_study(tmp_path / "study", make_config(trials=1))
    with pytest.raises(RunError, match=f"holds another study. It differs in .*{named}"):
        run_study(tmp_path / "study", make_config(trials=1, **changes))


def test_a_grid_of_another_size_is_another_study(tmp_path):
    run_study(tmp_path / "study", make_config(sampler="grid", trials=4))
    with pytest.raises(RunError, match="trials: 4 then, 8 now"):
        run_study(tmp_path / "study", make_config(sampler="grid", trials=8))


def test_folders_without_a_study_raise(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(RunError, match="holds a run of train"):
        run_study(tmp_path / "run", make_config())
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"")
    with pytest.raises(RunError, match="is not empty and holds no study"):
        run_study(tmp_path / "photos", make_config())
    with pytest.raises(RunError, match="is a file"):
        run_study(tmp_path / "photos" / "cat.png", make_config())


def test_optuna_opens_the_study(tmp_path):
    trials = run_study(tmp_path / "pets", make_config())
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "pets" / "study.journal"))
    study = optuna.load_study(study_name="pets", storage=optuna.storages.JournalStorage(backend))
    assert [each.params for each in study.trials] == [each.params for each in trials]
    assert study.best_value == best_trial(trials).val_error
