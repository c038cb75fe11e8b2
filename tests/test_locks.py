"""One process at a time in a folder; a lock dies with its owner."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import platform
import signal
import subprocess
import sys
import threading
import warnings

import pytest

from alexnet.errors import RunError, SourceError
from alexnet.locks import locked, own_warning_filters

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


def test_a_second_process_is_told_host_and_process_of_the_first(tmp_path, holder):
    words = rf"in use by process {holder.pid} on {platform.node()}\. Wait for it, stop it"
    with pytest.raises(RunError, match=words), locked(tmp_path):
        pass
    with pytest.raises(SourceError), locked(tmp_path, error=SourceError):
        pass


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, holder, caplog):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with caplog.at_level(logging.INFO, "alexnet"), locked(tmp_path):
        pass
    assert f"was left by process {holder.pid} on {platform.node()}, which ended" in caplog.text


def test_a_lock_is_released_at_the_end_and_after_an_error(tmp_path):
    with locked(tmp_path):
        pass
    with pytest.raises(ValueError, match="mine"), locked(tmp_path):
        raise ValueError("mine")
    with locked(tmp_path), locked(tmp_path, name="other"):
        pass


def test_a_folder_that_is_moved_while_it_is_locked_is_locked_anew(tmp_path, monkeypatch):
    folder, moved, real = tmp_path / "folder", tmp_path / "moved", fcntl.flock

    def flock(descriptor, operation):
        if not moved.exists():
            folder.rename(moved)
        return real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    words = f"in use by process {os.getpid()} on"
    with locked(folder), pytest.raises(RunError, match=words), locked(folder):
        pass
    assert (moved / "lock").exists()


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    words = (
        r"cannot be locked: its file system has no locks \(No locks available\)\. Choose a folder"
    )
    with pytest.raises(RunError, match=words), locked(tmp_path):
        pass


def test_two_threads_that_change_the_filters_of_warnings_leave_them_as_they_were():
    before = list(warnings.filters)
    inside, leave = threading.Event(), threading.Event()

    def first():
        with own_warning_filters():
            warnings.simplefilter("ignore")
            inside.set()
            leave.wait(10)

    def second():
        inside.wait(10)
        threading.Timer(0.05, leave.set).start()
        with own_warning_filters(record=True) as caught:
            warnings.simplefilter("always")
            warnings.warn("seen", stacklevel=1)
        assert [str(each.message) for each in caught] == ["seen"]

    threads = [threading.Thread(target=each) for each in (first, second)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert list(warnings.filters) == before
