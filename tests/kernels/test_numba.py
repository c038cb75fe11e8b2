"""Calling compiled kernels: what they leave behind."""

from __future__ import annotations

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
