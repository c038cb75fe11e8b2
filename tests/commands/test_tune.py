"""The range test from the command line, and `train --lr auto`, which uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alexnet import train, tune
from alexnet.errors import RecipeError
from alexnet.studies import lr_finder

SMALL = {
    "model": "mlp",
    "image_px": 16,
    "crop_px": 16,
    "initialization": "he",
    "normalize": True,
    "mean": "channel",
    "batch_size": 4,
    "precision": "fp32",
    "threads": 1,
    "cache": "none",
}


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def short(monkeypatch):
    """A range test of 60 steps."""
    monkeypatch.setattr(lr_finder, "_STEPS", 60)


@pytest.fixture(scope="module")
def tuned(trained, tmp_path_factory):
    """A range test, and the folder in which it was made; not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("tuned"))
        return tune("lr", trained.images, **SMALL), Path.cwd()


def test_a_rate_a_reason_and_a_page(tuned):
    report, folder = tuned
    assert 1e-6 < report.lr < 10
    assert f"{report.lr:.1e} is the middle" in report.reason
    assert len(report.lrs) == len(report.losses) == len(report.smoothed_losses) <= 100
    page = folder / report.page
    assert page.name.endswith("photos-mlp-lr.html")
    text = page.read_text()
    assert f"{report.lr:g}" in text
    assert "<svg" in text
    assert [path.name for path in (folder / "runs").iterdir()] == [page.name]


def test_the_same_seed_suggests_the_same(tuned, trained):
    assert tune("lr", trained.images, out="lr.html", **SMALL).losses == tuned[0].losses


def test_command_line(alexnet, trained, short):
    flags = [
        each
        for name, value in SMALL.items()
        if name != "normalize"
        for each in (f"--{name.replace('_', '-')}", value)
    ]
    said = alexnet("tune", "lr", trained.images, "--out", "lr.html", "--normalize", *flags)
    assert said.code == 0, said.err
    assert "is the suggested learning rate of mlp at batch size 4" in said.out
    assert "chart  lr.html" in said.out
    said = alexnet("tune", "momentum", trained.images)
    assert 'FIELD must be "lr"; got "momentum"' in said.err


def test_train_with_the_tested_rate_and_continue(trained, short, monkeypatch):
    options = {**SMALL, "epochs": 2, "schedule": "constant", "val_fraction": 0.25, "lr": "auto"}
    first = train(trained.images, run_dir="run", **options)
    config = json.loads(Path("run/run.json").read_text())
    assert config["lr"] == "auto"
    tested = tune("lr", trained.images, out="lr.html", **{**SMALL, "val_fraction": 0.25})
    assert config["recipe"]["lr"] == tested.lr

    def fail(job):
        raise AssertionError("it is tested again")

    monkeypatch.setattr(lr_finder, "range_test", fail)
    again = train(trained.images, run_dir="run", **options)
    assert again.already_finished
    assert again.results == first.results


def test_without_a_folder_the_run_with_the_tested_rate_is_continued(trained, short):
    options = {**SMALL, "epochs": 1, "schedule": "constant", "val_fraction": 0.25, "lr": "auto"}
    first = train(trained.images, **options)
    assert train(trained.images, **options).run_dir == first.run_dir
    assert train(trained.images, **{**options, "momentum": 0.8}).run_dir != first.run_dir


def test_auto_is_for_train_alone(trained):
    with pytest.raises(RecipeError, match="lr must be a number; got 'auto'"):
        tune("lr", trained.images, **{**SMALL, "lr": "auto"})
