"""Compiled kernels for work that comes in single images: loaded when enough of it has come.

Loading numba and the machine code of kernels takes as long as they save in some thousand
photographs, and compiling them, once on a machine, as in some ten thousand. A few images are done
sooner without.
"""

from __future__ import annotations

import importlib
import itertools
import threading
from types import ModuleType

__all__ = ["LateKernels", "expect_images", "load_at_once"]

_CALLS = 2000
_is_at_once = threading.Event()


def load_at_once() -> None:
    """Load kernels at their first call from now on: for whoever measures what many images take."""
    _is_at_once.set()


def expect_images(count: int) -> None:
    """Load kernels at once where as many images are to come as they pay for."""
    if count > _CALLS:
        load_at_once()


class LateKernels:
    """A module of this room, from some call on; None before, and where it cannot be loaded.

    Args:
        module: its name within `alexnet.kernels`.
        calls: how many are answered with None first.
    """

    def __init__(self, module: str, calls: int = _CALLS) -> None:
        self._module, self._calls = module, calls
        self._counter = itertools.count()
        self._lock = threading.Lock()
        self._loaded: ModuleType | None = None
        self._is_missing = False

    def get(self) -> ModuleType | None:
        """Count a call and return the module, or None; several threads may call."""
        if self._loaded is not None or self._is_missing:
            return self._loaded
        if next(self._counter) < self._calls and not _is_at_once.is_set():
            return None
        with self._lock:
            if self._loaded is None and not self._is_missing:
                try:
                    self._loaded = importlib.import_module(f"alexnet.kernels.{self._module}")
                except ImportError:  # no numba, or a processor that the kernel is not made for
                    self._is_missing = True
        return self._loaded
