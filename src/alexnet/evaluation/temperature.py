"""The one number that logits are divided by, so that probabilities come to be what they say.

After Guo et al. (2017, "On Calibration of Modern Neural Networks"). No prediction changes by it.

Legend: N images that were not learned from, K classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_temperature"]

_LOG_SCALES = (-12.0, 12.0)  # of what logits of unit deviation are multiplied by
_STEPS = 90  # of a golden section: to a millionth of a millionth
_GOLDEN = (5**0.5 - 1) / 2


def best_temperature(
    logits: NDArray[np.floating[Any]],
    labels: NDArray[np.int64],
    *,
    weights: NDArray[np.float64] | None = None,
    spread: float | None = None,
) -> tuple[float, float]:
    """Return the temperature with the smallest log loss, and that loss in nats.

    A true class counts as (N + 1) / (N + 2) and not as 1, after Platt (1999): where every image is
    right there would be no smallest loss, and every probability would become 0 or 1.

    Args:
        logits: (N, K), or log probabilities.
        labels: (N,) true classes.
        weights: (N,) of the images; None: all alike.
        spread: deviation of the temperature's logarithm before anything is measured, around 0;
            None: any temperature is as likely.
    """
    images, classes = logits.shape
    sure = (images + 1) / (images + 2)
    others = (1 - sure) / max(classes - 1, 1)
    deviation = float(logits.std()) or 1.0
    unit, own = logits.astype(np.float64) / deviation, np.arange(len(labels))

    def loss(log_scale: float) -> float:
        scaled = unit * np.exp(log_scale)
        scaled -= scaled.max(axis=1, keepdims=True)
        logs = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        each = -(others * logs.sum(axis=1) + (sure - others) * logs[own, labels])
        return float(np.average(each, weights=weights))

    def penalized(log_scale: float) -> float:
        if spread is None:
            return loss(log_scale)
        distance = (log_scale - np.log(deviation)) / spread
        return images * loss(log_scale) + float(distance**2) / 2

    low, high = _LOG_SCALES
    for _ in range(_STEPS):  # the loss has one minimum
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, right) if penalized(left) <= penalized(right) else (left, high)
    middle = (low + high) / 2
    return float(deviation * np.exp(-middle)), loss(middle)
