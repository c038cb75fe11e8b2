"""What a study is: the recipe, what moves, how values are drawn and which trials are given up."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from alexnet.errors import RecipeError, did_you_mean
from alexnet.recipe import Recipe, recipe_from_json
from alexnet.studies.space import Space

__all__ = [
    "Plan",
    "Pruner",
    "Sampler",
    "grid_levels",
    "grid_points",
    "quasi_random_point",
    "random_point",
]


def random_point(seed: int, slot: int, dimensions: int) -> list[float]:
    """Return independent uniform shares: random search (Bergstra and Bengio 2012)."""
    return np.random.default_rng([seed, slot]).random(dimensions).tolist()


def quasi_random_point(seed: int, slot: int, dimensions: int) -> list[float]:
    """Return a point of a scrambled Sobol sequence: random, and evenly spread besides."""
    import torch

    engine = torch.quasirandom.SobolEngine(dimensions, scramble=True, seed=seed)
    if slot:
        engine.fast_forward(slot)
    return [float(share) for share in engine.draw(1, dtype=torch.float64)[0]]


def grid_levels(space: Space, trials: int) -> list[int]:
    """Return how many values of each field a grid of at most `trials` points has.

    The field that has the fewest gets one more, as long as the grid does not outgrow the trials;
    of equal ones, the one that was named first. A field of few choices gets no more than it has.
    """
    levels = [1] * len(space.dimensions)
    sizes = [each.size for each in space.dimensions]
    while True:
        product = int(np.prod(levels))
        may_grow = [
            i
            for i, level in enumerate(levels)
            if level < sizes[i] and product // level * (level + 1) <= trials
        ]
        if not may_grow:
            return levels
        levels[min(may_grow, key=lambda i: levels[i])] += 1


def grid_points(space: Space, recipe: Recipe, trials: int, seed: int) -> list[list[float]]:
    """Return the points of a grid, in random order, none that would be the same trial twice.

    Each value stands in the middle of an equal share of its field's range, on the field's scale.
    """
    axes = [[(i + 0.5) / n for i in range(n)] for n in grid_levels(space, trials)]
    found: dict[tuple[tuple[str, Any], ...], list[float]] = {}
    for point in itertools.product(*axes):
        found.setdefault(tuple(space.values(point, recipe).items()), list(point))
    points = list(found.values())
    order = np.random.default_rng([seed, len(points)]).permutation(len(points))
    return [points[i] for i in order]


Sampler = Literal["random", "tpe", "grid", "quasi-random"]
Pruner = Literal["halving", "hyperband", "none"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that shapes a study. Two workers of one study have equal plans, but for `trials`.

    Args:
        recipe: what does not move; its seed is also the study's.
        space: what moves.
        sampler: how values are drawn.
        pruner: which trials are given up.
        trials: how many are to come to an end; a grid that has fewer points has fewer.
        fingerprint: of the pictures.
        classes: their names.

    Raises:
        RecipeError: no trials, or a sampler or pruner that there is not.
    """

    recipe: Recipe
    space: Space
    sampler: Sampler
    pruner: Pruner
    trials: int
    fingerprint: str
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise RecipeError(f"trials must be at least 1; got {self.trials}.")
        for name, value, known in (
            ("sampler", self.sampler, get_args(Sampler)),
            ("pruner", self.pruner, get_args(Pruner)),
        ):
            if value not in known:
                raise RecipeError(
                    f'There is no {name} "{value}".{did_you_mean(value, known)} '
                    f"Known: {', '.join(known)}."
                )

    @property
    def seed(self) -> int:
        """Seed of what is drawn."""
        return self.recipe.seed

    @property
    def wanted(self) -> int:
        """How many trials are to come to an end."""
        if self.sampler != "grid":
            return self.trials
        return len(grid_points(self.space, self.recipe, self.trials, self.seed))

    def layouts(self, trials: int) -> dict[str, list[dict[str, Any]]]:
        """Return the values that random search and a grid would try in so many trials."""
        d = len(self.space.dimensions)
        points = {
            "random": [random_point(self.seed, slot, d) for slot in range(trials)],
            "grid": grid_points(self.space, self.recipe, trials, self.seed),
        }
        return {
            name: [self.space.values(point, self.recipe) for point in some]
            for name, some in points.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` takes."""
        return {
            "recipe": self.recipe.to_json(),
            "space": self.space.to_json(),
            "sampler": self.sampler,
            "pruner": self.pruner,
            "trials": self.trials,
            "fingerprint": self.fingerprint,
            "classes": list(self.classes),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], where: str) -> Plan:
        """Read what `to_json` gave."""
        return cls(
            recipe=recipe_from_json(values["recipe"], where),
            space=Space.from_json(values["space"]),
            sampler=values["sampler"],
            pruner=values["pruner"],
            trials=values["trials"],
            fingerprint=values["fingerprint"],
            classes=tuple(values["classes"]),
        )

    def differences(self, other: Plan) -> list[str]:
        """Say in what another plan is another study; more trials are the same one, gone on with."""
        ours, theirs = self.to_json(), other.to_json()
        names = ["fingerprint", "classes", "sampler", "pruner", "space"]
        names += ["trials"] if self.sampler == "grid" else []
        found = [
            f"{name}: {_short(ours[name])} then, {_short(theirs[name])} now"
            for name in names
            if ours[name] != theirs[name]
        ]
        then, now = ours["recipe"], theirs["recipe"]
        moving = {each.field for each in self.space.dimensions}
        moving &= {each.field for each in other.space.dimensions}
        return found + [
            f"{name}: {then[name]} then, {now[name]} now"
            for name in then
            if then[name] != now.get(name) and name not in moving
        ]


def _short(value: str | Sequence[Any]) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
