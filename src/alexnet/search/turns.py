"""Waiting for one's turn: what several workers do one after the other."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from alexnet.errors import AlexNetError, RunError
from alexnet.locks import locked

__all__ = ["turn"]

_PAUSE_S = 0.002


@contextmanager
def turn(folder: Path, name: str) -> Generator[None]:
    """Hold `folder/name` while the block runs; wait as long as another process holds it.

    Raises:
        RunError: the disk refuses.
    """
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(folder, name=name, error=_BusyError))
                break
            except _BusyError as busy:
                if busy.__cause__ is not None:  # the disk refuses: waiting would not help
                    raise RunError(str(busy)) from busy
                time.sleep(_PAUSE_S)
        yield


class _BusyError(AlexNetError):
    """Another process has its turn."""
