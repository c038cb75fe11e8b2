"""How OpenMP's threads wait for work: asleep soon, so that a core is free for who has some.

GNU's OpenMP lets threads that wait spin some hundred thousand times, up to 15 milliseconds, which
holds a core that another program, or the loader's thread, would use. Torch's packages and numba's
load two copies of that library, whose threads wait for each other's cores at each change from a
kernel of torch to one of numba: a step of 6 ms took 40 to 100 on two cores.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

__all__ = ["let_waiting_threads_sleep", "share_cores_of_openmp"]

_SPINS = "3000"
_NUMBERS = 1 << 17  # of a tensor: torch takes several threads from 2**15 on
_parked: list[threading.Thread] = []
_late: list[bool] = []  # of the one time that this module set the variable: torch was loaded before


def share_cores_of_openmp() -> None:
    """Set in the environment how long threads spin, unless it says something about it.

    Each copy of the library reads that once, when it is loaded.
    """
    if "OMP_WAIT_POLICY" not in os.environ and "GOMP_SPINCOUNT" not in os.environ:
        os.environ["GOMP_SPINCOUNT"] = _SPINS
        _late.append("torch" in sys.modules)


def let_waiting_threads_sleep(threads: int, cores: int) -> None:
    """Have torch's threads spin for microseconds alone, though torch has been loaded already.

    GNU's OpenMP spins a thousand times where it manages more threads than there are cores. So a
    thread that never ends keeps a team of its own, all of it asleep.

    Args:
        threads: of torch, as they are set.
        cores: that this process may use.
    """
    share_cores_of_openmp()
    crowded = threads > 1 and 2 * threads - 1 > cores  # else spinning threads have cores to spare
    if not any(_late) or _parked or not crowded or not _has_gnu_openmp():
        return
    computed = threading.Event()
    thread = threading.Thread(target=_keep_team, args=(computed,), name="openmp-team", daemon=True)
    _parked.append(thread)
    thread.start()
    computed.wait()


def _keep_team(computed: threading.Event) -> None:
    """Compute something on all threads of a team of this thread's own, and wait for ever."""
    import torch

    try:
        with torch.inference_mode():
            torch.zeros(_NUMBERS).exp_()
    finally:
        computed.set()
    threading.Event().wait()


def _has_gnu_openmp() -> bool:
    """Whether GNU's OpenMP is loaded; other ones have other habits."""
    try:
        return "libgomp" in Path("/proc/self/maps").read_text()
    except OSError:  # no Linux
        return False
