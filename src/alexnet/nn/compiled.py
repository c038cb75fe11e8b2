"""Functions that numba compiles when they are first called, and how they are called (extra: fast).

Importing this module fails where numba is not installed: whoever imports it has another way.
Kernels read rows of float32 or of bfloat16, the latter as uint16 bits, and compute in float32.
"""

from __future__ import annotations

import threading
from typing import Any

import numba
import numpy as np
import torch
from numba import types
from numba.extending import overload

from alexnet.compiling import compiled

__all__ = [
    "as_array",
    "call",
    "compiled",
    "cut_below_zero",
    "load",
    "njit",
    "prange",
    "store",
    "threads",
]

# numba's own types know nothing of what a compiled function becomes
_numba: Any = numba
njit: Any = numba.njit
prange: Any = numba.prange

_HALF = np.uint32(16)
_one_at_a_time = threading.Lock()  # not every threading layer of numba bears two callers


def threads() -> int:
    """Return how many threads a kernel may use: as many as torch does."""
    return min(torch.get_num_threads(), _numba.config.NUMBA_NUM_THREADS)


def call(kernel: Any, *arguments: Any) -> None:
    """Call a parallel kernel on as many threads as torch uses, and leave torch its number.

    Where both share one OpenMP library, numba's first call sets the number for both.
    """
    before = torch.get_num_threads()
    with _one_at_a_time:
        numba.set_num_threads(threads())
        kernel(*arguments)
    if torch.get_num_threads() != before:
        torch.set_num_threads(before)


def as_array(x: torch.Tensor) -> Any:
    """Return the memory of (N, C, H, W), channels last, as (N, H, W, C); bfloat16 as uint16."""
    rows = x.detach().permute(0, 2, 3, 1)
    return (rows.view(torch.uint16) if x.dtype == torch.bfloat16 else rows).numpy()


def load(row: Any, values: Any, bits: Any) -> None:
    """Copy a row of float32 numbers, or of the bits of bfloat16 ones, into float32 `values`.

    Args:
        row: what is read.
        values: float32, written.
        bits: the same memory as `values`, as uint32.
    """
    raise NotImplementedError  # replaced where it is compiled


@overload(load, inline="always")
def _load_by_type(row: Any, values: Any, bits: Any) -> Any:
    if row.dtype == types.uint16:

        def load(row: Any, values: Any, bits: Any) -> None:
            for c in range(len(row)):
                bits[c] = np.uint32(row[c]) << _HALF
    else:

        def load(row: Any, values: Any, bits: Any) -> None:
            for c in range(len(row)):
                values[c] = row[c]

    return load


def store(values: Any, bits: Any, row: Any) -> None:
    """Copy float32 `values` into a row; bfloat16 is the nearest, ties to even.

    Args:
        values: float32.
        bits: the same memory, as uint32.
        row: what is written.
    """
    raise NotImplementedError  # replaced where it is compiled


@overload(store, inline="always")
def _store_by_type(values: Any, bits: Any, row: Any) -> Any:
    if row.dtype == types.uint16:

        def store(values: Any, bits: Any, row: Any) -> None:
            for c in range(len(row)):
                rounding = np.uint32(0x7FFF) + ((bits[c] >> _HALF) & np.uint32(1))
                row[c] = np.uint16((bits[c] + rounding) >> _HALF)
    else:

        def store(values: Any, bits: Any, row: Any) -> None:
            for c in range(len(row)):
                row[c] = values[c]

    return store


@njit(inline="always")
def cut_below_zero(values: Any, really: bool) -> None:
    """Set what is below zero to zero; what is not a number stays so, as in torch."""
    if really:
        for c in range(len(values)):
            values[c] = np.float32(0) if values[c] < 0 else values[c]
