"""Calling compiled kernels: what they leave behind."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("numba", reason="the compiled form needs numba")

PROGRAM = """
import torch
torch.set_num_threads(1)
from alexnet.nn import MaxPool
x = torch.ones(2, 3, 6, 6).to(memory_format=torch.channels_last).requires_grad_()
MaxPool()(x).sum().backward()
print(torch.get_num_threads())
"""


def test_the_first_kernel_leaves_torch_its_number_of_threads():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout.split() == ["1"], done.stderr


NOTICE = """
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s")
import numba, numpy
from alexnet.kernels import momentum
import torch
numba.njit(lambda x: x + 1)(1)  # another program's
print("others are compiled", flush=True)
w, v, g = torch.ones(4), torch.zeros(4), torch.ones(4)
for _ in range(2):
    momentum.momentum_step(w, v, g, 0.9, 0.0, 0.5)
print(w.tolist())
"""


def test_compiling_is_said_once_and_not_where_machine_code_is_read(tmp_path):
    said = "Compiling kernels for this processor: some seconds, once."
    for wanted in ([said], []):
        done = subprocess.run(
            [sys.executable, "-c", NOTICE],
            capture_output=True,
            text=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        )
        assert done.returncode == 0, done.stderr
        assert [line for line in done.stderr.splitlines() if "ompil" in line] == wanted, done.stderr
