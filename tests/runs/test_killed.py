"""A run that is killed, at whatever operation or instant, ends as if nothing had been."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("killed.py")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


def killed(folder: Path, mode: str, count: str, *more: str) -> dict:
    tests = str(PROGRAM.parents[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": tests}
    seed = str(random_seed())
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), mode, count, seed, *more],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    found = json.loads(done.stdout)
    assert found["wrong"] == [], f"seed {seed}: {found['wrong']}\n{done.stderr}"
    return found


def random_seed() -> int:
    """Another set of kills each day that nobody asks for one by ALEXNET_TEST_SEED."""
    return int(os.environ.get("ALEXNET_TEST_SEED", "0"))


def test_at_some_operations_on_files(tmp_path):
    found = killed(tmp_path, "operations", "14")
    assert found["operations"] > 100
    assert found["kills"] >= 14


def test_at_some_operations_while_steps_wait_for_their_checkpoint(tmp_path):
    assert killed(tmp_path, "operations", "8", "held")["kills"] >= 8


def test_at_some_instants(tmp_path):
    assert killed(tmp_path, "instants", "5")["kills"] >= 1


@pytest.mark.slow
def test_at_every_operation_on_files(tmp_path):
    found = killed(tmp_path, "operations", "all")
    assert found["kills"] >= found["operations"]
