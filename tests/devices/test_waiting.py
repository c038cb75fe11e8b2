"""Threads that wait give their cores away soon, whoever loaded torch."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from alexnet.devices import waiting

SPUN = """
import sys, time
import torch
from alexnet.devices import choose_device, cores
if {mended}:
    choose_device("fp32", threads=2, exact_convolutions=True)
    choose_device("fp32", threads=2, exact_convolutions=True)
torch.set_num_threads(2)
x = torch.zeros(1 << 18)
def spun():
    x.exp_()
    before = time.process_time()
    time.sleep(0.05)
    return time.process_time() - before
print(sorted(spun() for _ in range(9))[4])
"""


def seconds_of_spinning(*, mended):
    """What two threads of torch use of a core in 50 ms after they have computed."""
    names = ("OMP_NUM_THREADS", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", SPUN.format(mended=mended)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="GNU's OpenMP on Linux alone")
@pytest.mark.skipif((os.cpu_count() or 1) > 2, reason="with more cores nobody waits for one")
def test_torch_that_was_loaded_first_stops_spinning_too():
    assert seconds_of_spinning(mended=True) < 0.1 * seconds_of_spinning(mended=False)


@pytest.fixture
def fresh(monkeypatch):
    """A process in which nothing was set or parked; its threads are counted and do not stay."""
    started = []
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(waiting, "_parked", [])
    monkeypatch.setattr(waiting, "_late", [])
    monkeypatch.setattr(waiting, "_has_gnu_openmp", lambda: True)
    monkeypatch.setattr(waiting, "_keep_team", lambda done: (started.append(done), done.set()))
    return started


def test_one_team_sleeps_where_torch_came_first(fresh):
    for _ in range(2):
        waiting.let_waiting_threads_sleep(threads=2, cores=2)
    assert len(fresh) == 1
    assert os.environ["GOMP_SPINCOUNT"] == "3000"  # for copies that are loaded later


@pytest.mark.parametrize(("threads", "cores"), [(1, 1), (1, 2), (2, 4), (4, 7)])
def test_no_team_where_cores_are_left(fresh, threads, cores):
    waiting.let_waiting_threads_sleep(threads, cores)
    assert not fresh


@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"])
def test_no_team_where_the_environment_says_how_to_wait(fresh, name):
    os.environ[name] = "active"
    waiting.let_waiting_threads_sleep(threads=2, cores=2)
    assert not fresh
    assert os.environ[name] == "active"
    assert not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & {*os.environ} - {name}


def test_no_team_where_torch_is_loaded_afterwards(fresh, monkeypatch):
    with monkeypatch.context() as without_torch:
        without_torch.delitem(sys.modules, "torch", raising=False)
        waiting.share_cores_of_openmp()
    waiting.let_waiting_threads_sleep(threads=2, cores=2)
    assert not fresh


def test_no_team_under_another_openmp(fresh, monkeypatch):
    monkeypatch.setattr(waiting, "_has_gnu_openmp", lambda: False)
    waiting.let_waiting_threads_sleep(threads=2, cores=2)
    assert not fresh


def test_the_team_computes_before_anybody_goes_on(monkeypatch):
    begun, computed = time.monotonic(), threading.Event()
    thread = threading.Thread(target=waiting._keep_team, args=(computed,), daemon=True)
    thread.start()
    assert computed.wait(timeout=10)
    assert thread.is_alive()
    assert time.monotonic() - begun < 10
