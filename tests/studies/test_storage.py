from __future__ import annotations

import sys

import optuna
import pytest

from alexnet.errors import RecipeError, RunError
from alexnet.studies import Worker, open_study, shown_address, trial_records
from alexnet.studies.storage import open_storage
from alexnet.training import StopRequest

from .formula import make_plan, train_formula


def test_a_line_that_a_killed_worker_left_half_written_is_cut_off(tmp_path):
    folder = tmp_path / "study"
    with open_study(folder, make_plan(trials=2)) as study:
        Worker(study, train_formula, StopRequest()).work()
    with (folder / "study.journal").open("ab") as file:
        file.write(b'{"op_code":5,"worker_id":"x","tri')
    with open_study(folder, make_plan(trials=4)) as study:
        Worker(study, train_formula, StopRequest()).work()
        assert [each.state for each in trial_records(study)] == ["complete"] * 4
    for line in (folder / "study.journal").read_text().splitlines():
        assert line.startswith("{")
        assert line.endswith("}")


def test_a_file_that_is_no_journal_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no journal\nat all\n")
    with (
        pytest.raises(RunError, match=r"notes.txt cannot be used .* Name another with --storage"),
        open_study(tmp_path / "study", make_plan(), str(tmp_path / "notes.txt")),
    ):
        pass


@pytest.mark.parametrize("address", ["mysql://me@host/db", "sqlite:///file.db"])
def test_an_address_of_another_kind_is_refused(tmp_path, address):
    with pytest.raises(RecipeError, match="is no PostgreSQL address. Name a file, or postgresql"):
        open_storage(address, lambda study, trial: None)


def test_a_password_is_never_shown():
    assert shown_address("postgresql://me:secret@host:5432/db") == "postgresql://me@host:5432/db"
    assert shown_address("postgresql://host/db") == "postgresql://host/db"
    assert shown_address("runs/study.journal") == "runs/study.journal"


def test_a_server_that_is_not_there_is_a_sentence_without_the_password(tmp_path):
    pytest.importorskip("psycopg")
    address = "postgresql://me:secret@127.0.0.1:1/none"
    with (
        pytest.raises(RunError, match="postgresql://me@127.0.0.1:1/none cannot be used") as found,
        open_study(tmp_path / "study", make_plan(), address),
    ):
        pass
    assert "secret" not in str(found.value)


@pytest.mark.parametrize(("name", "storage"), [("optuna", None), ("psycopg", "postgresql://h/d")])
def test_a_missing_package_is_one_sentence(tmp_path, monkeypatch, name, storage):
    monkeypatch.setitem(sys.modules, name, None)
    with (
        pytest.raises(RecipeError, match=r'pip install "alexnet\[search\]"'),
        open_study(tmp_path / "study", make_plan(), storage),
    ):
        pass


def test_optunas_own_voice_is_as_it_was(tmp_path):
    before = optuna.logging.get_verbosity()
    with open_study(tmp_path / "study", make_plan()):
        pass
    assert optuna.logging.get_verbosity() == before
