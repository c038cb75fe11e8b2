"""Whatever the recipe and wherever it is stopped: a run ends as if it had not been.

In this process, and in real ones with the signals that a terminal and a system send.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

import alexnet
from alexnet.commands.demo import digit_files, write_digits
from alexnet.data import open_source
from alexnet.devices import Device
from alexnet.errors import Interrupted
from alexnet.recipe import Recipe
from alexnet.runs import Job, Packing, prepare, results
from alexnet.weights import load_weights
from fixtures.training import train_job

DEVICE = Device(kind="cpu", processor="a machine", precision="fp32", threads=1, reason="as asked")
TIMES = {"time", "seconds", "images_per_s", "saving_seconds", "checkpoint_bytes"}
STEPS = 8  # in two epochs of 20 images
PACKING = Packing(cache="none")

recipes = st.builds(
    Recipe,
    model=st.sampled_from(["mlp", "cifar_26pct"]),
    image_px=st.just(16),
    crop_px=st.sampled_from([14, 16]),
    initialization=st.just("he"),
    activation=st.sampled_from(["relu", "tanh"]),
    dropout=st.sampled_from([None, 0.3]),
    mean=st.sampled_from(["image", "central", "channel", "none"]),
    normalize=st.just(True),
    val_fraction=st.just(0.25),
    crop_group=st.sampled_from([1, 3]),
    color_jitter=st.sampled_from([0.0, 0.1]),
    color_jitter_until=st.sampled_from([None, 1]),
    loss=st.sampled_from(["softmax", "squared"]),
    class_weights=st.sampled_from(["none", "auto"]),
    sampling=st.sampled_from(["shuffle", "balanced"]),
    epochs=st.just(2),
    batch_size=st.just(6),
    lr=st.sampled_from([1e-4, 3e-4]),
    bias_lr_ratio=st.sampled_from([1.0, 2.0]),
    layer_lr=st.sampled_from([(), ("fc*=0.5",), ("fc[14]@1=0",)]),
    schedule=st.sampled_from(["constant", "cosine", "plateau", "steps"]),
    milestones=st.just((1,)),
    patience=st.just(1),
    warmup_epochs=st.sampled_from([0.0, 0.5]),
    seed=st.integers(0, 2**63 - 1),
)

stops = st.lists(
    st.tuples(
        st.integers(0, STEPS - 1),
        st.sampled_from(["SIGTERM", "Ctrl-C", "crash"]),
        st.sampled_from(["nothing", "cut", "flip", "half written", "torn journal"]),
    ),
    min_size=1,
    max_size=3,
)


class Crash(BaseException):
    """Ends a run without a word."""


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    for split, count in (("train", 14), ("test", 3)):
        for name, light in (("day", 120), ("night", 0)):
            place = folder / split / name
            place.mkdir(parents=True)
            for i in range(count - (name == "day")):
                pixels = draw.integers(light, light + 130, (16, 17, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{i}.png")
    return folder


@given(recipe=recipes, stops=stops, every=st.sampled_from(["1 step", "3 steps", 10]))
@settings(max_examples=12, deadline=None, database=None, phases=[Phase.generate])
def test_a_run_ends_as_if_it_had_not_been_stopped(images, tmp_path_factory, recipe, stops, every):
    place = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "write_report", lambda *_, **__: None)
        patch.setattr(results, "report_data", lambda *_, **__: None)
        train(images, place / "whole", recipe, every)
        for step, how, damage in stops:
            stopped(images, place / "run", recipe, every, step, how)
            do_damage(place / "run", damage)
        train(images, place / "run", recipe, every)
    for name in ("weights.safetensors", "split.csv", "skipped.csv"):
        assert (place / "whole" / name).read_bytes() == (place / "run" / name).read_bytes()
    assert events(place / "whole") == events(place / "run")
    whole, run = (json.loads((place / n / "results.json").read_text()) for n in ("whole", "run"))
    assert (whole["results"], whole["best_epoch"]) == (run["results"], run["best_epoch"])
    assert not list((place / "run").rglob(".*"))
    shutil.rmtree(place)


def train(images: Path, run: Path, recipe: Recipe, every: Any, on_batch=lambda step: None):
    def make() -> Job:
        job = prepare(open_source(images), recipe, device=DEVICE, packing=PACKING)
        batches = job.training.batches

        def watched(epoch, start):
            for batch in batches(epoch, start):
                on_batch(job.training.state.step)
                yield batch

        job.training.batches = watched
        return job

    return train_job(make, images, run, save_every=every)


def stopped(images: Path, run: Path, recipe: Recipe, every: Any, at: int, how: str) -> None:
    """Begin a run, or go on with it, and stop it in a step; one that is past it goes to its end."""

    def on_batch(step: int) -> None:
        if step == at and how == "crash":
            raise Crash
        if step == at:
            os.kill(os.getpid(), signal.SIGTERM if how == "SIGTERM" else signal.SIGINT)

    try:
        train(images, run, recipe, every, on_batch)
    except Interrupted as error:
        assert f"Stopped by {how} after step {at + 1}." in str(error)
    except Crash:
        pass


def do_damage(run: Path, damage: str) -> None:
    """Do what a dying machine might; of checkpoints to the newest of two alone."""
    if (run / "results.json").exists():
        return
    checkpoints = sorted((run / "checkpoints").glob("step-*.checkpoint"))
    if damage == "torn journal":
        with (run / "journal.jsonl").open("ab") as journal:
            journal.write(b'{"event": "epoch", "epo')
    elif damage == "half written":
        (run / ".weights.safetensors.x.unfinished").write_bytes(b"half")
    elif damage in ("cut", "flip") and len(checkpoints) == 2:
        content = bytearray(checkpoints[-1].read_bytes())
        content[len(content) // 2] ^= 1
        checkpoints[-1].write_bytes(content if damage == "flip" else content[: len(content) // 2])


def events(run: Path) -> list[dict[str, Any]]:
    """Return what a run's journal says happened, without times, beginnings and stops."""
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_bytes().splitlines()]
    return [
        {name: value for name, value in line.items() if name not in TIMES}
        for line in lines
        if line["event"] not in ("begin", "stopped")
    ]


