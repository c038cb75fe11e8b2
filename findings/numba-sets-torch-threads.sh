#!/usr/bin/env bash
# Compiling numba's first parallel kernel decides how many threads torch uses from then on.
#
# Expected: torch.set_num_threads(1) holds until somebody calls it again, and numba's threads are numba's.
# Instead: both run on OpenMP, and numba starts its threads when it compiles the first parallel kernel,
#   before that is called even once. That sets OpenMP's number for the calling thread, and torch
#   computes on as many threads as numba has, by default every core of the machine. Importing numba
#   changes nothing, calling the kernel and compiling another change nothing, and a number that torch
#   is given afterwards stays. So a number that was set at the start of a program, as a shared machine
#   asks for, is lost at the first batch, or at the import of a module with a compiled kernel.
# Why here: normalization, pooling, the momentum rule and the crops are kernels of numba beside layers
#   of torch, and several trainings share a machine by their numbers of threads. Each kernel here is
#   called through one function that gives numba torch's number before and torch its own afterwards.
# Versions: numba 0.68.1, llvmlite 0.50.0, torch 2.13.0 (CPU), numpy 2.4.6, on Linux; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
install="venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet"
$install torch==2.13.0 || exit 2
$install numba==0.68.1 llvmlite==0.50.0 numpy==2.4.6 || exit 2

export NUMBA_NUM_THREADS=4  # the same on every machine; without it, as many as there are cores
unset OMP_NUM_THREADS NUMBA_THREADING_LAYER
venv/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import torch

torch.set_num_threads(1)
seen = [("torch.set_num_threads(1)", torch.get_num_threads())]


def note(what):
    seen.append((what, torch.get_num_threads()))


import numba
from numba import njit, prange

note("import numba")


@njit(parallel=True)
def add_one(values):
    for i in prange(len(values)):
        values[i] += 1


@njit(parallel=True)
def add_two(values):
    for i in prange(len(values)):
        values[i] += 2


add_one.compile("(float64[::1],)")
note("a kernel compiled")
values = np.zeros(100)
add_one(values)
note("that kernel called")
torch.set_num_threads(1)
note("torch.set_num_threads(1) again")
add_two(values)
note("another kernel called")

print(f"numba {numba.__version__}, threads by {numba.threading_layer()}, {numba.get_num_threads()} of them")
for what, threads in seen:
    print(f"  {what:32} torch computes on {threads}")
holds = [threads for _, threads in seen] == [1, 1, 4, 4, 1, 1]
sys.exit(0 if holds else "changed: numba leaves torch its threads, or takes them at another time")
PYTHON
