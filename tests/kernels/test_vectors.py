"""Vectors as wide as what numba compiles for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("numba")


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"NUMBA_CPU_NAME": "haswell"}, "8 16 True"),
        ({"NUMBA_CPU_NAME": "skylake-avx512"}, "16 32 True"),
        ({"NUMBA_CPU_NAME": "generic"}, "8 16 False"),
        ({"NUMBA_DISABLE_JIT": "1", "NUMBA_CPU_NAME": "haswell"}, "8 16 False"),
    ],
    ids=["AVX2", "AVX-512", "neither", "no compiling"],
)
def test_lanes_registers_and_fused_products_follow_the_processor(settings, wanted):
    program = "from alexnet.kernels.vectors import *; print(LANES, REGISTERS, has_fma())"
    environment = {**os.environ, **settings}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == wanted.split()
