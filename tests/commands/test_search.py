"""Searches on a handful of small images: their files, errors, and how they are continued."""

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
from alexnet.errors import Interrupted, RecipeError, RunError, SourceError
from alexnet.studies.trial_log import TrialLog

pytest.importorskip("optuna", reason='a search needs Optuna: pip install "alexnet[search]"')

SMALL = {
    "model": "mlp",
    "image_px": 16,
    "crop_px": 16,
    "activation": "relu",
    "initialization": "he",
    "epochs": 3,
    "batch_size": 8,
    "schedule": "constant",
    "val_fraction": 0.25,
    "precision": "fp32",
    "threads": 1,
}
VARY = ("lr=1e-6..1e-2:log", "momentum=0.5..0.9")


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Bright and dark images for training and testing: no val."""
    folder = tmp_path_factory.mktemp("images") / "day and night"
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
def whole(images, tmp_path_factory):
    """A study of six trials that came to its end, its best recipe trained with two other seeds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALEXNET_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("alexnet.reporting.run.write.write_figures", lambda *_: [])
        run = tmp_path_factory.mktemp("whole") / "study"
        return search(images, run_dir=run, trials=6, vary=VARY, retrain=2, **SMALL)


def test_files_of_a_study(whole):
    folder = Path(whole.folder)
    kept = {path.name for path in folder.iterdir()} - {"retrain.lock", "study.journal.lock"}
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


def test_trials_are_runs_that_share_pack_and_split(whole, images):
    folder = Path(whole.folder)
    runs = [folder / each.run_dir for each in whole.trials]
    configs = [json.loads((run / "run.json").read_text()) for run in runs]
    assert len({each["fingerprint"] for each in configs}) == 1
    assert len({(run / "split.csv").read_text() for run in runs}) == 1
    for trial, each in zip(whole.trials, configs, strict=True):
        assert {name: each["recipe"][name] for name in trial.params} == trial.params
        assert each["command"][:3] == ["alexnet", "train", str(images)]


def test_trials_are_not_evaluated_on_the_test_split(whole):
    for each in whole.trials:
        run = Path(whole.folder) / each.run_dir
        if (run / "results.json").exists():
            facts = json.loads((run / "results.json").read_text())
            assert (facts["split"], facts["results"]) == (None, None)
        assert not (run / "report").exists()


def test_retrained_runs_are_evaluated_once_on_the_test_split(whole):
    assert [each.seed for each in whole.retrained] == [1, 2]
    assert [(each.split, each.images) for each in whole.retrained] == [("test", 16)] * 2
    for each in whole.retrained:
        results = json.loads((Path(each.run_dir) / "results.json").read_text())
        assert each.error == pytest.approx(1 - results["results"]["top1"])


def test_the_best_recipe_can_be_trained(whole, images):
    report = train(
        images, recipe=whole.best_recipe, run_dir="again", cache="none", precision="fp32", threads=1
    )
    best = json.loads((Path("again") / "run.json").read_text())["recipe"]
    assert {name: best[name] for name in whole.best.params} == whole.best.params
    epochs = (Path("again") / "journal.jsonl").read_text().splitlines()
    errors = [json.loads(line).get("val_error") for line in epochs]
    assert min(each for each in errors if each is not None) == whole.best.val_error
    assert report.split == "test"


def test_the_same_call_again_returns_the_same(whole, images):
    again = search(images, run_dir=whole.folder, trials=6, vary=VARY, retrain=2, **SMALL)
    assert again.trials == whole.trials
    assert again.retrained == whole.retrained


def test_seconds_of_a_trial(whole):
    for each in whole.trials:
        if each.state == "complete":
            assert 0 < each.training_seconds < each.seconds


def test_dry_run(alexnet, images):
    words = ("--cache", "none", "--model", "cifar_26pct", "--image-px", "16", "--crop-px", "16")
    said = alexnet("search", images, "--trials", "7", "--dry-run", "--epochs", "2", *words)
    assert said.code == 0, said.err
    assert "7 trials of cifar_26pct, sampler random, pruner halving. The search space:" in said.out
    assert "lr 0.0001 to 0.1 log" in " ".join(said.out.split())
    assert "dropout" not in said.out  # which that network does not have
    assert (
        "A trial is 2 epochs of 43 images, each followed by 5 validation images: about" in said.out
    )
    assert "Nothing was trained or written" in said.out
    assert not Path("runs").exists()


def test_command_line(alexnet, images):
    words = [f"--{name.replace('_', '-')}" for name in SMALL]
    flags = [each for pair in zip(words, SMALL.values(), strict=True) for each in pair]
    said = alexnet("search", images, "--trials", 2, "--vary", *VARY, *flags, "--pruner", "none")
    assert said.code == 0, said.err
    assert said.err.count("val error") == 2
    assert "best so far" in said.err
    assert "lowest validation error" in said.out
    (folder,) = Path("runs").iterdir()
    assert folder.name.endswith("day and night-mlp-search")
    said = alexnet("search", images, "--trials", 3, "--vary", *VARY, *flags, "--pruner", "none")
    assert "of 3 trials (3 complete)" in said.out
    assert len(list(Path("runs").iterdir())) == 1  # found again, and continued


