"""The log loss of predictions at their best temperature: how well they tell classes apart.

A network that was trained on soft labels is less sure than it might be, one that was fitted to the
end is surer than it should be. Neither changes a prediction, so networks are compared without it.

Legend: N images, K classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alexnet.evaluation.temperature import best_temperature

__all__ = ["calibrated_loss"]

_LEAST = 1e-30  # probability: one that was rounded to 0 is not impossible


def calibrated_loss(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the smallest mean log loss that a temperature brings, in nats.

    A true class counts as (N + 1) / (N + 2) and not as 1, after Platt (1999): where every
    prediction is right there would be no smallest loss, and all such networks would be equal.

    Args:
        probabilities: (N, K), K at least 2, rows that sum to 1.
        labels: (N,) true classes.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), _LEAST))
    return best_temperature(logits, labels)[1]
