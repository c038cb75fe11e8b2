"""Functions that numba compiles when they are first called, and how they are called (extra: fast).

Importing this module fails where numba is not installed: whoever imports it has another way.
Kernels read rows of float32 or of bfloat16, the latter as uint16 bits, and compute in float32.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from numba import types
from numba.extending import overload

__all__ = ["as_array", "call", "compiled", "load", "njit", "prange", "store", "threads"]


def compiled(**options: Any) -> Callable[[Any], Any]:
    """Compile a function on first use; the machine code is kept on disk wherever that is possible.

    Args:
        options: of `numba.njit`.

    Raises:
        ImportError: numba is not installed: whoever imports kernels has another way.
    """
    import numba

    njit: Any = numba.njit  # numba's types know nothing of what a compiled function becomes

    def make(function: Any) -> Any:
        settings = {"error_model": "numpy", "nogil": True, **options}
        try:
            return njit(cache=True, **settings)(function)
        except RuntimeError:  # no folder for the machine code can be written
            return njit(**settings)(function)

    return make


# numba's own types know nothing of what a compiled function becomes
_numba: Any = numba
njit: Any = numba.njit
prange: Any = numba.prange

_HALF = np.uint32(16)
_SIGN, _LEAST = np.uint32(0x80000000), np.uint32(0xFF800000)  # bits of -0 and of minus infinity
_ROUNDING, _ONE = np.uint32(0x7FFF), np.uint32(1)
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


def load(row: Any, values: Any, bits: Any, rectify: bool) -> None:
    """Copy a row of float32 numbers, or of the bits of bfloat16 ones, into float32 `values`.

    A ReLU is made on the way: in place, compilers make stores under a mask of it, and there are
    processors that take ten times as long for those.

    Args:
        row: what is read.
        values: float32, written.
        bits: the same memory as `values`, as uint32.
        rectify: set what is below zero to zero; what is not a number stays so, as in torch.
    """
    raise NotImplementedError  # replaced where it is compiled


@overload(load)
def _load_by_type(row: Any, values: Any, bits: Any, rectify: bool) -> Any:
    if row.dtype == types.uint16:

        def load(row: Any, values: Any, bits: Any, rectify: bool) -> None:
            for c in range(len(row)):
                wide = np.uint32(row[c]) << _HALF
                bits[c] = np.uint32(0) if rectify and _SIGN <= wide <= _LEAST else wide
    else:

        def load(row: Any, values: Any, bits: Any, rectify: bool) -> None:
            for c in range(len(row)):
                values[c] = np.float32(0) if rectify and row[c] < 0 else row[c]

    return load


def store(values: Any, bits: Any, row: Any, rectify: bool) -> None:
    """Copy float32 `values` into a row; bfloat16 is the nearest, ties to even.

    Args:
        values: float32.
        bits: the same memory, as uint32.
        row: what is written.
        rectify: as for `load`.
    """
    raise NotImplementedError  # replaced where it is compiled


@overload(store)
def _store_by_type(values: Any, bits: Any, row: Any, rectify: bool) -> Any:
    if row.dtype == types.uint16:

        def store(values: Any, bits: Any, row: Any, rectify: bool) -> None:
            for c in range(len(row)):
                cut = np.uint32(0) if rectify and _SIGN <= bits[c] <= _LEAST else bits[c]
                row[c] = np.uint16((cut + _ROUNDING + ((cut >> _HALF) & _ONE)) >> _HALF)
    else:

        def store(values: Any, bits: Any, row: Any, rectify: bool) -> None:
            for c in range(len(row)):
                row[c] = np.float32(0) if rectify and values[c] < 0 else values[c]

    return store