def test_diverged_trials(alexnet, images):
    report = search(
        *(images,), run_dir="wild", trials=4, vary=["lr=1e-4..1e9:log"], sampler="grid", **SMALL
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
        ({"vary": ("dropout",)}, RecipeError, "mlp has no dropout layer"),
        ({"vary": ("lr",), "lr": 0.1}, RecipeError, "take --lr away"),
        ({"vary": ("lr",), "space": "space.json"}, RecipeError, "given twice"),
        ({"space": "space.json"}, RecipeError, "Could not read space.json"),
        ({"trials": 0}, RecipeError, "trials must be at least 1; got 0"),
        ({"workers": 0}, RecipeError, "workers must be at least 1; got 0"),
        ({"minutes": 0.0}, RecipeError, "minutes above 0; got 0 and 0.0"),
        ({"retrain": -1}, RecipeError, "retrain must be at least 0"),
        ({"val_fraction": 0.0}, RecipeError, "there are no validation images"),
        ({"lr": "auto"}, RecipeError, "lr must be a number; got 'auto'"),
        ({"storage": "mysql://host/db"}, RecipeError, "is no PostgreSQL URL"),
    ],
)
def test_invalid_arguments_raise_before_the_first_trial(images, changes, error, sentence):
    arguments = {"trials": 2, "run_dir": "refused", "cache": "none", **SMALL, **changes}
    with pytest.raises(error, match=sentence):
        search(images, **arguments)
    assert not Path("refused/trials").exists()


def test_missing_images(alexnet):
    with pytest.raises(SourceError, match="nowhere"):
        search("nowhere", trials=1)


def test_another_study_in_the_folder_raises(whole, images):
    with pytest.raises(RunError, match="sampler: random then, grid now"):
        search(images, run_dir=whole.folder, trials=6, vary=VARY, sampler="grid", **SMALL)


def test_the_verb_is_not_hidden_by_the_package_of_studies():
    import alexnet.studies  # noqa: F401

    assert callable(__import__("alexnet").search)


@pytest.fixture
def start(images):
    """Return a function that starts `alexnet search` as a process group of its own."""
    processes: list[subprocess.Popen[str]] = []

    def start(*words: object) -> subprocess.Popen[str]:
        flags = [
            str(each)
            for name, value in SMALL.items()
            for each in (f"--{name.replace('_', '-')}", value)
        ]
        code = "import sys; from alexnet.cli.main import main; sys.exit(main())"
        arguments = ["search", str(images), "--run-dir", "study", "--vary", *VARY]
        arguments += ["--pruner", "none", *map(str, words), *flags]
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until(condition) -> None:
    until = time.monotonic() + 200
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    assert condition()


def worker_pids() -> list[int]:
    locks = Path("study/study.workers").glob("*-*-*.lock")
    return [int(path.name.split("-")[-2]) for path in locks]


@pytest.mark.skipif(sys.platform == "win32", reason="signals and SIGKILL are POSIX's")
def test_a_killed_worker_is_replaced_and_an_interrupted_study_is_continued(start):
    """SIGKILL for a worker: another takes its place. Ctrl-C for all: the same call continues."""
    process = start("--workers", 2, "--trials", 5)
    wait_until(lambda: len(worker_pids()) == 2 or process.poll() is not None)
    os.kill(worker_pids()[0], signal.SIGKILL)
    # The requeued trial has a new number, and the folder of the old one.
    wait_until(lambda: Path("study/trials/0003").exists() or process.poll() is not None)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    logs = [path.read_text() for path in Path("study/study.workers").glob("worker-*.log")]
    assert len(logs) == 2
    assert not any("Traceback" in log for log in logs)
    assert "A worker died (-9); another takes its place." in stderr
    if process.returncode == 3:  # else the trials were over before the signal
        assert "Stopped by Ctrl-C." in stderr
        assert any("Stopped by SIGTERM" in log for log in logs)
        process = start("--workers", 1, "--trials", 5)
        stdout, stderr = process.communicate(timeout=300)
        assert "lowest validation error" in stdout
    assert process.returncode == 0, stderr
    lines = Path("study/report/trials.csv").read_text().splitlines()
    assert [row["state"] for row in csv.DictReader(lines)] == ["complete"] * 5


def test_a_study_that_is_asked_to_stop_is_reported(images, monkeypatch):
    """In this process: the request comes with the second trial."""
    update, signals = TrialLog.update, [signal.SIGTERM]

    def stop_after_one(self) -> None:
        update(self)
        if self.finished == 1 and signals:
            signal.raise_signal(signals.pop())

    monkeypatch.setattr(TrialLog, "update", stop_after_one)
    with pytest.raises(Interrupted, match="1 of 200 trials have ended. The same command") as error:
        search(images, run_dir="study", trials=200, vary=VARY, pruner="none", **SMALL)
    assert "Stopped by SIGTERM." in str(error.value)
    assert Path("study/report/index.html").exists()


def test_other_workers_finish_the_trials_of_a_killed_study(images, start):
    """SIGKILL for every process of a study: the same call goes on."""
    process = start("--trials", 3)
    wait_until(Path("study/trials/0001").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    report = search(images, run_dir="study", trials=3, vary=VARY, pruner="none", **SMALL)
    assert [trial.state for trial in report.trials] == ["complete"] * 3
