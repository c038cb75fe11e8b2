"""What a whole training holds at its most, by part, in sizes of its largest tensor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("live_memory.py")
PARTS = {"steps", "validation", "checkpoint", "calibration", "final measuring", "final weights"}


def measured(folder: Path) -> dict[str, float]:
    folder.mkdir()
    words = [sys.executable, str(PROGRAM), str(folder)]
    tests = os.pathsep.join([str(PROGRAM.parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": tests, "ALEXNET_CACHE": str(folder / "cache")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow  # for a quiet machine
def test_weights_and_velocities_are_all_that_is_as_large_as_the_network(tmp_path):
    """A whole gradient, a copy for a checkpoint or for measuring would be one more.

    Beside other programs torch's profiler (2.13) misses that a tensor was freed, and
    counts it from then on; a copy that is really made is there each time.
    """
    for attempt in range(4):
        most = measured(tmp_path / str(attempt))
        assert most.keys() == PARTS | {"report"}
        too_much = {part: each for part, each in most.items() if not 2 <= each < 2.5}
        if not too_much:
            return
    assert too_much == {}
