"""Is one classifier better than another on the same images, or was it chance?

Legend: N images that both predicted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alexnet.records import Interval

__all__ = ["difference_interval", "holm", "mcnemar"]

_DRAWS = 20_000
_LEVEL = 0.95
_SEED = 0


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the exact two-sided p-value of McNemar's test.

    Only images count that one of the two got right and the other wrong. If both were equally good,
    each of these would be a fair coin's toss (McNemar 1947).

    Args:
        first: (N,) which images the first got right.
        second: (N,) likewise.

    Returns:
        In 0..1; 1 where they were right on the same images.
    """
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    tail = math.fsum(math.exp(_log_binomial(tosses, count)) for count in range(fewer + 1))
    return min(1.0, 2 * tail)


def difference_interval(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Interval:
    """Return a 95 % interval of the second's accuracy minus the first's, on images like these.

    A paired bootstrap: N images are drawn out of these with replacement, 20,000 times, both
    classifiers on the same ones; the interval holds the middle 95 % of the differences. Only how
    many images each alone got right decides it, so counts are drawn and not images. Where both were
    right on the same images nothing would ever differ; then up to 3 of N may ("rule of three").

    Args:
        first: (N,) which images the first got right; N at least 1.
        second: (N,) likewise.
    """
    images = len(first)
    only_first, only_second = (first & ~second).mean(), (second & ~first).mean()
    if only_first == only_second == 0:
        margin = min(1.0, 3 / images)
        return Interval(low=-margin, high=margin)
    shares = [only_first, only_second, 1 - only_first - only_second]
    drawn = np.random.default_rng(_SEED).multinomial(images, shares, size=_DRAWS)
    differences = (drawn[:, 1] - drawn[:, 0]) / images
    low, high = np.quantile(differences, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(low=float(low), high=float(high))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for how many comparisons were made (Holm 1979).

    Args:
        p_values: one for each comparison.

    Returns:
        In the same order; below 0.05 in any of them happens by chance alone once in 20 times.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, least = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        least = max(least, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = least
    return corrected


def _log_binomial(tosses: int, count: int) -> float:
    """Return log of the probability that a fair coin shows heads `count` times."""
    ways = math.lgamma(tosses + 1) - math.lgamma(count + 1) - math.lgamma(tosses - count + 1)
    return ways - tosses * math.log(2)
