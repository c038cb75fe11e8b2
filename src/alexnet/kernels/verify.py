"""Kernels for a GPU are believed where they agree with torch's operators, on the card at hand.

They are compiled by Triton on the user's machine, for a card that no test of ours may have run on.
So before the first one counts they do a small piece of work that torch's operators do as well,
which takes a moment. What does not compile, or differs by more than rounding, is not used, and a
warning says so: the work is then done by torch's operators.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["difference", "has_triton", "proven"]

_log = logging.getLogger(__name__)
_found: dict[str, ModuleType | None] = {}
_one_at_a_time = threading.Lock()


def has_triton() -> bool:
    """Whether Triton is installed, as it is with torch for GPUs on Linux."""
    return importlib.util.find_spec("triton") is not None


def proven(
    work: str, load: Callable[[], ModuleType], wrong: Callable[[ModuleType], str | None]
) -> ModuleType | None:
    """Return a module of kernels that passed; None where Triton is missing, or they did not pass.

    It is asked once in a process.

    Args:
        work: what they do, for the warning: "normalisation".
        load: imports the module.
        wrong: holds it against torch's operators; returns what is wrong, or None.
    """
    with _one_at_a_time:
        if work not in _found:
            _found[work] = _proven(work, load, wrong) if has_triton() else None
        return _found[work]


def _proven(
    work: str, load: Callable[[], ModuleType], wrong: Callable[[ModuleType], str | None]
) -> ModuleType | None:
    try:
        kernels = load()
        trouble = wrong(kernels)
    except Exception as error:  # whatever a compiler or a driver may raise, there is another way
        first_line = next(iter(str(error).splitlines()), "")
        kernels, trouble = None, f"{type(error).__name__}: {first_line}".rstrip(": ")
    if trouble is None:
        return kernels
    _log.warning(
        "The fused kernels for %s are left aside on this device: %s. Torch's operators do the same "
        "work, more slowly.",
        work,
        trouble,
    )
    return None


def difference(what: str, found: Tensor, wanted: Tensor, tolerance: float) -> str | None:
    """Say how far two tensors are apart, where that is more than it may be.

    Args:
        what: is compared, for the sentence.
        found: what kernels gave.
        wanted: what is right, of the same shape.
        tolerance: largest difference, as a share of the largest number in `wanted`.
    """
    apart = float((found.double() - wanted.double()).abs().max())
    largest = float(wanted.double().abs().max())
    if apart <= tolerance * largest:  # what is not a number is never within
        return None
    return f"{what} differs by {apart:.2g} where the largest number is {largest:.2g}"
