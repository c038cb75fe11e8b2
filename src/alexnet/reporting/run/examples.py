"""Which of the N evaluated images a reader should see: the most confident mistakes first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alexnet.reporting.run.data import ReportData

__all__ = ["MATRIX_CLASSES", "Cell", "Examples", "Pair", "choose_examples", "confused_pairs"]

MATRIX_CLASSES = 24  # up to so many classes the matrix is a table of numbers that can be clicked

_MISTAKES = 24
_MOST_CONFIDENT = 10
_LEAST_CONFIDENT = 10
_IN_A_CELL = 12
_PAIRS = 24

Cell = tuple[int, int]
"""True class, predicted class."""


@dataclass(frozen=True)
class Pair:
    """Images of one class that were predicted as another."""

    label: int
    predicted: int
    count: int
    share: float  # of the images of the true class, in 0..1


@dataclass(frozen=True)
class Examples:
    """Items to show, each list in the order in which it is shown."""

    mistakes: list[int]  # most confident first
    most_confident: list[int]  # correct: the most confident of each class
    least_confident: list[int]  # correct, the least confident first
    cells: dict[Cell, list[int]]  # behind a cell of the matrix; fullest cell of mistakes first

    def items(self) -> list[int]:
        """Every item once, the most important first: cells give their best images in turn."""
        turns = max(map(len, self.cells.values()), default=0)
        behind = (
            cell[turn] for turn in range(turns) for cell in self.cells.values() if turn < len(cell)
        )
        shown = [*self.mistakes, *self.least_confident, *self.most_confident, *behind]
        return list(dict.fromkeys(shown))


def choose_examples(data: ReportData) -> Examples:
    """Choose the images to show; with 50,000 evaluated ones still only some hundreds."""
    order = np.argsort(-data.predicted_probability, kind="stable")
    mistakes = order[~data.correct[order]]
    correct = order[data.correct[order]]
    return Examples(
        mistakes=mistakes[:_MISTAKES].tolist(),
        most_confident=_first_of_each(correct, data.labels)[:_MOST_CONFIDENT],
        least_confident=correct[::-1][:_LEAST_CONFIDENT].tolist(),
        cells=_cells(data, mistakes, correct),
    )


def confused_pairs(confusion: NDArray[np.int64], limit: int = _PAIRS) -> list[Pair]:
    """Return the classes that are confused most often: by count, then by share.

    Args:
        confusion: (K, K) counts, true class by predicted class.
        limit: most pairs to return.
    """
    mistakes = confusion.copy()
    np.fill_diagonal(mistakes, 0)
    totals = confusion.sum(axis=1)
    pairs = [
        Pair(int(t), int(p), int(mistakes[t, p]), float(mistakes[t, p] / totals[t]))
        for t, p in np.argwhere(mistakes)
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share))[:limit]


def _cells(
    data: ReportData, mistakes: NDArray[np.int64], correct: NDArray[np.int64]
) -> dict[Cell, list[int]]:
    """Return the cells that can be opened: all of a small matrix, else the most confused pairs."""
    small = len(data.classes) <= MATRIX_CLASSES
    limit = MATRIX_CLASSES**2 if small else _PAIRS
    cells: dict[Cell, list[int]] = {
        (pair.label, pair.predicted): [] for pair in confused_pairs(data.confusion, limit)
    }
    if small:
        cells |= {(k, k): [] for k in range(len(data.classes))}
    for item in (*mistakes.tolist(), *correct[::-1].tolist()):  # the least confident correct first
        cell = cells.get((int(data.labels[item]), int(data.predicted[item])))
        if cell is not None and len(cell) < _IN_A_CELL:
            cell.append(item)
    return {key: items for key, items in cells.items() if items}


def _first_of_each(items: Iterable[int], labels: NDArray[np.int64]) -> list[int]:
    """Return the first item of each class, by class."""
    first: dict[int, int] = {}
    for item in items:
        first.setdefault(int(labels[item]), int(item))
    return [first[label] for label in sorted(first)]
