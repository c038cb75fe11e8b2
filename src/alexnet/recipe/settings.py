"""How a field of the recipe is described, once: its default, help, bounds, and place in a search.

From that follow the checks of its values, its flag, its rows in the docs, what a search tries.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from alexnet.errors import RecipeError, did_you_mean
from alexnet.recipe.annotations import choices, describe_type, fits, join_or
from alexnet.text import shorten

__all__ = [
    "Bounds",
    "Choices",
    "Condition",
    "Domain",
    "Range",
    "Scale",
    "Search",
    "Setting",
    "any_of",
    "check_value",
    "linear",
    "log",
    "resolve_search",
    "setting",
    "setting_of",
]

Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    scale: Scale = "linear"
    whole: bool = False


@dataclass(frozen=True)
class Choices:
    """Some values, each as likely as another."""

    values: tuple[Any, ...]


Domain = Range | Choices


@dataclass(frozen=True)
class Condition:
    """A field is searched only while another has certain values: else it would shape nothing."""

    field: str
    values: tuple[str, ...] = ()
    above: float | None = None

    def holds(self, value: Any) -> bool:
        """Return whether the other field's value is one of these, or high enough."""
        return value > self.above if self.above is not None else value in self.values

    @property
    def words(self) -> str:
        """It for people: "schedule plateau or steps"."""
        if self.above is not None:
            return f"{self.field} above {self.above:g}"
        return f"{self.field} {join_or(self.values)}"


@dataclass(frozen=True)
class Search:
    """What a search tries for a field where nothing narrower is asked for.

    Args:
        domain: scale and bounds, or choices.
        usual: the field is searched without being named, in this place of the order; None: is not.
        only_with: when it is searched at all; None: always.
    """

    domain: Domain
    usual: int | None = None
    only_with: Condition | None = None


def log(low: float, high: float, **options: Any) -> Search:
    """Search numbers from `low` to `high`, each power of ten as likely as another."""
    return Search(Range(low, high, "log"), **options)


def linear(low: float, high: float, **options: Any) -> Search:
    """Search numbers from `low` to `high`, each as likely as another."""
    return Search(Range(low, high), **options)


def any_of(*values: Any, **options: Any) -> Search:
    """Search some values; none named: all that the field's type lists."""
    return Search(Choices(values), **options)


@dataclass(frozen=True)
class Bounds:
    """What numbers a field takes; always finite ones."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    under: float | None = None

    def hold(self, value: float) -> bool:
        """Return whether a number lies within."""
        return (
            not (isinstance(value, float) and not math.isfinite(value))
            and (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.under is None or value < self.under)
        )

    @property
    def open_ended(self) -> bool:
        """Whether a number may be as large as it likes."""
        return self.at_most is None and self.under is None

    def __str__(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"between {self.at_least} and {self.at_most}"
        limits = {
            "at least": self.at_least,
            "above": self.above,
            "at most": self.at_most,
            "under": self.under,
        }
        return " and ".join(
            f"{name} {limit}" for name, limit in limits.items() if limit is not None
        )


@dataclass(frozen=True)
class Setting:
    """Everything about a field but its name, type and default."""

    help: str
    bounds: Bounds
    search: Search | str  # a text: why it is not searched


def setting(default: Any, help: str, *, search: Search | str, **bounds: Any) -> Any:  # noqa: A002
    """Describe a field of the recipe.

    Args:
        default: its value where nobody says another one.
        help: a sentence for people.
        search: what a search tries; a text: why it is not searched.
        **bounds: as `Bounds` takes them; of a list each entry has to lie within.
    """
    described = Setting(help, Bounds(**bounds), search)
    return dataclasses.field(default=default, metadata={"setting": described})


def setting_of(field: dataclasses.Field[Any]) -> Setting:
    """Return the description of a field."""
    return cast("Setting", field.metadata["setting"])


def check_value(field: dataclasses.Field[Any], value: Any, annotation: Any) -> None:
    """Check a value against the type and the bounds of its field.

    Raises:
        RecipeError: it is of another type, or out of bounds.
    """
    name, bounds = field.name, setting_of(field).bounds
    if not fits(value, annotation):
        near = did_you_mean(value, choices(annotation)) if isinstance(value, str) else ""
        raise RecipeError(
            f"{name} must be {describe_type(annotation)}; got {shorten(repr(value))}.{near}"
        )
    types = get_args(annotation) or (annotation,)
    if value is None or not {int, float} & set(types):
        return
    numbers = cast("tuple[float, ...]", value if isinstance(value, tuple) else (value,))
    if not all(bounds.hold(number) for number in numbers):
        kind = "a number " if float in types and bounds.open_ended else ""
        joint = "of " if kind and bounds.above is None else ""
        each = "each be" if isinstance(value, tuple) else "be"
        raise RecipeError(f"{name} must {each} {kind}{joint}{bounds}; got {shorten(f'{value!r}')}.")


def resolve_search(search: Search, annotation: Any) -> Search:
    """Fill in what follows from the field's type: whole numbers, all of its choices."""
    domain = search.domain
    if isinstance(domain, Range):
        whole = int in (get_args(annotation) or (annotation,))
        return dataclasses.replace(search, domain=dataclasses.replace(domain, whole=whole))
    if not domain.values:
        values = (True, False) if annotation is bool else choices(annotation)
        return dataclasses.replace(search, domain=Choices(values))
    return search
