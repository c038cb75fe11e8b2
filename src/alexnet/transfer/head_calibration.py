"""What candidates for a head are worth on rows that were held out, and how sure they may be.

Legend: N rows, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy import special
from sklearn.utils import class_weight as sklearn_weights

from alexnet.evaluation import best_temperature

__all__ = ["ClassWeight", "HeldOut", "choose_candidate", "row_weights"]

ClassWeight = Literal["balanced"] | Mapping[int, float] | None
"""scikit-learn's word: "balanced", a weight for each class 0..K-1, or None, every row alike."""

_SAME_SCORE = 1e-9  # sums of weights in another order differ by less
_SAME_LOSS = 0.02  # nats


def row_weights(labels: NDArray[np.int64], class_weight: ClassWeight) -> NDArray[np.float64] | None:
    """Return a weight for each row, as scikit-learn does; None where all weigh the same."""
    if class_weight is None:
        return None
    compute = cast("Any", sklearn_weights).compute_sample_weight
    chosen = class_weight if isinstance(class_weight, str) else dict(class_weight)
    weights: NDArray[np.float64] = compute(chosen, labels)
    return None if np.ptp(weights) == 0 else weights


@dataclass(frozen=True)
class HeldOut:
    """What one candidate says about rows that were held out of its fit.

    Args:
        logits: (N, K), or log probabilities; the largest is the prediction.
        labels: (N,) true classes.
        weights: (N,) of the rows; None: all alike.
        scaled: whether the logits may be multiplied by a number, one over the temperature.
    """

    logits: NDArray[np.floating[Any]]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64] | None
    scaled: bool

    @cached_property
    def score(self) -> float:
        """Accuracy by the weights of the rows: balanced accuracy where classes weigh the same."""
        return float(np.average(self.logits.argmax(axis=1) == self.labels, weights=self.weights))

    @cached_property
    def temperature(self) -> float:
        """What the logits are to be divided by for the smallest log loss; 1 if not `scaled`.

        A true class counts as (N + 1) / (N + 2) and not as 1, after Platt (1999): where every row
        is right there would be no smallest loss, and every probability would become 0 or 1.
        """
        if not self.scaled:
            return 1.0
        return best_temperature(self.logits, self.labels, weights=self.weights)[0]

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        """The log loss of each row at the temperature, in nats: (N,)."""
        logs = special.log_softmax(self.logits / self.temperature, axis=1)
        return -logs[np.arange(len(logs)), self.labels]


def choose_candidate(candidates: Sequence[HeldOut]) -> int:
    """Return which candidate is best, of candidates from the most regularized to the least.

    Score decides. Of equal scores the least regularized one is taken whose log loss is not clearly
    above the smallest: by no more than its standard error, or by 0.02. So a tie of all, as on
    classes that are easily told apart, does not end with the one that is shrunk to nothing.
    """
    scores = [each.score for each in candidates]
    tied = [i for i, score in enumerate(scores) if score >= max(scores) - _SAME_SCORE]
    losses = {i: candidates[i].losses for i in tied}
    means = {i: float(np.average(losses[i], weights=candidates[i].weights)) for i in tied}
    lowest = min(tied, key=means.__getitem__)

    def is_as_sure(i: int) -> bool:
        differences = losses[i] - losses[lowest]
        error = float(differences.std()) / len(differences) ** 0.5
        return means[i] - means[lowest] <= max(error, _SAME_LOSS)

    return max(i for i in tied if is_as_sure(i))
