"""A small constant matrix times vectors, as few instructions of LLVM as its symmetry allows."""

from __future__ import annotations

from typing import Any

import numpy as np

from alexnet.kernels import vectors

__all__ = ["apply_both_sides"]


def apply_both_sides(builder: Any, matrix: Any, patch: list[list[Any]]) -> list[list[Any]]:
    """Return M P M^T for a square patch P of vectors, M being (rows, side)."""
    columns = [_apply(builder, matrix, list(column)) for column in zip(*patch, strict=True)]
    return [_apply(builder, matrix, list(row)) for row in zip(*columns, strict=True)]


def _apply(builder: Any, matrix: Any, values: list[Any]) -> list[Any]:
    """Return the products of each row with the values.

    Points p and -p give rows (of A and B^T) or columns (of A^T) that are equal up to the signs of
    some entries: then half of the sums serve both.
    """
    matrix, values = _fold_columns(builder, matrix, values)
    results: dict[int, Any] = {}
    for row in range(len(matrix)):
        if row in results:
            continue
        partner = _partner(matrix, row)
        if partner is None:
            results[row] = vectors.add(builder, list(zip(matrix[row], values, strict=True)))
            continue
        halves = ((matrix[row] + matrix[partner]) / 2, (matrix[row] - matrix[partner]) / 2)
        even, odd = (vectors.add(builder, list(zip(h, values, strict=True))) for h in halves)
        results[row] = builder.fadd(even, odd)
        results[partner] = builder.fsub(even, odd)
    return [results[row] for row in range(len(matrix))]


def _partner(matrix: Any, row: int) -> int | None:
    """Return a later row that differs in signs only, so that two short sums make both."""
    for other in range(row + 1, len(matrix)):
        same = np.abs(matrix[row]) == np.abs(matrix[other])
        if same.all() and not _is_multiple(matrix[row], matrix[other]):
            return other
    return None


def _fold_columns(builder: Any, matrix: Any, values: list[Any]) -> tuple[Any, list[Any]]:
    """Put the sum and the difference of two values for the two, where columns differ in signs."""
    matrix, values = matrix.copy(), list(values)
    free = list(range(len(values)))
    for column in range(len(values)):
        for other in free:
            one, two = matrix[:, column], matrix[:, other]
            if other <= column or column not in free or (np.abs(one) != np.abs(two)).any():
                continue
            if _is_multiple(one, two):
                continue
            plus, minus = (one + two) / 2, (one - two) / 2
            values[column], values[other] = (
                builder.fadd(values[column], values[other]),
                builder.fsub(values[column], values[other]),
            )
            matrix[:, column], matrix[:, other] = plus, minus
            free = [each for each in free if each not in (column, other)]
            break
    return matrix, values


def _is_multiple(one: Any, two: Any) -> bool:
    return bool((one == two).all() or (one == -two).all())
