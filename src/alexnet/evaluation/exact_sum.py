"""Sums of float64 that are exact however many numbers are added, and in whatever groups."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

__all__ = ["ExactSum"]

_BITS = 53
_HALF = 26


class ExactSum:
    """A running sum, equal to `math.fsum` of all numbers; a few hundred bytes."""

    def __init__(self) -> None:
        self._by_exponent: dict[int, int] = {}
        self._not_finite = 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        """Add numbers, (n,) with n under 2**36; one that is not finite makes the sum so."""
        finite = np.isfinite(values)
        if not finite.all():
            self._not_finite += float(values[~finite].sum())
            values = values[finite]
        fractions, exponents = np.frexp(values)
        whole = np.ldexp(fractions, _BITS).astype(np.int64)
        high, low = whole >> _HALF, whole & ((1 << _HALF) - 1)
        for exponent in np.unique(exponents).tolist():
            chosen = exponents == exponent
            total = (int(high[chosen].sum()) << _HALF) + int(low[chosen].sum())
            self._by_exponent[exponent] = self._by_exponent.get(exponent, 0) + total

    def result(self) -> float:
        """Return the sum, rounded once."""
        terms = (n * Fraction(2) ** (e - _BITS) for e, n in self._by_exponent.items())
        return float(sum(terms, Fraction(0))) + self._not_finite
