"""Workers as processes, killed with SIGKILL: their trials are continued, once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alexnet.studies import open_study, trial_records

from .formula import make_config

SCRIPT = Path(__file__).with_name("slow_worker.py")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")


def start(folder: Path, storage: str, *, go: Path = SCRIPT, heartbeat_s: int = 60):
    """Start a worker whose trials wait behind their first epoch until the file `go` is there."""
    command = [sys.executable, SCRIPT, folder, storage, heartbeat_s, go]
    return subprocess.Popen([str(each) for each in command], stderr=subprocess.PIPE)


def finish(worker) -> None:
    _, stderr = worker.communicate(timeout=500)
    assert worker.returncode == 0, stderr.decode()


def wait_for(path: Path, lines: int) -> None:
    until = time.monotonic() + 400
    while time.monotonic() < until:
        if path.exists() and len(path.read_text().splitlines()) >= lines:
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} did not come")


def records(folder: Path, storage: str):
    with open_study(folder, make_config(), storage) as study:
        return trial_records(study)


def assert_complete(trials, killed: int) -> None:
    """Six trials are complete, the killed one among them under another number."""
    assert [each.state for each in trials] == ["complete"] * 6
    assert [each.retry_of for each in trials if each.retry_of is not None] == [killed]
    assert all([epoch for epoch, _ in each.curve] == list(range(1, 10)) for each in trials)
    assert len({str(each.params) for each in trials}) == 6


def test_the_next_worker_continues_the_trial_of_a_killed_one(tmp_path):
    folder, storage = tmp_path / "study", str(tmp_path / "study" / "study.journal")
    worker = start(folder, storage, go=tmp_path / "never")
    wait_for(folder / "trials" / "0000" / "epochs.txt", 1)
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    finish(start(folder, storage))
    trials = records(folder, storage)
    assert_complete(trials, killed=0)
    (again,) = [each for each in trials if each.retry_of == 0]
    assert again.run_dir == "trials/0000"  # with its first epochs
    assert len((folder / "trials" / "0000" / "epochs.txt").read_text().split()) == 9
    assert [each.number for each in trials] == [1, 2, 3, 4, 5, 6]


def test_another_worker_continues_the_trial_of_a_killed_one(tmp_path):
    folder, storage = tmp_path / "study", str(tmp_path / "study" / "study.journal")
    first = start(folder, storage, go=tmp_path / "never")
    wait_for(folder / "trials" / "0000" / "epochs.txt", 1)
    second = start(folder, storage)
    wait_for(folder / "trials" / "0005" / "epochs.txt", 9)  # it now waits for the first
    first.send_signal(signal.SIGKILL)
    first.communicate()
    finish(second)
    assert_complete(records(folder, storage), killed=0)
