"""The config of a study: recipe, search space, sampler, pruner, number of trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from alexnet.errors import RecipeError, did_you_mean
from alexnet.recipe import Recipe, recipe_from_json
from alexnet.studies.points import grid_points, random_point
from alexnet.studies.space import SearchSpace

__all__ = ["Pruner", "Sampler", "StudyConfig"]

Sampler = Literal["random", "tpe", "grid", "quasi-random"]
Pruner = Literal["halving", "hyperband", "none"]


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """All that shapes a study. Two workers of one study have equal configs, but for `trials`.

    Args:
        recipe: the fields that do not vary; its seed is also the study's.
        space: the fields that vary.
        sampler: how values are sampled.
        pruner: which trials are pruned.
        trials: how many are to finish; a grid that has fewer points has fewer.
        fingerprint: of the images.
        classes: their names.

    Raises:
        RecipeError: no trials, or an unknown sampler or pruner.
    """

    recipe: Recipe
    space: SearchSpace
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
        """Seed of the sampler."""
        return self.recipe.seed

    @property
    def n_trials(self) -> int:
        """How many trials are to finish."""
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
            name: [self.space.params(point, self.recipe) for point in layout]
            for name, layout in points.items()
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
    def from_json(cls, values: Mapping[str, Any], where: str) -> StudyConfig:
        """Read what `to_json` returned; `where` is named in errors."""
        return cls(
            recipe=recipe_from_json(values["recipe"], where),
            space=SearchSpace.from_json(values["space"]),
            sampler=values["sampler"],
            pruner=values["pruner"],
            trials=values["trials"],
            fingerprint=values["fingerprint"],
            classes=tuple(values["classes"]),
        )

    def differences(self, other: StudyConfig) -> list[str]:
        """Return in what another config is another study, a phrase each.

        More trials continue the same study, but for a grid, whose points they change.
        """
        then, now = self.to_json(), other.to_json()
        names = ["fingerprint", "classes", "sampler", "pruner", "space"]
        names += ["trials"] if self.sampler == "grid" else []
        changes = [
            f"{name}: {_short(then[name])} then, {_short(now[name])} now"
            for name in names
            if then[name] != now[name]
        ]
        old, new = then["recipe"], now["recipe"]
        varied = {dimension.field for dimension in self.space.dimensions}
        varied &= {dimension.field for dimension in other.space.dimensions}
        return changes + [
            f"{name}: {old[name]} then, {new[name]} now"
            for name in old
            if old[name] != new.get(name) and name not in varied
        ]


def _short(value: str | Sequence[Any]) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
