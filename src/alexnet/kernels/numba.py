"""What the kernels compiled by numba share: compiling and launching.

Importing this module fails where numba (extra: fast) is not installed; whoever imports a kernel has
another way.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
from numba import types
from numba.core import event
from numba.core.ccallback import CFunc
from numba.extending import register_jitable as _register_jitable

if TYPE_CHECKING:  # loaded where it is used: kernels that pack images do without it
    import torch

__all__ = [
    "cached_njit",
    "channels_last_array",
    "compiled_function",
    "launch",
    "njit",
    "prange",
    "register_jitable",
    "thread_count",
]

# Typed as Any: numba's own annotations do not say what a compiled function becomes.
_numba: Any = numba
njit: Any = numba.njit
prange: Any = numba.prange
register_jitable: Any = _register_jitable

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


_CFunc: Any = CFunc


class _CompiledFunction(_CFunc):
    """A function that tells numba's listeners when it is compiled, and not read from disk."""

    def _compile_uncached(self) -> Any:
        parent: Any = super()
        described = _Described(getattr(self, "_pyfunc"))  # noqa: B009 - numba has no annotations
        with event.trigger_event("numba:compile", data={"dispatcher": described}):
            made: Any = parent._compile_uncached()
            made.library.finalize()  # machine code, which is made at the first use else
            return made


@dataclasses.dataclass(frozen=True)
class _Described:
    """What listeners ask for of what is compiled."""

    py_func: Any


def compiled_function(function: Any, *, fastmath: Any = False) -> int:
    """Return the address of the machine code of a function of whole numbers that returns nothing.

    Kernels call it by that address: it is compiled once for all of them, and none is compiled
    again for another function.

    Args:
        function: each of its arguments is an int64.
        fastmath: what LLVM may change in floating point.
    """
    signature: Any = types.void(*[types.int64] * len(inspect.signature(function).parameters))
    settings = {"nopython": True, "error_model": "numpy", "fastmath": fastmath}
    made: Any = _CompiledFunction(function, (signature.args, signature.return_type), {}, settings)
    with contextlib.suppress(RuntimeError):  # as in `cached_njit`
        made.enable_caching()
    made.compile()
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
