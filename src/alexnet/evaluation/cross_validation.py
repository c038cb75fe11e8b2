"""How far an accuracy that cross-validation measured can be trusted.

Legend: n images in G groups, F folds, m images of a test part.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alexnet.evaluation.metrics import wilson_interval
from alexnet.records import Interval

__all__ = ["cross_validation_interval", "effective_images"]

_VARIANCE_FACTOR = 3.0  # of the difference to a test part, over that of n independent images
_LEARNING_EXPONENT = 0.35  # errors fall with the images learned from, to this power


def cross_validation_interval(
    correct: NDArray[np.bool_] | NDArray[np.floating],
    groups: NDArray[np.int64],
    *,
    folds: int = 5,
) -> Interval:
    """Return an interval that holds the accuracy on a new test part 19 times of 20.

    Wilson's interval of n images is too narrow for that, for four reasons:

    - Whoever holds a figure against a test part meets that part's own chance, too: with m images
      the variance of the difference is p (1 - p) (1/n + 1/m). A part half as large as the training
      images is allowed for: three times the variance.
    - Folds learn from each other's images, so that the errors of two images are not independent
      (Bates, Hastie and Tibshirani 2024, "Cross-validation: what does it estimate and how well does
      it do it?"). With 245 to 300 images the deviation of the difference came out at 0.9 to 1.2
      times that of independent images, which the allowance above covers for test parts of n images.
    - Images of one group are right or wrong together: n is divided by the design effect of
      `effective_images`.
    - Each fold learns from n - n/F images, the classifier that is used from n: its errors are
      expected to be (1 - 1/F)^0.35 times those measured. The upper end is moved by that; the lower
      end is not, since a set need not be learned so.

    `benchmarks/reliability.py` measures how often the intervals hold.

    Args:
        correct: (n,) whether each image was predicted rightly when it was held out, or its share of
            several repetitions.
        groups: (n,) numbers of the groups that folds kept whole.
        folds: F.
    """
    accuracy = float(np.mean(correct))
    independent = max(1, round(effective_images(correct, groups) / _VARIANCE_FACTOR))
    expected = 1 - (1 - accuracy) * (1 - 1 / folds) ** _LEARNING_EXPONENT
    return Interval(
        low=wilson_interval(accuracy, independent).low,
        high=wilson_interval(expected, independent).high,
    )


def effective_images(
    correct: NDArray[np.bool_] | NDArray[np.floating], groups: NDArray[np.int64]
) -> float:
    """Return how many independent images say as much as n images in groups do.

    That is n over Kish's design effect, 1 + r (b - 1): b is the size of the group that an image is
    in, on average over images, and r, from 0 to 1, the correlation between images of one group of
    whether they were predicted rightly. Where all or none were, nothing tells r, and it is taken
    for 1.

    Args:
        correct: (n,) as in `cross_validation_interval`.
        groups: (n,) numbers of the groups.
    """
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    images = len(group_of)
    if images == len(sizes):
        return float(images)
    size = float((sizes.astype(np.float64) ** 2).sum()) / images
    residuals = np.asarray(correct, dtype=np.float64) - np.mean(correct)
    total = float((residuals**2).sum())
    if total <= 0:
        return images / size
    # The residuals' sum over all pairs of different images of one group, over what it would be
    # if those were the same.
    within = float((np.bincount(group_of, weights=residuals) ** 2).sum()) - total
    correlation = within / (total * (size - 1))
    return images / (1 + min(max(correlation, 0.0), 1.0) * (size - 1))
