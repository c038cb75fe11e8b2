"""Which of the N evaluated pictures a reader should see: the worst answers first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alexnet.reporting.evidence import ReportEvidence

__all__ = ["MATRIX_CLASSES", "Cases", "Cell", "Pair", "choose_cases", "confused_pairs"]

MATRIX_CLASSES = 24  # up to so many classes the matrix is a table of numbers that can be clicked

_WRONG = 24
_SURE = 10
_UNSURE = 10
_IN_A_CELL = 12
_PAIRS = 24

Cell = tuple[int, int]
"""True class, answered class."""


@dataclass(frozen=True)
class Pair:
    """Pictures of one class that were answered as another."""

    true: int
    answered: int
    count: int
    share: float  # of the pictures of the true class, in 0..1


@dataclass(frozen=True)
class Cases:
    """Items to show, each list in the order in which it is shown."""

    wrong: list[int]  # most confidently wrong first
    sure: list[int]  # right: the surest of each class
    unsure: list[int]  # right, but only just: least sure first
    cells: dict[Cell, list[int]]  # behind a cell of the matrix; fullest cell of errors first

    def items(self) -> list[int]:
        """Every item once, the most wanted first: cells give their best pictures in turn."""
        turns = max(map(len, self.cells.values()), default=0)
        behind = (
            cell[turn] for turn in range(turns) for cell in self.cells.values() if turn < len(cell)
        )
        return list(dict.fromkeys([*self.wrong, *self.unsure, *self.sure, *behind]))


def choose_cases(evidence: ReportEvidence) -> Cases:
    """Choose the pictures to show; with 50,000 evaluated ones still only some hundreds."""
    order = np.argsort(-evidence.answered_probability, kind="stable")
    wrong = order[~evidence.right[order]]
    right = order[evidence.right[order]]
    return Cases(
        wrong=wrong[:_WRONG].tolist(),
        sure=_first_of_each(right, evidence.labels)[:_SURE],
        unsure=right[::-1][:_UNSURE].tolist(),
        cells=_cells(evidence, wrong, right),
    )


def confused_pairs(confusion: NDArray[np.int64], limit: int = _PAIRS) -> list[Pair]:
    """Return the classes that are mixed up most often: by count, then by share.

    Args:
        confusion: (K, K) counts, true class by answered class.
        limit: most pairs to return.
    """
    errors = confusion.copy()
    np.fill_diagonal(errors, 0)
    totals = confusion.sum(axis=1)
    pairs = [
        Pair(int(t), int(a), int(errors[t, a]), float(errors[t, a] / totals[t]))
        for t, a in np.argwhere(errors)
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share))[:limit]


def _cells(
    evidence: ReportEvidence, wrong: NDArray[np.int64], right: NDArray[np.int64]
) -> dict[Cell, list[int]]:
    """Return the cells that can be opened: all of a small matrix, else the most confused pairs."""
    small = len(evidence.classes) <= MATRIX_CLASSES
    limit = MATRIX_CLASSES**2 if small else _PAIRS
    cells: dict[Cell, list[int]] = {
        (pair.true, pair.answered): [] for pair in confused_pairs(evidence.confusion, limit)
    }
    if small:
        cells |= {(k, k): [] for k in range(len(evidence.classes))}
    for item in (*wrong.tolist(), *right[::-1].tolist()):  # the least sure of the right ones first
        cell = cells.get((int(evidence.labels[item]), int(evidence.answered[item])))
        if cell is not None and len(cell) < _IN_A_CELL:
            cell.append(item)
    return {key: items for key, items in cells.items() if items}


def _first_of_each(items: Iterable[int], labels: NDArray[np.int64]) -> list[int]:
    """Return the first item of each class, by class."""
    first: dict[int, int] = {}
    for item in items:
        first.setdefault(int(labels[item]), int(item))
    return [first[label] for label in sorted(first)]
