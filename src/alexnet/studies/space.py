"""The search space of a study: fields of the recipe with their domains, validated up front."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alexnet.errors import RecipeError
from alexnet.recipe import (
    Choices,
    Domain,
    Range,
    Recipe,
    Search,
    changed,
    search_defaults,
    search_exclusions,
)
from alexnet.records import SearchedField

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["EXCLUDED", "SEARCHABLE", "Dimension", "SearchSpace", "default_space"]

SEARCHABLE: Mapping[str, Search] = search_defaults()
"""Every field of a recipe that can vary, with its default domain."""

EXCLUDED: Mapping[str, str] = search_exclusions()
"""Every other field, and why it cannot."""


@dataclass(frozen=True)
class Dimension:
    """One field that varies."""

    field: str
    domain: Domain

    @property
    def size(self) -> float:
        """The number of its values; infinite for real numbers."""
        domain = self.domain
        if isinstance(domain, Choices):
            return len(domain.values)
        return domain.high - domain.low + 1 if domain.whole else math.inf

    def at(self, x: float) -> Any:
        """Return the value at `x` (0 to under 1) of the domain, on its scale."""
        domain = self.domain
        if isinstance(domain, Choices):
            return domain.values[min(int(x * len(domain.values)), len(domain.values) - 1)]
        margin = (
            0.5 if domain.whole else 0.0
        )  # so that the outermost integers are as likely as others
        low, high = domain.low - margin, domain.high + margin
        if domain.scale == "log":
            value = math.exp(math.log(low) + x * (math.log(high) - math.log(low)))
        else:
            value = low + x * (high - low)
        value = min(max(value, domain.low), domain.high)
        return math.floor(value + 0.5) if domain.whole else float(value)

    def is_active(self, params: Mapping[str, Any], recipe: Recipe) -> bool:
        """Whether it has an effect, given the values of the fields before it."""
        condition = SEARCHABLE[self.field].only_with
        if condition is None:
            return True
        return condition.holds(params.get(condition.field, getattr(recipe, condition.field)))

    def distribution(self) -> BaseDistribution:
        """Return it as a distribution of Optuna."""
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
        """Return it as plain values, with the value of the recipe."""
        condition, domain = SEARCHABLE[self.field].only_with, self.domain
        numbers = domain if isinstance(domain, Range) else None
        return SearchedField(
            field=self.field,
            low=numbers.low if numbers else None,
            high=numbers.high if numbers else None,
            scale=numbers.scale if numbers else None,
            integer=bool(numbers and numbers.whole),
            choices=list(domain.values) if isinstance(domain, Choices) else None,
            condition=condition.words if condition else None,
            default=getattr(recipe, self.field),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` takes."""
        domain = self.domain
        if isinstance(domain, Choices):
            return {"field": self.field, "choices": list(domain.values)}
        return {"field": self.field, **dataclasses.asdict(domain)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Dimension:
        """Read what `to_json` returned."""
        rest = {name: value for name, value in values.items() if name != "field"}
        if "choices" in rest:
            return cls(values["field"], Choices(tuple(rest["choices"])))
        return cls(values["field"], Range(**rest))


@dataclass(frozen=True)
class SearchSpace:
    """The fields that vary; those on which others depend stand first."""

    dimensions: tuple[Dimension, ...]

    @classmethod
    def of(cls, dimensions: Sequence[Dimension], recipe: Recipe) -> SearchSpace:
        """Validate fields against each other and against the recipe, and order them.

        Raises:
            RecipeError: no field at all, or a bound, a choice or a field that the recipe refuses.
        """
        if not dimensions:
            raise RecipeError(
                "The search space is empty, so every trial would be the same. Name at least one "
                "field: --vary lr=1e-4..1e-1:log"
            )
        space = cls(tuple(sorted(dimensions, key=lambda d: bool(SEARCHABLE[d.field].only_with))))
        names = {dimension.field for dimension in dimensions}
        for dimension in space.dimensions:
            _validate_domain(dimension, recipe, space)
            condition = SEARCHABLE[dimension.field].only_with
            fixed = condition and condition.field not in names
            if condition and fixed and not condition.holds(getattr(recipe, condition.field)):
                raise RecipeError(
                    f"{dimension.field} has an effect only with {condition.words}, and the recipe "
                    f"has {condition.field} {getattr(recipe, condition.field)}. Change that, vary "
                    f"it too, or leave {dimension.field} out."
                )
        return space

    def params(self, point: Sequence[float], recipe: Recipe) -> dict[str, Any]:
        """Return the fields' values at a point of the unit cube, without inactive fields.

        Args:
            point: (d,) numbers from 0 to under 1, one for each dimension in order.
            recipe: has the values of the fields that do not vary.
        """
        params: dict[str, Any] = {}
        for dimension, x in zip(self.dimensions, point, strict=True):
            if dimension.is_active(params, recipe):
                params[dimension.field] = dimension.at(x)
        return params

    def records(self, recipe: Recipe) -> list[SearchedField]:
        """Return the fields as plain values."""
        return [dimension.record(recipe) for dimension in self.dimensions]

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain values that `from_json` takes."""
        return [dimension.to_json() for dimension in self.dimensions]

    @classmethod
    def from_json(cls, values: Sequence[Mapping[str, Any]]) -> SearchSpace:
        """Read what `to_json` returned."""
        return cls(tuple(map(Dimension.from_json, values)))


def default_space(
    recipe: Recipe, fixed: Sequence[str] = (), *, has_dropout: bool = True
) -> SearchSpace:
    """Return the search space of a study for which none is named.

    Args:
        recipe: of the study. A weight_decay of None (each layer's published one) does not vary.
        fixed: fields that the user gave a value.
        has_dropout: whether the network has dropout layers.
    """
    excluded = set(fixed)
    excluded |= {"weight_decay"} if recipe.weight_decay is None else set()
    excluded |= set() if has_dropout else {"dropout"}
    dimensions = [
        Dimension(name, search.domain)
        for name, search in SEARCHABLE.items()
        if search.usual is not None and name not in excluded
    ]
    return SearchSpace.of(dimensions, recipe)


def _validate_domain(dimension: Dimension, recipe: Recipe, space: SearchSpace) -> None:
    """Build the recipe with both bounds or with every choice: it validates its own fields."""
    domain = dimension.domain
    values = domain.values if isinstance(domain, Choices) else (dimension.at(0), dimension.at(1))
    others = _activating_params(dimension, space)
    for value in values:
        try:
            changed(recipe, {**others, dimension.field: value})
        except RecipeError as error:
            raise RecipeError(f"The search space is invalid: {error}") from None


def _activating_params(dimension: Dimension, space: SearchSpace) -> dict[str, Any]:
    """Return a value of the field on which this one depends, if that varies, that activates it."""
    condition = SEARCHABLE[dimension.field].only_with
    if condition is None:
        return {}
    for other in space.dimensions:
        if other.field == condition.field:
            values = other.domain.values if isinstance(other.domain, Choices) else (other.at(1),)
            activating = [value for value in values if condition.holds(value)]
            return {other.field: activating[0]} if activating else {}
    return {}
