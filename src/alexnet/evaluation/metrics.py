"""From probabilities and labels to metrics: accuracy, loss, confidence intervals, confusion.

Legend: N images, n of a batch, K classes. Accuracies lie in 0..1, the loss is in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import SourceError
from alexnet.evaluation.exact_sum import ExactSum
from alexnet.records import ClassScore, Interval, Results

__all__ = [
    "MetricAccumulator",
    "compute_metrics",
    "expected_calibration_error",
    "topk_credit",
    "wilson_interval",
]

_MIN_PROBABILITY = float(np.finfo(np.float32).tiny)  # smaller ones count as this: 87 nats
_BINS = 15  # of probabilities
_Z = 1.959963984540054  # 97.5 % point of the normal distribution: two-sided 95 %


def topk_credit(
    probabilities: NDArray[np.floating], labels: NDArray[np.int64], k: int
) -> NDArray[np.float64]:
    """Return each image's top-k accuracy, fractional where probabilities are tied.

    As the authors' program counts: classes whose probability equals the true class's exactly
    share the ranks that are left for them. Without ties it is 0 or 1.

    Args:
        probabilities: (N, K); a row with a number that is not finite earns nothing.
        labels: (N,) true classes in 0..K-1.
        k: ranks that count; K or more always earn 1.

    Returns:
        (N,) float64 in 0..1.
    """
    own = probabilities[np.arange(len(labels)), labels][:, None]
    above = (probabilities > own).sum(axis=1)
    equal = (probabilities == own).sum(axis=1)
    credit = np.clip((k - above) / np.maximum(equal, 1), 0.0, 1.0)
    return np.where(np.isfinite(probabilities).all(axis=1), credit, 0.0)


def wilson_interval(accuracy: float, images: int) -> Interval:
    """Return Wilson's 95 % confidence interval of an accuracy measured on so many images."""
    if images < 1:
        return Interval(low=0.0, high=1.0)
    square = _Z * _Z
    center = (accuracy + square / (2 * images)) / (1 + square / images)
    spread = math.sqrt(accuracy * (1 - accuracy) / images + square / (4 * images * images))
    half = _Z * spread / (1 + square / images)
    # At the ends the interval touches the accuracy; rounding must not push it past.
    return Interval(
        low=max(0.0, min(center - half, accuracy)), high=min(1.0, max(center + half, accuracy))
    )


def expected_calibration_error(sure: NDArray[np.floating], correct: NDArray[np.bool_]) -> float:
    """Return by how much the probability of the predicted class differs from accuracy, in 0..1.

    Images are put into 15 bins of equal width by that probability; the mean of the bins'
    differences, weighed by their images (Guo et al. 2017, "On Calibration of Modern Neural
    Networks").

    Args:
        sure: (N,) probability of each image's predicted class, N at least 1.
        correct: (N,) whether it is the true one.
    """
    gaps = np.zeros(_BINS)
    _add_gaps(gaps, sure, correct)
    return float(np.abs(gaps).sum() / len(sure))


def _add_gaps(
    gaps: NDArray[np.float64], sure: NDArray[np.floating], correct: NDArray[np.bool_]
) -> None:
    """Add to the gap of each bin, one image after another: groups of images change no bit."""
    bins = np.clip(np.ceil(sure * _BINS).astype(np.int64) - 1, 0, _BINS - 1)
    np.add.at(gaps, bins, sure - correct)


class MetricAccumulator:
    """Counts predictions batch by batch, in bounded memory; how they are batched doesn't matter."""

    def __init__(self, classes: Sequence[str]) -> None:
        """Start at zero for K classes, named in the order of the probabilities."""
        self.classes = list(classes)
        count = len(self.classes)
        self._confusion = np.zeros((count, count), dtype=np.int64)
        self._of_class = np.zeros((2, count))  # top-1 and top-5, summed
        self._sums = ExactSum(), ExactSum(), ExactSum()  # of top-1, top-5 and loss
        self._gaps = np.zeros(_BINS)

    def update(self, probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> None:
        """Count one batch: (n, K) probabilities and (n,) true classes."""
        own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        # NaN counts as smaller than all, so that it is predicted only where all are NaN.
        known = np.nan_to_num(probabilities, nan=-1.0)
        predicted = np.argmax(known, axis=1)
        scores = np.stack(
            [
                topk_credit(probabilities, labels, 1),
                topk_credit(probabilities, labels, 5),
                -np.log(np.maximum(own, _MIN_PROBABILITY)),
                np.clip(known[np.arange(len(labels)), predicted].astype(np.float64), 0.0, 1.0),
            ]
        )
        np.add.at(self._confusion, (labels, predicted), 1)
        for total, sums, row in zip(self._sums, (*self._of_class, None), scores, strict=False):
            total.add(row)
            if sums is not None:
                np.add.at(sums, labels, row)
        _add_gaps(self._gaps, scores[3], predicted == labels)

    def results(
        self, *, crops: int, missing: Sequence[str] = (), unreadable: Sequence[tuple[str, str]] = ()
    ) -> Results:
        """Return the metrics of everything counted so far; see `compute_metrics`."""
        confusion = self._confusion
        images = int(confusion.sum())
        if not images:
            raise SourceError(
                "There is no image to measure on. Choose another split, or a source with "
                "readable images."
            )
        top1, top5, loss = (total.result() / images for total in self._sums)
        per_class = self._per_class()
        recalls = [score.recall for score in per_class if score.recall is not None]
        return Results(
            images=images,
            classes=self.classes,
            crops=crops,
            top1=top1,
            top5=top5,
            top1_interval=wilson_interval(top1, images),
            top5_interval=wilson_interval(top5, images),
            loss=loss,
            balanced_accuracy=math.fsum(recalls) / len(recalls),
            per_class=per_class,
            confusion=confusion.tolist(),
            missing_classes=list(missing),
            unreadable=list(unreadable),
            calibration_error=float(np.abs(self._gaps).sum() / images),
            majority_rate=float(confusion.sum(axis=1).max()) / images,
        )

    def _per_class(self) -> list[ClassScore]:
        confusion, (top1, top5) = self._confusion, self._of_class
        images, predictions = confusion.sum(axis=1), confusion.sum(axis=0)

        def ratio(part: float, total: int) -> float | None:
            return float(part) / int(total) if total else None

        return [
            ClassScore(
                name=name,
                images=int(images[i]),
                recall=ratio(top1[i], images[i]),
                precision=ratio(confusion[i, i], predictions[i]),
                top5=ratio(top5[i], images[i]),
            )
            for i, name in enumerate(self.classes)
        ]


def compute_metrics(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    *,
    crops: int = 1,
    missing: Sequence[str] = (),
    unreadable: Sequence[tuple[str, str]] = (),
) -> Results:
    """Compute the metrics of predictions against the ground truth.

    Top-1 and top-5 share topk_credit among exact ties, as the authors' program does; recall is the
    class's own top-1, balanced accuracy their mean over the classes that are there. Precision and
    confusion take the first of the most probable classes as the prediction. With five classes or
    fewer, top-5 is always 1.

    Args:
        probabilities: (N, K) float.
        labels: (N,) true classes in 0..K-1.
        classes: K names.
        crops: how many were averaged, for the record.
        missing: classes that the weights know and the images lack, for the record.
        unreadable: (path, reason) of files that were left out, for the record.

    Raises:
        SourceError: there is no image.
    """
    metrics = MetricAccumulator(classes)
    metrics.update(probabilities, labels)
    return metrics.results(crops=crops, missing=missing, unreadable=unreadable)