PROCESS_SETTINGS = {
    "recipe": "digits",
    "cache": "none",
    "precision": "fp32",
    "threads": 1,
    "epochs": 3,
    "batch_size": 8,
    "save_every": "1 step",  # by checkpoints the test sees where the run stands
}
DIGITS = {"train": 30, "test": 3}  # of each digit
PROCESS_STEPS = 34  # 300 images less a tenth, in batches of 8


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """Some of the digits."""
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    folder = tmp_path_factory.mktemp("continue")
    write_digits(folder / "all")
    for split, count in DIGITS.items():
        seen: dict[str, int] = {}
        for path in digit_files(folder / "all", split):
            digit = path.parent.name
            seen[digit] = seen.get(digit, 0) + 1
            if seen[digit] <= count:
                target = folder / "digits" / split / digit / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
    return folder / "digits"


@pytest.fixture
def command(digits, tmp_path) -> list[str]:
    words = [f"--{name.replace('_', '-')}={value}" for name, value in PROCESS_SETTINGS.items()]
    run = ["--run-dir", str(tmp_path / "run")]
    return [sys.executable, "-m", "alexnet", "train", str(digits), *run, *words]


def steps_done(run: Path) -> int:
    """The step of the newest checkpoint."""
    names = [path.name for path in (run / "checkpoints").glob("step-*.checkpoint")]
    return max((int(re.findall(r"\d+", name)[0]) for name in names), default=0)


def stopped_process(
    command: list[str], run: Path, at: int, number: signal.Signals
) -> tuple[int, str]:
    """Start a process, send it a signal when it has done so many steps; return code and words."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            while steps_done(run) < at and process.poll() is None:
                time.sleep(0.001)
            process.send_signal(number)
            out, err = process.communicate(timeout=900)
        finally:
            process.kill()
    assert out == b""
    return process.returncode, err.decode()


def journal_lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]


def test_stopped_by_signals_to_a_process_it_ends_with_the_same_weights(command, digits, tmp_path):
    run = tmp_path / "run"
    for at, number, reason in (
        (5, signal.SIGINT, "Ctrl-C"),
        (PROCESS_STEPS + 5, signal.SIGTERM, "SIGTERM"),
    ):
        code, said = stopped_process(command, run, at, number)
        step = steps_done(run)
        assert step, said
        assert at <= step < 3 * PROCESS_STEPS  # how soon the signal comes is up to the machine
        assert (code, said.splitlines()[-1]) == (
            3,
            f"Stopped by {reason} after step {step}. The same command continues the run.",
        )
        assert journal_lines(run)[-1]["event"] == "stopped"
        assert not (run / "results.json").exists()
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["continued"]
    assert f"Continuing {run} after step {step}." in done.stderr

    whole = alexnet.train(digits, run_dir=tmp_path / "whole", **PROCESS_SETTINGS)
    assert report["results"] == whole.results.to_json()
    one, other = load_weights(run), load_weights(whole.run_dir)
    assert one.state.keys() == other.state.keys()
    assert all(torch.equal(one.state[name], other.state[name]) for name in one.state)
    figures = ("epoch", "step", "lr", "train_loss", "train_error", "val_loss", "val_error", "best")
    mine, theirs = (
        [
            {name: each[name] for name in figures}
            for each in journal_lines(place)
            if each["event"] == "epoch"
        ]
        for place in (run, Path(whole.run_dir))
    )
    assert mine == theirs
    assert [each["step"] for each in mine] == [PROCESS_STEPS, 2 * PROCESS_STEPS, 3 * PROCESS_STEPS]
