"""Arithmetic in a process that was forked from one that had computed before.

GNU's OpenMP, which torch computes with, does not come through a fork: the child has the parent's
notes of threads, and none of the threads, so that its first parallel region waits for ever. One
thread needs no others, so a child that was forked after torch was loaded computes on one.
"""

from __future__ import annotations

import os
import sys

__all__ = ["is_forked", "usable_threads"]

_forked_from: list[int] = []  # processes that had loaded torch when they were forked, the last last


def is_forked() -> bool:
    """Whether this process was forked from one that had loaded torch."""
    return bool(_forked_from)


def usable_threads(threads: int) -> int:
    """Return on how many threads arithmetic can run here, of so many that are wanted."""
    return 1 if is_forked() else threads


def _limit_threads() -> None:
    """Let a child compute on one thread, whoever of the program calls torch in it."""
    torch = sys.modules.get("torch")
    if torch is None:
        return
    _forked_from.append(os.getppid())
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_limit_threads)
