"""An array of weights, in whichever file it stood."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import WeightsError

__all__ = ["Blob", "as_blob"]


@dataclass(frozen=True)
class Blob:
    """An array of weights as the file has it."""

    numbers: NDArray[np.float32]  # in one row
    shape: tuple[int, ...]
    raw: bool = False  # in the form that NVIDIA's Caffe alone writes


def as_blob(
    numbers: NDArray[Any], shape: tuple[int, ...], where: str, *, raw: bool = False
) -> Blob:
    """Return an array as float32.

    Raises:
        WeightsError: another count of numbers than the shape says, or some that are not finite.
    """
    if math.prod(shape) != numbers.size:
        raise WeightsError(
            f"An array in {where} says that it is {shape}, and {numbers.size:,} numbers are there. "
            "The file is damaged: copy it again."
        )
    with np.errstate(over="ignore"):  # what is too large for float32 is told below
        row = numbers.reshape(-1).astype(np.float32)
    if not np.isfinite(row).all():
        raise WeightsError(f"An array in {where} holds numbers that are not finite.")
    return Blob(row, shape, raw)
