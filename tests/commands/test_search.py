"""Whole searches on a handful of small pictures: what is left, what is refused, going on."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet import search, train
from alexnet.errors import RecipeError, RunError, SourceError

pytest.importorskip("optuna", reason='a search needs Optuna: pip install "alexnet[search]"')

SMALL = {
    "model": "mlp",
    "image_px": 16,
    "crop_px": 16,
    "activation": "relu",
    "initialisation": "he",
    "epochs": 3,
    "batch": 8,
    "schedule": "constant",
    "val_fraction": 0.25,
    "precision": "fp32",
    "threads": 1,
}
VARY = ("lr=1e-6..1e-2:log", "momentum=0.5..0.9")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Bright and dark pictures for training and testing: no val."""
    folder = tmp_path_factory.mktemp("pictures") / "day and night"
    draw = np.random.default_rng(0)
    for split, count in (("train", 24), ("test", 8)):
        for name, light in (("day", 90), ("night", 0)):
            place = folder / split / name
            place.mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(light, light + 160, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{i}.png")
    return folder


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    """A study of six trials that came to its end, its best recipe trained with two other seeds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALEXNET_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setitem(sys.modules, "matplotlib", None)
        run = tmp_path_factory.mktemp("whole") / "study"
        return search(pictures, run=run, trials=6, vary=VARY, retrain=2, **SMALL)


def test_a_study_leaves_what_its_folder_promises(whole):
    folder = Path(whole.folder)
    kept = {path.name for path in folder.iterdir()} - {"retrain.lock", "study.journal.turn"}
    assert kept == {
        *("study.json", "study.journal", "study.workers", "trials"),
        *("best.json", "report", "retrained"),
    }
    assert [path.name for path in sorted((folder / "trials").iterdir())] == [
        f"{i:04}" for i in range(6)
    ]
    assert (whole.done, len(whole.trials), whole.sampler, whole.pruner) == (
        *(True, 6, "random", "halving"),
    )
    lines = (folder / "report" / "trials.csv").read_text().splitlines()
    rows = list(csv.DictReader(lines))
    assert [row["state"] for row in rows] == [each.state for each in whole.trials]


def test_trials_are_runs_that_share_pack_and_split(whole, pictures):
    folder = Path(whole.folder)
    runs = [folder / each.run for each in whole.trials]
    asked = [json.loads((run / "run.json").read_text()) for run in runs]
    assert len({each["fingerprint"] for each in asked}) == 1
    assert len({(run / "split.csv").read_text() for run in runs}) == 1
    for trial, each in zip(whole.trials, asked, strict=True):
        assert {name: each["recipe"][name] for name in trial.values} == trial.values
        assert each["command"][:3] == ["alexnet", "train", str(pictures)]


def test_trials_are_not_measured_on_the_test_split(whole):
    for each in whole.trials:
        run = Path(whole.folder) / each.run
        if (run / "results.json").exists():
            facts = json.loads((run / "results.json").read_text())
            assert (facts["split"], facts["results"]) == (None, None)
        assert not (run / "report").exists()


def test_the_test_split_is_looked_at_once_for_each_seed_that_is_trained_again(whole):
    assert [each.seed for each in whole.retrained] == [1, 2]
    assert [(each.split, each.images) for each in whole.retrained] == [("test", 16)] * 2
    for each in whole.retrained:
        results = json.loads((Path(each.run) / "results.json").read_text())
        assert each.error == pytest.approx(1 - results["results"]["top1"])


def test_the_best_recipe_is_one_that_train_takes(whole, pictures):
    report = train(
        pictures, recipe=whole.best_recipe, run="again", cache="none", precision="fp32", threads=1
    )
    best = json.loads((Path("again") / "run.json").read_text())["recipe"]
    assert {name: best[name] for name in whole.best.values} == whole.best.values
    epochs = (Path("again") / "journal.jsonl").read_text().splitlines()
    errors = [json.loads(line).get("val_error") for line in epochs]
    assert min(each for each in errors if each is not None) == whole.best.error
    assert report.split == "test"


def test_the_same_call_again_does_nothing_and_says_the_same(whole, pictures):
    again = search(pictures, run=whole.folder, trials=6, vary=VARY, retrain=2, **SMALL)
    assert again.trials == whole.trials
    assert again.retrained == whole.retrained


def test_the_overhead_is_written_down(whole):
    for each in whole.trials:
        if each.state == "complete":
            assert 0 < each.training_seconds < each.seconds


def test_a_dry_run_says_what_moves_and_what_a_trial_costs(alexnet, pictures):
    words = ("--cache", "none", "--model", "cifar_26pct", "--image-px", "16", "--crop-px", "16")
    said = alexnet("search", pictures, "--trials", "7", "--dry-run", "--epochs", "2", *words)
    assert said.code == 0, said.err
    assert "7 trials of cifar_26pct, sampler random, pruner halving. What moves:" in said.out
    assert "lr        0.0001 to 0.1" in said.out
    assert "dropout" not in said.out  # which that net does not have
    assert (
        "A trial is 2 epochs of 43 pictures, each followed by 5 validation pictures: about"
        in said.out
    )
    assert "Nothing was trained or written" in said.out
    assert not Path("runs").exists()


def test_a_search_from_the_command_line(alexnet, pictures):
    words = [f"--{name.replace('_', '-')}" for name in SMALL]
    flags = [each for pair in zip(words, SMALL.values(), strict=True) for each in pair]
    said = alexnet("search", pictures, "--trials", 2, "--vary", *VARY, *flags, "--pruner", "none")
    assert said.code == 0, said.err
    assert said.err.count("val error") == 2
    assert "best so far" in said.err
    assert "validation error at best" in said.out
    (folder,) = Path("runs").iterdir()
    assert folder.name.endswith("day and night-mlp-search")
    said = alexnet("search", pictures, "--trials", 3, "--vary", *VARY, *flags, "--pruner", "none")
    assert "of 3 trials (3 complete)" in said.out
    assert len(list(Path("runs").iterdir())) == 1  # found again, and gone on with


def test_diverged_trials_are_told_and_the_rest_goes_on(alexnet, pictures):
    report = search(
        *(pictures,), run="wild", trials=4, vary=["lr=1e-4..1e9:log"], sampler="grid", **SMALL
    )
    failed = [each for each in report.trials if each.state == "failed"]
    assert failed
    assert all("no longer finite" in each.reason for each in failed)
    assert report.best is not None
    assert "no longer finite" in Path("wild/report/index.html").read_text()


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"vary": ("lrr=1..2",)}, RecipeError, 'no field "lrr"'),
        ({"vary": ("lr=1..0.1",)}, RecipeError, "leaves nothing between"),
        ({"vary": ("dropout",)}, RecipeError, "mlp has no layer that drops units"),
        ({"vary": ("lr",), "lr": 0.1}, RecipeError, "take --lr away"),
        ({"vary": ("lr",), "space": "space.json"}, RecipeError, "said twice"),
        ({"space": "space.json"}, RecipeError, "Could not read space.json"),
        ({"trials": 0}, RecipeError, "trials must be at least 1; got 0"),
        ({"workers": 0}, RecipeError, "workers must be at least 1; got 0"),
        ({"minutes": 0.0}, RecipeError, "minutes above 0; got 0 and 0.0"),
        ({"retrain": -1}, RecipeError, "retrain must be at least 0"),
        ({"val_fraction": 0.0}, RecipeError, "there are no validation pictures"),
        ({"lr": "auto"}, RecipeError, "lr must be a number; got 'auto'"),
        ({"storage": "mysql://host/db"}, RecipeError, "is no PostgreSQL address"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_trial(pictures, changes, error, sentence):
    asked = {"trials": 2, "run": "refused", "cache": "none", **SMALL, **changes}
    with pytest.raises(error, match=sentence):
        search(pictures, **asked)
    assert not Path("refused/trials").exists()


def test_pictures_that_are_not_there(alexnet):
    with pytest.raises(SourceError, match="nowhere"):
        search("nowhere", trials=1)


def test_another_study_in_the_folder_is_refused(whole, pictures):
    with pytest.raises(RunError, match="sampler: random then, grid now"):
        search(pictures, run=whole.folder, trials=6, vary=VARY, sampler="grid", **SMALL)


def test_python_keeps_the_verb_though_a_room_has_its_name():
    import alexnet.studies  # noqa: F401

    assert callable(__import__("alexnet").search)


def command(pictures: Path, *words: object) -> list[str]:
    flags = [
        str(each)
        for name, value in SMALL.items()
        for each in (f"--{name.replace('_', '-')}", value)
    ]
    code = "import sys; from alexnet.cli.main import main; sys.exit(main())"
    asked = ["search", str(pictures), "--run", "study", "--vary", *VARY, "--pruner", "none"]
    return [sys.executable, "-c", code, *asked, *map(str, words), *flags]


def states() -> list[str]:
    lines = Path("study/report/trials.csv").read_text().splitlines()
    return [row["state"] for row in csv.DictReader(lines)]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_two_workers_one_of_them_killed_and_then_the_whole_study(pictures):
    """SIGKILL for a worker: another takes its place. SIGKILL for all: the same call goes on."""
    asked = command(pictures, "--workers", 2, "--trials", 12)
    whole = subprocess.Popen(asked, stderr=subprocess.PIPE, start_new_session=True)
    until = time.monotonic() + 400
    workers: list[int] = []
    while len(workers) < 2 and time.monotonic() < until:
        time.sleep(0.05)
        locks = Path("study/study.workers").glob("*-*-*.lock")
        workers = [int(path.name.split("-")[-2]) for path in locks]
    os.kill(workers[0], signal.SIGKILL)
    while not Path("study/trials/0003").exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(whole.pid, signal.SIGKILL)
    whole.communicate()
    done = subprocess.run(asked, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert states() == ["complete"] * 12
    assert "validation error at best" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_reaches_every_process_and_the_workers_stop_in_good_order(pictures):
    asked = command(pictures, "--workers", 2, "--trials", 200)
    whole = subprocess.Popen(asked, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until = time.monotonic() + 400
    while not Path("study/trials/0002").exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(whole.pid, signal.SIGINT)
    _, said = whole.communicate(timeout=300)
    assert whole.returncode == 3, said
    assert "Stopped by Ctrl-C." in said
    logs = [path.read_text() for path in Path("study/study.workers").glob("worker-*.log")]
    assert len(logs) == 2
    assert all("Stopped by SIGTERM" in each and "Traceback" not in each for each in logs)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_study_that_is_asked_to_stop_saves_itself_and_says_so(pictures):
    asked = command(pictures, "--trials", 200)
    whole = subprocess.Popen(asked, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 400
    while not Path("study/trials/0001").exists() and time.monotonic() < until:
        time.sleep(0.02)
    whole.send_signal(signal.SIGTERM)
    _, said = whole.communicate(timeout=300)
    assert whole.returncode == 3, said
    assert "of 200 trials have ended. The same command continues the study." in said
    assert Path("study/report/index.html").exists()
