from __future__ import annotations

import sys

import optuna
import pytest

from alexnet.errors import RecipeError, RunError
from alexnet.studies import TrialWorker, open_study, redact_url, trial_records
from alexnet.studies.storage import open_storage
from alexnet.training import StopRequest

from .formula import make_config, train_formula


def test_a_torn_line_of_the_journal_is_truncated(tmp_path):
    folder = tmp_path / "study"
    with open_study(folder, make_config(trials=2)) as study:
        TrialWorker(study, train_formula, StopRequest()).work()
    with (folder / "study.journal").open("ab") as file:
        file.write(b'{"op_code":5,"worker_id":"x","tri')
    with open_study(folder, make_config(trials=4)) as study:
        TrialWorker(study, train_formula, StopRequest()).work()
        assert [each.state for each in trial_records(study)] == ["complete"] * 4
    for line in (folder / "study.journal").read_text().splitlines():
        assert line.startswith("{")
        assert line.endswith("}")


def test_a_file_without_journal_raises(tmp_path):
    (tmp_path / "notes.txt").write_text("no journal\nat all\n")
    with (
        pytest.raises(RunError, match=r"notes.txt cannot be used .* Name another with --storage"),
        open_study(tmp_path / "study", make_config(), str(tmp_path / "notes.txt")),
    ):
        pass


@pytest.mark.parametrize("address", ["mysql://me@host/db", "sqlite:///file.db"])
def test_urls_of_another_scheme_raise(tmp_path, address):
    with pytest.raises(RecipeError, match="is no PostgreSQL URL. Name a file, or postgresql"):
        open_storage(address, lambda study, trial: None)


def test_passwords_are_redacted():
    assert redact_url("postgresql://me:secret@host:5432/db") == "postgresql://me@host:5432/db"
    assert redact_url("postgresql://host/db") == "postgresql://host/db"
    assert redact_url("runs/study.journal") == "runs/study.journal"


def test_errors_of_a_server_are_without_the_password(tmp_path):
    pytest.importorskip("psycopg")
    address = "postgresql://me:secret@127.0.0.1:1/none"
    with (
        pytest.raises(RunError, match="postgresql://me@127.0.0.1:1/none cannot be used") as found,
        open_study(tmp_path / "study", make_config(), address),
    ):
        pass
    assert "secret" not in str(found.value)


@pytest.mark.parametrize(("name", "storage"), [("optuna", None), ("psycopg", "postgresql://h/d")])
def test_missing_packages_are_named(tmp_path, monkeypatch, name, storage):
    monkeypatch.setitem(sys.modules, name, None)
    with (
        pytest.raises(RecipeError, match=r'pip install "alexnet\[search\]"'),
        open_study(tmp_path / "study", make_config(), storage),
    ):
        pass


def test_optunas_verbosity_is_restored(tmp_path):
    before = optuna.logging.get_verbosity()
    with open_study(tmp_path / "study", make_config()):
        pass
    assert optuna.logging.get_verbosity() == before
