"""One process at a time in a folder; a lock dies with its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from alexnet.errors import RunError, SourceError
from alexnet.locks import locked

HOLD = """
import sys
from pathlib import Path
from alexnet.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        if process.poll() is None:
            process.kill()


def test_the_second_is_refused_with_the_first_ones_host_and_process(tmp_path, holder):
    words = rf"in use by process {holder.pid} on {os.uname().nodename}\. Wait for it, stop it"
    with pytest.raises(RunError, match=words), locked(tmp_path):
        pass
    with pytest.raises(SourceError), locked(tmp_path, error=SourceError):
        pass


def test_a_killed_owner_leaves_no_lock_behind(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with locked(tmp_path):
        pass


def test_it_is_let_go_at_the_end_and_after_an_error(tmp_path):
    with locked(tmp_path):
        pass
    with pytest.raises(ValueError, match="mine"), locked(tmp_path):
        raise ValueError("mine")
    with locked(tmp_path), locked(tmp_path, name="other"):
        pass
