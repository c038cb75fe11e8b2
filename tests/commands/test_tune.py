"""The range test from the command line, and `train --lr auto`, which uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alexnet import train, tune
from alexnet.errors import RecipeError

SMALL = {
    "model": "mlp",
    "image_px": 16,
    "crop_px": 16,
    "initialisation": "he",
    "standardise": True,
    "mean": "channel",
    "batch": 4,
    "precision": "fp32",
    "threads": 1,
    "cache": "none",
}


@pytest.fixture(autouse=True)
def own_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_number_a_reason_and_a_picture(trained):
    report = tune("lr", trained.pictures, **SMALL)
    assert 1e-6 < report.lr < 10
    assert f"{report.lr:.1e} is the middle" in report.reason
    assert len(report.rates) == len(report.losses) == len(report.smoothed) <= 100
    page = Path(report.page)
    assert page.name.endswith("photos-mlp-lr.html")
    text = page.read_text()
    assert f"{report.lr:g}" in text
    assert "<svg" in text
    assert [path.name for path in Path("runs").iterdir()] == [page.name]  # nothing else is left


def test_the_same_seed_suggests_the_same(trained):
    found = [tune("lr", trained.pictures, out=f"{i}.html", **SMALL) for i in range(2)]
    assert found[0].losses == found[1].losses


def test_it_is_said_on_the_screen(alexnet, trained):
    flags = [
        each
        for name, value in SMALL.items()
        if name != "standardise"
        for each in (f"--{name.replace('_', '-')}", value)
    ]
    said = alexnet("tune", "lr", trained.pictures, "--out", "lr.html", "--standardise", *flags)
    assert said.code == 0, said.err
    assert "is suggested as learning rate of mlp at batch 4" in said.out
    assert "picture  lr.html" in said.out
    said = alexnet("tune", "momentum", trained.pictures)
    assert 'FIELD must be "lr"; got "momentum"' in said.err


def test_train_with_the_rate_of_the_test_and_go_on_with_it(trained, monkeypatch):
    asked = {**SMALL, "epochs": 2, "schedule": "constant", "val_fraction": 0.25, "lr": "auto"}
    first = train(trained.pictures, run="run", **asked)
    kept = json.loads(Path("run/run.json").read_text())
    assert kept["lr"] == "auto"
    wanted = tune("lr", trained.pictures, out="lr.html", **{**SMALL, "val_fraction": 0.25})
    assert kept["recipe"]["lr"] == wanted.lr

    def refuse(job):
        raise AssertionError("it is tested again")

    monkeypatch.setattr("alexnet.commands.tune.range_test_shown", refuse)
    again = train(trained.pictures, run="run", **asked)
    assert again.already_finished
    assert again.results == first.results


def test_without_a_folder_the_run_with_the_tested_rate_is_found_again(trained):
    asked = {**SMALL, "epochs": 1, "schedule": "constant", "val_fraction": 0.25, "lr": "auto"}
    first = train(trained.pictures, **asked)
    assert train(trained.pictures, **asked).run == first.run
    assert train(trained.pictures, **{**asked, "momentum": 0.8}).run != first.run


def test_auto_is_for_train_alone(trained):
    with pytest.raises(RecipeError, match="lr must be a number; got 'auto'"):
        tune("lr", trained.pictures, **{**SMALL, "lr": "auto"})
