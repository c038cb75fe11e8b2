"""From probabilities and labels to figures: shares of right answers, loss, intervals, confusion.

Legend: N pictures, K classes. All shares lie in 0..1, the loss is in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import SourceError
from alexnet.records import ClassScore, Interval, Results

__all__ = ["Tally", "credit", "measure", "wilson"]

_FLOOR = float(np.finfo(np.float32).tiny)  # under it a probability counts as this: 87 nats
_Z = 1.959963984540054  # 97.5 % point of the normal distribution: two-sided 95 %


def credit(
    probabilities: NDArray[np.floating], labels: NDArray[np.int64], k: int
) -> NDArray[np.float64]:
    """Return each picture's share of a right answer among the first `k`.

    As the authors' program counts: classes whose probability equals the true class's exactly
    share the places that are left for them. Without ties the share is 0 or 1.

    Args:
        probabilities: (N, K); a row with a number that is not finite earns nothing.
        labels: (N,) true classes in 0..K-1.
        k: places; K or more always earn 1.

    Returns:
        (N,) float64 in 0..1.
    """
    own = probabilities[np.arange(len(labels)), labels][:, None]
    above = (probabilities > own).sum(axis=1)
    equal = (probabilities == own).sum(axis=1)
    share = np.clip((k - above) / np.maximum(equal, 1), 0.0, 1.0)
    return np.where(np.isfinite(probabilities).all(axis=1), share, 0.0)


def wilson(share: float, images: int) -> Interval:
    """Return Wilson's 95 % interval of a share that was seen on so many pictures."""
    if images < 1:
        return Interval(low=0.0, high=1.0)
    square = _Z * _Z
    centre = (share + square / (2 * images)) / (1 + square / images)
    spread = math.sqrt(share * (1 - share) / images + square / (4 * images * images))
    half = _Z * spread / (1 + square / images)
    # At the ends the interval touches the share; rounding must not push it past.
    return Interval(
        low=max(0.0, min(centre - half, share)), high=min(1.0, max(centre + half, share))
    )


class Tally:
    """Counts answers batch by batch in 40 bytes a picture; the order and batches don't matter."""

    def __init__(self, classes: Sequence[str]) -> None:
        """Start at zero for K classes, named in the order of the probabilities."""
        self.classes = list(classes)
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []

    def add(self, probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> None:
        """Count one batch: (n, K) probabilities and (n,) true classes."""
        own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        scores = np.stack(
            [
                credit(probabilities, labels, 1),
                credit(probabilities, labels, 5),
                -np.log(np.maximum(own, _FLOOR)),
            ]
        )
        # NaN compares as smaller than all, so that it is never the answer unless all are NaN.
        answered = np.argmax(np.nan_to_num(probabilities, nan=-1.0), axis=1)
        self._parts.append((labels.astype(np.int64), answered.astype(np.int64), scores))

    def results(
        self, *, crops: int, missing: Sequence[str] = (), unreadable: Sequence[tuple[str, str]] = ()
    ) -> Results:
        """Return the figures of everything counted so far; see `measure`."""
        labels = np.concatenate([np.empty(0, np.int64), *(part[0] for part in self._parts)])
        answered = np.concatenate([np.empty(0, np.int64), *(part[1] for part in self._parts)])
        scores = np.concatenate([np.empty((3, 0)), *(part[2] for part in self._parts)], axis=1)
        if not len(labels):
            raise SourceError(
                "There is no picture to measure on. Choose another split, or a source with "
                "readable pictures."
            )
        confusion = np.zeros((len(self.classes),) * 2, dtype=np.int64)
        np.add.at(confusion, (labels, answered), 1)
        top1, top5, loss = (math.fsum(row) / len(labels) for row in scores)
        per_class = self._per_class(confusion, labels, scores)
        recalls = [each.recall for each in per_class if each.recall is not None]
        return Results(
            images=len(labels),
            classes=self.classes,
            crops=crops,
            top1=top1,
            top5=top5,
            top1_interval=wilson(top1, len(labels)),
            top5_interval=wilson(top5, len(labels)),
            loss=loss,
            balanced_accuracy=math.fsum(recalls) / len(recalls),
            per_class=per_class,
            confusion=confusion.tolist(),
            missing_classes=list(missing),
            unreadable=list(unreadable),
        )

    def _per_class(
        self,
        confusion: NDArray[np.int64],
        labels: NDArray[np.int64],
        scores: NDArray[np.float64],
    ) -> list[ClassScore]:
        images, answers = confusion.sum(axis=1), confusion.sum(axis=0)
        count = len(self.classes)
        top1 = np.bincount(labels, weights=scores[0], minlength=count)
        top5 = np.bincount(labels, weights=scores[1], minlength=count)

        def share(part: float, whole: int) -> float | None:
            return float(part) / int(whole) if whole else None

        return [
            ClassScore(
                name=name,
                images=int(images[i]),
                recall=share(top1[i], images[i]),
                precision=share(confusion[i, i], answers[i]),
                top5=share(top5[i], images[i]),
            )
            for i, name in enumerate(self.classes)
        ]


def measure(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    *,
    crops: int = 1,
    missing: Sequence[str] = (),
    unreadable: Sequence[tuple[str, str]] = (),
) -> Results:
    """Measure answers against the truth.

    Top-1 and top-5 share credit among exact ties, as the authors' program does; recall is the
    class's own top-1, balanced accuracy their mean over the classes that are there. Precision and
    confusion take the first of the most probable classes as the answer. With five classes or
    fewer, top-5 is always 1.

    Args:
        probabilities: (N, K) float.
        labels: (N,) true classes in 0..K-1.
        classes: K names.
        crops: the views that were averaged, for the record.
        missing: classes that the weights know and the pictures lack, for the record.
        unreadable: (path, reason) of files that were left out, for the record.

    Raises:
        SourceError: there is no picture.
    """
    tally = Tally(classes)
    tally.add(probabilities, labels)
    return tally.results(crops=crops, missing=missing, unreadable=unreadable)
