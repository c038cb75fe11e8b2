"""`--processes` and launchers on the command line: who speaks, who is refused, who is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fixtures.command_line import write_images

SETTINGS = [
    *("--from", "scratch", "--model", "cifar_26pct", "--image-px", "16", "--crop-px", "14"),
    *("--epochs", "3", "--batch-size", "5", "--lr", "0.001", "--precision", "fp32"),
    *("--cache", "none", "--exact-convolutions", "--save-every", "2 steps"),
]


@pytest.fixture
def launched(monkeypatch):
    """As in a process that a launcher started."""
    values = {"RANK": "1", "WORLD_SIZE": "3", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "words", ["pack photos packed", "predict photo.jpg", "finetune photos", "demo", "describe"]
)
def test_verbs_of_one_process_refuse_a_launcher(alexnet, launched, words):
    said = alexnet(*words.split())
    assert said.code == 2
    assert re.fullmatch(
        r"error: \w+ runs in one process, and a launcher started 3\. Call it without the "
        r"launcher; several processes share train, evaluate and bench alone\.\n",
        said.err,
    )


def test_ways_need_several_processes(alexnet, tmp_path):
    write_images(tmp_path / "photos", 4)
    words = ("train", tmp_path / "photos", "--run-dir", tmp_path / "run", *SETTINGS)
    said = alexnet(*words, "--parallel", "hybrid")
    assert said.code == 2
    assert "--parallel hybrid shares a network among processes, and there is one." in said.err


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_no_processes_are_too_few(alexnet, verb):
    said = alexnet(verb, "nowhere", "nowhere", "--processes", "0")
    assert (said.code, said.out) == (2, "")


def losses(run: Path) -> list[float]:
    lines = map(json.loads, (run / "journal.jsonl").read_text().splitlines())
    return [each["train_loss"] for each in lines if each["event"] == "epoch"]


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "ALEXNET_CACHE": str(cache)}


@pytest.mark.slow
def test_a_killed_process_begins_again_with_the_others(alexnet, tmp_path):
    """Two processes, of which one is killed, come to what one process does."""
    write_images(tmp_path / "photos", 12)
    words = [sys.executable, "-m", "alexnet", "train", str(tmp_path / "photos"), *SETTINGS]
    cache = environment(tmp_path / "cache")
    alone = alexnet("train", tmp_path / "photos", "--run-dir", tmp_path / "alone", *SETTINGS)
    assert alone.code == 0, alone.err
    together = subprocess.Popen(
        [*words, "--run-dir", str(tmp_path / "run"), "--processes", "2"],
        env=cache,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    checkpoints = tmp_path / "run" / "checkpoints"
    until = time.monotonic() + 120
    while not list(checkpoints.glob("*.checkpoint")) and time.monotonic() < until:
        time.sleep(0.01)
    children = subprocess.run(
        ["pgrep", "-P", str(together.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    os.kill(int(children[-1]), signal.SIGKILL)
    out, err = together.communicate(timeout=300)
    assert together.returncode == 0, err
    assert losses(tmp_path / "run") == pytest.approx(losses(tmp_path / "alone"), rel=1e-5)
    assert out.count("accuracy") >= 1


@pytest.mark.slow
def test_what_cannot_be_is_said_once_and_not_tried_again(tmp_path):
    write_images(tmp_path / "photos", 4)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "alexnet", "train", str(tmp_path / "photos"), *SETTINGS),
            *("--processes", "2", "--parallel", "towers", "--run-dir", str(tmp_path / "run")),
        ],
        env=environment(tmp_path / "cache"),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2
    assert done.stderr.count("its layers do not fall into towers") == 1
