"""Stopped in the middle of an epoch by Ctrl-C and SIGTERM, a run ends as if nothing had happened.

Real processes: the signals are those that a terminal and a system send.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from alexnet import train
from alexnet.commands.demo import digit_files, write_digits
from alexnet.weights import load_weights

SETTINGS = {
    "recipe": "digits",
    "cache": "none",
    "precision": "fp32",
    "threads": 1,
    "epochs": 3,
    "batch": 8,
    "save_every": "1 step",  # by checkpoints the test sees where the run stands
}
PICTURES = {"train": 30, "test": 3}  # of each digit
STEPS = 34  # 300 pictures less a tenth, in batches of 8


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """Some of the digits."""
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    folder = tmp_path_factory.mktemp("continue")
    write_digits(folder / "all")
    for split, count in PICTURES.items():
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
    words = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]
    run = ["--run", str(tmp_path / "run")]
    return [sys.executable, "-m", "alexnet", "train", str(digits), *run, *words]


def steps_done(run: Path) -> int:
    """The step of the newest checkpoint."""
    names = [path.name for path in (run / "checkpoints").glob("step-*.checkpoint")]
    return max((int(re.findall(r"\d+", name)[0]) for name in names), default=0)


def stopped(command: list[str], run: Path, at: int, number: signal.Signals) -> tuple[int, str]:
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


def events(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]


def test_it_ends_with_the_weights_of_a_run_that_nobody_stopped(command, digits, tmp_path):
    run = tmp_path / "run"
    for at, number, reason in (
        (5, signal.SIGINT, "Ctrl-C"),
        (STEPS + 5, signal.SIGTERM, "SIGTERM"),
    ):
        code, said = stopped(command, run, at, number)
        step = steps_done(run)
        assert step, said
        assert at <= step < 3 * STEPS  # how soon the signal comes is up to the machine
        assert (code, said.splitlines()[-1]) == (
            3,
            f"Stopped by {reason} after step {step}. The same command continues the run.",
        )
        assert events(run)[-1]["event"] == "stopped"
        assert not (run / "results.json").exists()
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["continued"]
    assert f"Continuing {run} after step {step}." in done.stderr

    whole = train(digits, run=tmp_path / "whole", **SETTINGS)
    assert report["results"] == whole.results.to_json()
    one, other = load_weights(run), load_weights(whole.run)
    assert one.state.keys() == other.state.keys()
    assert all(torch.equal(one.state[name], other.state[name]) for name in one.state)
    figures = ("epoch", "step", "lr", "train_loss", "train_error", "val_loss", "val_error", "best")
    mine, theirs = (
        [
            {name: each[name] for name in figures}
            for each in events(place)
            if each["event"] == "epoch"
        ]
        for place in (run, Path(whole.run))
    )
    assert mine == theirs
    assert [each["step"] for each in mine] == [STEPS, 2 * STEPS, 3 * STEPS]
