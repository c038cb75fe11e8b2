"""What a whole training holds at its most, by part, in sizes of its largest tensor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("live_memory.py")
PARTS = {"steps", "validation", "checkpoint", "calibration", "final measuring", "final weights"}


def test_weights_and_velocities_are_all_that_is_as_large_as_the_network(tmp_path):
    """A whole gradient, a copy for a checkpoint or for measuring would be one more."""
    words = [sys.executable, str(PROGRAM), str(tmp_path)]
    tests = os.pathsep.join([str(PROGRAM.parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": tests, "ALEXNET_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    most = json.loads(done.stdout.splitlines()[-1])
    assert most.keys() == PARTS | {"report"}
    assert {part: each for part, each in most.items() if not 2 <= each < 2.5} == {}
