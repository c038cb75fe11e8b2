"""What may move in a study: fields with their domains, checked before the first trial."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alexnet.errors import RecipeError
from alexnet.recipe import Recipe, changed
from alexnet.records import SearchedField
from alexnet.studies.fields import FIELDS, Choices, Domain, Range

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["Dimension", "Space", "usual_space"]


@dataclass(frozen=True)
class Dimension:
    """One field that moves."""

    field: str
    domain: Domain

    @property
    def size(self) -> float:
        """How many values it has; infinite for numbers that are not whole."""
        domain = self.domain
        if isinstance(domain, Choices):
            return len(domain.values)
        return domain.high - domain.low + 1 if domain.whole else math.inf

    def at(self, share: float) -> Any:
        """Return the value that lies at `share` (0 to under 1) of the way, on its scale."""
        domain = self.domain
        if isinstance(domain, Choices):
            return domain.values[min(int(share * len(domain.values)), len(domain.values) - 1)]
        margin = 0.5 if domain.whole else 0.0  # so that the outermost whole numbers get their share
        low, high = domain.low - margin, domain.high + margin
        if domain.scale == "log":
            value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        else:
            value = low + share * (high - low)
        value = min(max(value, domain.low), domain.high)
        return math.floor(value + 0.5) if domain.whole else float(value)

    def moves(self, values: Mapping[str, Any], recipe: Recipe) -> bool:
        """Whether it shapes anything, given what the fields before it are."""
        condition = FIELDS[self.field].only_with
        if condition is None:
            return True
        return condition.holds(values.get(condition.field, getattr(recipe, condition.field)))

    def distribution(self) -> BaseDistribution:
        """Return it as Optuna knows it."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        domain = self.domain
        if isinstance(domain, Choices):
            return CategoricalDistribution(domain.values)
        log = domain.scale == "log"
        if domain.whole:
            return IntDistribution(int(domain.low), int(domain.high), log=log)
        return FloatDistribution(domain.low, domain.high, log=log)

    def record(self, recipe: Recipe) -> SearchedField:
        """Return it as plain values, beside what the recipe has."""
        condition, domain = FIELDS[self.field].only_with, self.domain
        numbers = domain if isinstance(domain, Range) else None
        return SearchedField(
            field=self.field,
            low=numbers.low if numbers else None,
            high=numbers.high if numbers else None,
            scale=numbers.scale if numbers else None,
            whole=bool(numbers and numbers.whole),
            choices=list(domain.values) if isinstance(domain, Choices) else None,
            only_with=condition.words if condition else None,
            usual=getattr(recipe, self.field),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` takes."""
        domain = self.domain
        if isinstance(domain, Choices):
            return {"field": self.field, "choices": list(domain.values)}
        return {"field": self.field, **dataclasses.asdict(domain)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Dimension:
        """Read what `to_json` gave."""
        rest = {name: each for name, each in values.items() if name != "field"}
        if "choices" in rest:
            return cls(values["field"], Choices(tuple(rest["choices"])))
        return cls(values["field"], Range(**rest))


@dataclass(frozen=True)
class Space:
    """The fields that move; those on which others depend stand first."""

    dimensions: tuple[Dimension, ...]

    @classmethod
    def of(cls, dimensions: Sequence[Dimension], recipe: Recipe) -> Space:
        """Check fields against each other and against the recipe, and order them.

        Raises:
            RecipeError: no field at all, or a bound, a choice or a field that cannot be.
        """
        if not dimensions:
            raise RecipeError(
                "The space is empty, so every trial would be the same. Name at least one field: "
                "--vary lr=1e-4..1e-1:log"
            )
        space = cls(tuple(sorted(dimensions, key=lambda each: bool(FIELDS[each.field].only_with))))
        names = {each.field for each in dimensions}
        for each in space.dimensions:
            _check_values(each, recipe, space)
            condition = FIELDS[each.field].only_with
            fixed = condition and condition.field not in names
            if condition and fixed and not condition.holds(getattr(recipe, condition.field)):
                raise RecipeError(
                    f"{each.field} shapes something only with {condition.words}, and the recipe "
                    f"has {condition.field} {getattr(recipe, condition.field)}. Change that, vary "
                    f"it too, or leave {each.field} out."
                )
        return space

    def values(self, point: Sequence[float], recipe: Recipe) -> dict[str, Any]:
        """Return the fields' values at a point of the unit cube; fields that shape nothing are out.

        Args:
            point: (d,) shares from 0 to under 1, one for each dimension in order.
            recipe: what the fields that do not move are.
        """
        found: dict[str, Any] = {}
        for dimension, share in zip(self.dimensions, point, strict=True):
            if dimension.moves(found, recipe):
                found[dimension.field] = dimension.at(share)
        return found

    def records(self, recipe: Recipe) -> list[SearchedField]:
        """Return the fields as plain values."""
        return [each.record(recipe) for each in self.dimensions]

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain values that `from_json` takes."""
        return [each.to_json() for each in self.dimensions]

    @classmethod
    def from_json(cls, values: Sequence[Mapping[str, Any]]) -> Space:
        """Read what `to_json` gave."""
        return cls(tuple(map(Dimension.from_json, values)))


def usual_space(recipe: Recipe, fixed: Sequence[str] = (), *, has_dropout: bool = True) -> Space:
    """Return what moves where nobody says what should.

    Args:
        recipe: of the study. A decay of None (each layer's published one) stays as it is.
        fixed: fields that the user gave a value.
        has_dropout: whether the network has layers that drop units.
    """
    left_out = set(fixed)
    left_out |= {"decay"} if recipe.decay is None else set()
    left_out |= set() if has_dropout else {"dropout"}
    chosen = [
        Dimension(name, each.domain)
        for name, each in FIELDS.items()
        if each.usual and name not in left_out
    ]
    return Space.of(chosen, recipe)


def _check_values(dimension: Dimension, recipe: Recipe, space: Space) -> None:
    """Try the bounds or every choice in the recipe, which knows what it can be."""
    domain = dimension.domain
    tried = domain.values if isinstance(domain, Choices) else (dimension.at(0), dimension.at(1))
    beside = _where_it_moves(dimension, space)
    for value in tried:
        try:
            changed(recipe, {**beside, dimension.field: value})
        except RecipeError as error:
            raise RecipeError(f"The space cannot be searched: {error}") from None


def _where_it_moves(dimension: Dimension, space: Space) -> dict[str, Any]:
    """Return a value of the field on which another depends, if that varies, with which it moves."""
    condition = FIELDS[dimension.field].only_with
    if condition is None:
        return {}
    for each in space.dimensions:
        if each.field == condition.field:
            choices = each.domain.values if isinstance(each.domain, Choices) else (each.at(1),)
            held = [value for value in choices if condition.holds(value)]
            return {each.field: held[0]} if held else {}
    return {}
