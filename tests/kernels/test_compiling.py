"""The kernels compile to machine code for NVIDIA's cards, without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="the kernels need triton")

EACH = 8  # numbers that a thread makes: 1024 by 4 * 32 threads


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the compiler made of each kernel, in a process where the interpreter is off."""
    cache = {"TRITON_CACHE_DIR": str(tmp_path_factory.mktemp("triton")), "TRITON_INTERPRET": "0"}
    program = Path(__file__).with_name("compile_for_cards.py")
    done = subprocess.run(
        [sys.executable, program],
        env={**os.environ, **cache},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_kernels_compile_without_atomics(found):
    assert len(found) == 4
    assert all(each["atomic"] == 0 for each in found.values())


def test_neighbors_are_read_once_though_their_windows_overlap(found):
    assert found["forward"]["reads"] == 5 * EACH
    assert found["backward"]["reads"] == (9 + 5) * EACH


def test_crop_kernel_rounds_after_each_operation(found):
    crops = found["crops"]
    assert crops["exact divisions"] == EACH
    assert crops["other divisions"] == crops["multiplied and added"] == 0
