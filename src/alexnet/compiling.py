"""Machine code for our own kernels, made by numba where it is installed (extra: fast)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["compiled"]


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
