"""Points of the unit cube for random, quasi-random and grid search, each from seed and slot alone.

So they depend neither on the number of workers nor on where a study was interrupted.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from alexnet.recipe import Recipe
from alexnet.studies.space import SearchSpace

__all__ = ["grid_levels", "grid_points", "quasi_random_point", "random_point"]


def random_point(seed: int, slot: int, dimensions: int) -> list[float]:
    """Return independent uniform numbers: random search (Bergstra and Bengio 2012)."""
    return np.random.default_rng([seed, slot]).random(dimensions).tolist()


def quasi_random_point(seed: int, slot: int, dimensions: int) -> list[float]:
    """Return a point of a scrambled Sobol sequence: random, and evenly spread besides."""
    import torch

    engine = torch.quasirandom.SobolEngine(dimensions, scramble=True, seed=seed)
    if slot:
        engine.fast_forward(slot)
    return [float(x) for x in engine.draw(1, dtype=torch.float64)[0]]


def grid_levels(space: SearchSpace, trials: int) -> list[int]:
    """Return how many values of each field a grid of at most `trials` points has.

    The field with the fewest gets one more, as long as the grid does not outgrow the trials; of
    equal ones, the one that was named first. A field of few choices gets no more than it has.
    """
    levels = [1] * len(space.dimensions)
    sizes = [dimension.size for dimension in space.dimensions]
    while True:
        product = int(np.prod(levels))
        growable = [
            i
            for i, level in enumerate(levels)
            if level < sizes[i] and product // level * (level + 1) <= trials
        ]
        if not growable:
            return levels
        levels[min(growable, key=lambda i: levels[i])] += 1


def grid_points(space: SearchSpace, recipe: Recipe, trials: int, seed: int) -> list[list[float]]:
    """Return the points of a grid in random order, without any that would repeat a trial.

    Each value stands in the middle of an equal part of its field's range, on the field's scale.
    """
    axes = [[(i + 0.5) / n for i in range(n)] for n in grid_levels(space, trials)]
    distinct: dict[tuple[tuple[str, Any], ...], list[float]] = {}
    for point in itertools.product(*axes):
        distinct.setdefault(tuple(space.params(point, recipe).items()), list(point))
    points = list(distinct.values())
    order = np.random.default_rng([seed, len(points)]).permutation(len(points))
    return [points[i] for i in order]
