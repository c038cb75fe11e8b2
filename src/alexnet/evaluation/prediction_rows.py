"""What is asked of a prediction, and the row that answers it."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import RecipeError
from alexnet.records import Prediction
from alexnet.text import shorten

__all__ = ["NO_NUMBER", "check_prediction_options", "named_prediction"]

NO_NUMBER = "the network's output is not a number: its weights are damaged"


def check_prediction_options(top: Any, reject_below: Any, batch_size: Any) -> None:
    """Raise RecipeError for no class, no image at once, and for what is no probability."""
    for name, value, unit in (("top", top, "class"), ("batch_size", batch_size, "image")):
        if not _is_number(value, Integral) or value < 1:
            raise RecipeError(f"{name} must be at least 1 {unit}; got {shorten(value)}.")
    if reject_below is None:
        return
    if not _is_number(reject_below, Real) or not 0 <= reject_below <= 1:
        raise RecipeError(
            f"reject_below is a probability between 0 and 1; got {shorten(reject_below)}."
        )


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def named_prediction(
    path: str,
    row: NDArray[np.float32],
    classes: tuple[str, ...],
    top: int,
    reject_below: float | None,
) -> Prediction:
    """Name the most probable classes of (K,) probabilities; among equals the first stands first."""
    if not bool(np.isfinite(row).all()):
        return Prediction(path=path, error=NO_NUMBER)
    best: list[int] = np.argsort(-row, kind="stable")[:top].tolist()
    probabilities = [float(row[i]) for i in best]
    return Prediction(
        path=path,
        classes=[classes[i] for i in best],
        probabilities=probabilities,
        rejected=reject_below is not None and probabilities[0] < reject_below,
    )
