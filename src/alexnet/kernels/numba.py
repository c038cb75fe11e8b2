"""What the kernels compiled by numba share: compiling, launching, reading and writing rows.

Importing this module fails where numba (extra: fast) is not installed; whoever imports a kernel has
another way. Kernels read rows of float32 or of bfloat16, the latter as uint16 bits, because numba
knows no bfloat16, and compute in float32.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types
from numba.core import event
from numba.extending import overload

if TYPE_CHECKING:  # loaded where it is used: kernels that pack images do without it
    import torch

__all__ = [
    "cached_njit",
    "channels_last_array",
    "compiled_function",
    "launch",
    "load_row",
    "njit",
    "prange",
    "store_row",
    "thread_count",
]

# Typed as Any: numba's own annotations do not say what a compiled function becomes.
_numba: Any = numba
njit: Any = numba.njit
prange: Any = numba.prange

_HALF = np.uint32(16)  # bits of a bfloat16: the upper half of a float32
_NEGATIVE_ZERO, _NEGATIVE_INFINITY = np.uint32(0x80000000), np.uint32(0xFF800000)
_ROUNDING, _ONE = np.uint32(0x7FFF), np.uint32(1)

# The "workqueue" threading layer, numba's choice where neither TBB nor OpenMP is found, ends the
# process when two threads launch kernels at once.
_launching = threading.Lock()

_functions: list[Any] = []

_log = logging.getLogger(__name__)


class _CompilationNotice(event.Listener):
    """Says once in a process that kernels of this package are compiled, and not read from disk."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        """Take in that numba begins to compile a function, of whatever program."""
        module = str(event.data["dispatcher"].py_func.__module__)
        if not self.said and module.startswith("alexnet."):
            self.said = True
            _log.info("Compiling kernels for this processor: some seconds, once.")

    def on_end(self, event: Any) -> None:
        """Do nothing."""


_notice = _CompilationNotice()
event.register("numba:compile", _notice)


def cached_njit(**options: Any) -> Callable[[Any], Any]:
    """Compile a function when it is first called; keep the machine code on disk where possible.

    Args:
        options: of `numba.njit`. Division by zero gives what IEEE 754 says instead of raising (a
            check in a loop would keep it from being vectorized), and Python's lock is released, so
            that the thread that loads batches goes on meanwhile.
    """

    def compile_later(function: Any) -> Any:
        settings = {"error_model": "numpy", "nogil": True, **options}
        try:
            return njit(cache=True, **settings)(function)
        except RuntimeError:  # numba finds no folder that it can write machine code to
            return njit(**settings)(function)

    return compile_later


def compiled_function(function: Any) -> int:
    """Return the address of the machine code of a function of whole numbers that returns nothing.

    Kernels call it by that address: it is compiled once for all of them, and none is compiled
    again for another function.
    """
    signature = types.void(*[types.int64] * len(inspect.signature(function).parameters))
    settings = {"nopython": True, "error_model": "numpy"}
    try:
        made: Any = _numba.cfunc(signature, cache=True, **settings)(function)
    except RuntimeError:  # as in `cached_njit`
        made = _numba.cfunc(signature, **settings)(function)
    _functions.append(made)  # the code lives as long as this does
    return made.address


def thread_count() -> int:
    """Return how many threads a kernel may use: as many as torch does."""
    import torch

    return min(torch.get_num_threads(), _numba.config.NUMBA_NUM_THREADS)


def launch(kernel: Any, *arguments: Any) -> None:
    """Call a parallel kernel on as many threads as torch uses, and leave torch its number.

    Where numba's threads come from the OpenMP library that torch uses too, numba's first launch
    sets the number for both.
    """
    import torch

    before = torch.get_num_threads()
    with _launching:
        numba.set_num_threads(thread_count())
        kernel(*arguments)
    if torch.get_num_threads() != before:
        torch.set_num_threads(before)


def channels_last_array(x: torch.Tensor) -> Any:
    """Return the memory of (N, C, H, W), channels last, as (N, H, W, C); bfloat16 as uint16."""
    import torch

    rows = x.detach().permute(0, 2, 3, 1)
    return (rows.view(torch.uint16) if x.dtype == torch.bfloat16 else rows).numpy()


def load_row(row: Any, values: Any, bits: Any, relu: bool) -> None:
    """Copy a row of float32 numbers, or of the bits of bfloat16 ones, into float32 `values`.

    Args:
        row: what is read.
        values: float32, written.
        bits: the same memory as `values`, as uint32.
        relu: set what is below zero to zero; what is not a number stays so, as in torch.
    """
    raise NotImplementedError  # `overload` puts one of the two below in its place


# A ReLU is made on the way from one array to the other. In place LLVM turns
# "if x < 0: x = 0" into a store under a mask (vmaskmov, or a scatter), and AMD's processors with
# AVX2 take about ten times as long for those as for plain stores.
@overload(load_row)
def _load_row_of_type(row: Any, values: Any, bits: Any, relu: bool) -> Any:
    if row.dtype == types.uint16:

        def load_row(row: Any, values: Any, bits: Any, relu: bool) -> None:
            for c in range(len(row)):
                wide = np.uint32(row[c]) << _HALF
                # -0 to minus infinity, compared as bits: NaNs with a sign lie above
                negative = _NEGATIVE_ZERO <= wide <= _NEGATIVE_INFINITY
                bits[c] = np.uint32(0) if relu and negative else wide
    else:

        def load_row(row: Any, values: Any, bits: Any, relu: bool) -> None:
            for c in range(len(row)):
                values[c] = np.float32(0) if relu and row[c] < 0 else row[c]

    return load_row


def store_row(values: Any, bits: Any, row: Any, relu: bool) -> None:
    """Copy float32 `values` into a row; bfloat16 is the nearest, ties to even.

    Args:
        values: float32.
        bits: the same memory, as uint32.
        row: what is written.
        relu: as for `load_row`.
    """
    raise NotImplementedError  # `overload` puts one of the two below in its place


@overload(store_row)
def _store_row_of_type(values: Any, bits: Any, row: Any, relu: bool) -> Any:
    if row.dtype == types.uint16:

        def store_row(values: Any, bits: Any, row: Any, relu: bool) -> None:
            for c in range(len(row)):
                negative = _NEGATIVE_ZERO <= bits[c] <= _NEGATIVE_INFINITY
                kept = np.uint32(0) if relu and negative else bits[c]
                # half of the last kept place, less one where that place is even: ties to even
                row[c] = np.uint16((kept + _ROUNDING + ((kept >> _HALF) & _ONE)) >> _HALF)
    else:

        def store_row(values: Any, bits: Any, row: Any, relu: bool) -> None:
            for c in range(len(row)):
                row[c] = np.float32(0) if relu and values[c] < 0 else values[c]

    return store_row
