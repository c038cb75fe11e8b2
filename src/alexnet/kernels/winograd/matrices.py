"""The matrices of Winograd's minimal filtering, made exactly from points (Toom and Cook).

F(m, r) gives m outputs of a filter of r numbers with a = m + r - 1 products, where the plain form
takes m r: y = A^T ((G w) * (B^T x)), the star being number by number. In two dimensions each matrix
stands on both sides, and the share of products is a^2 / (m r)^2.

Shmuel Winograd, Arithmetic Complexity of Computations, 1980; Andrew Lavin and Scott Gray, Fast
Algorithms for Convolutional Neural Networks, 2015 (arXiv:1509.09308).
"""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Matrices", "matrices"]

# A filter is a product of polynomials, known by its values at a - 1 points and at infinity. Small
# halves and doubles in pairs of both signs lose the fewest digits.
_HALF = Fraction(1, 2)
_POINTS = {
    6: (0, 1, -1, _HALF, -2),
    7: (0, 1, -1, _HALF, -_HALF, 2),
    8: (0, 1, -1, _HALF, -_HALF, 2, -2),
}


class Matrices(NamedTuple):
    """Of F(m, r), float64; a = m + r - 1.

    Attributes:
        outputs: A^T, (m, a).
        filters: G, (a, r).
        inputs: B^T, (a, a).
    """

    outputs: Any
    filters: Any
    inputs: Any


@functools.cache
def matrices(m: int, r: int) -> Matrices:
    """Return the matrices of F(m, r).

    Args:
        m: outputs of a tile, in a row.
        r: side of the filter.

    Raises:
        KeyError: no points are chosen for m + r - 1.
    """
    points = [Fraction(each) for each in _POINTS[m + r - 1]]
    outputs = [[point**i for point in points] + [Fraction(i == m - 1)] for i in range(m)]
    filters: list[list[Fraction]] = []
    inputs: list[list[Fraction]] = []
    for point in points:
        others = [each for each in points if each != point]
        factor = Fraction(1)
        for other in others:
            factor *= point - other
        filters.append([point**k / factor for k in range(r)])
        inputs.append([*_with_roots(others), Fraction(0)])
    filters.append([Fraction(k == r - 1) for k in range(r)])
    inputs.append(_with_roots(points))
    _balance(filters, inputs)
    return Matrices(*(np.array(each, dtype=np.float64) for each in (outputs, filters, inputs)))


def _with_roots(roots: list[Fraction]) -> list[Fraction]:
    """Return the coefficients of the polynomial with these roots, the constant one first."""
    polynomial = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *polynomial]
        polynomial = [
            b - root * a for a, b in zip([*polynomial, Fraction(0)], shifted, strict=True)
        ]
    return polynomial


def _balance(filters: list[list[Fraction]], inputs: list[list[Fraction]]) -> None:
    """Make each row of B^T about as large as its inputs, by powers of two, which round nothing."""
    for row in range(len(inputs)):
        total, scale = sum(abs(each) for each in inputs[row]), Fraction(1)
        while total * scale > 3:
            scale /= 2
        while total * scale < Fraction(3, 2):
            scale *= 2
        inputs[row] = [each * scale for each in inputs[row]]
        filters[row] = [each / scale for each in filters[row]]
