"""Verbs that several processes of one machine do together: the command, called again in each."""

from __future__ import annotations

import sys
from typing import Any

from alexnet.distributed import launched
from alexnet.errors import RecipeError

__all__ = ["launch_processes"]


def launch_processes(processes: int | None, verb: str) -> dict[str, Any] | None:
    """Call this command in several processes; return the record, as JSON holds it.

    Args:
        processes: how many were asked for.
        verb: which command it is.

    Returns:
        None where this process goes on by itself: no more were asked for, or it is one of them.

    Raises:
        RecipeError: fewer than one, or not on the command line.
    """
    if processes is None or launched() != (0, 1):
        return None
    if processes < 1:
        raise RecipeError(f"processes must be at least 1; got {processes}.")
    if processes == 1:
        return None
    from alexnet.devices import cores
    from alexnet.distributed import launch
    from alexnet.runs import is_command_line

    if not is_command_line():
        raise RecipeError(
            "processes belongs to the command line. A program runs in several processes when it is "
            f'started by "torchrun --nproc-per-node N"; alexnet.{verb} then shares the work.'
        )
    return launch(sys.argv[1:], processes, cores=cores())
