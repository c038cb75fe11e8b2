"""Kernels for a GPU are verified against torch's operators, on the card at hand, before use.

They are compiled by Triton on the user's machine, for a card that no test of ours may have run on.
So before the first launch that counts they do a small piece of work that torch's operators do as
well, which takes a moment. What does not compile, or differs by more than rounding, is not used,
and a warning says so: torch's operators do the work.
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

__all__ = ["has_triton", "mismatch", "verified_kernels"]

_log = logging.getLogger(__name__)
_verified: dict[str, ModuleType | None] = {}
_verifying = threading.Lock()


def has_triton() -> bool:
    """Whether Triton is installed, as it is with torch for GPUs on Linux."""
    return importlib.util.find_spec("triton") is not None


def verified_kernels(
    work: str, load: Callable[[], ModuleType], find_mismatch: Callable[[ModuleType], str | None]
) -> ModuleType | None:
    """Return a module of kernels that passed; None where Triton is missing, or they did not pass.

    They are verified once in a process.

    Args:
        work: what they do, for the warning: "normalization".
        load: imports the module.
        find_mismatch: compares it with torch's operators; returns what differs, or None.
    """
    with _verifying:
        if work not in _verified:
            _verified[work] = _verify(work, load, find_mismatch) if has_triton() else None
        return _verified[work]


def _verify(
    work: str, load: Callable[[], ModuleType], find_mismatch: Callable[[ModuleType], str | None]
) -> ModuleType | None:
    try:
        kernels = load()
        problem = find_mismatch(kernels)
    except Exception as error:  # whatever a compiler or a driver may raise, there is another way
        first_line = next(iter(str(error).splitlines()), "")
        kernels, problem = None, f"{type(error).__name__}: {first_line}".rstrip(": ")
    if problem is None:
        return kernels
    _log.warning(
        "The fused kernels for %s are not used on this device: %s. Torch's operators do the same "
        "work, more slowly.",
        work,
        problem,
    )
    return None


def mismatch(what: str, result: Tensor, reference: Tensor, tolerance: float) -> str | None:
    """Say how far a result is from its reference, where that is more than it may be.

    Args:
        what: is compared, for the sentence.
        result: of the kernels.
        reference: of the same shape.
        tolerance: largest difference, as a share of the largest number in `reference`.
    """
    difference = float((result.double() - reference.double()).abs().max())
    largest = float(reference.double().abs().max())
    if difference <= tolerance * largest:  # False for a difference that is not a number
        return None
    return f"{what} differs by {difference:.2g} where the largest number is {largest:.2g}"
