"""The axes of a plot: from a value to a place, and which values are written beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from alexnet.reporting.chart import ticks
from alexnet.reporting.words import NARROW, number
from alexnet.search_records import SearchedField

__all__ = ["Axis", "axis_of_field", "axis_over"]


@dataclass(frozen=True)
class Axis:
    """One axis.

    Args:
        title: what is measured.
        low, high: its ends; above 0 where the scale is "log".
        scale: "linear", "log", or "names": each value is one of `names`, low and high unused.
        names: of a "names" axis, from its beginning.
        unit: "percent" writes 0.1 as 10 %.
        whole: only whole numbers are written out.
    """

    title: str
    low: float = 0.0
    high: float = 1.0
    scale: Literal["linear", "log", "names"] = "linear"
    names: Sequence[Any] = ()
    unit: str = ""
    whole: bool = False

    def share(self, value: Any) -> float:
        """Return how far along a value lies, 0 to 1; a name in the middle of its part."""
        if self.scale == "names":
            return (self.names.index(value) + 0.5) / len(self.names)
        low, high, value = float(self.low), float(self.high), float(value)
        if self.scale == "log":
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low) if high > low else 0.5

    def ticks(self, most: int = 5) -> list[tuple[float, str]]:
        """Return the places, 0 to 1, that are written out, and what stands there."""
        if self.scale == "names":
            return [(self.share(each), _name(each)) for each in self.names]
        found = self._powers(most) if self.scale == "log" else ticks(self.low, self.high, most)
        found = [each for each in found if not self.whole or float(each).is_integer()]
        if len(found) < 2:
            found = [self.low, self.high]
        return [(self.share(each), self._text(each)) for each in found]

    def _powers(self, most: int) -> list[float]:
        """Return powers of ten, and 2 and 5 times them where they are few; of two, if whole."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = (1,) if last - first > 2 else (1, 2, 5) if last - first == 1 else (1, 3)
        spots = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        if self.whole:
            spots = [2.0**power for power in range(math.ceil(math.log2(self.high)) + 1)]
        within = [each for each in spots if self.low * 0.999 <= each <= self.high * 1.001]
        return within[:: max(1, -(-len(within) // most))]

    def _text(self, value: float) -> str:
        if self.unit == "percent":
            return f"{100 * value:g}{NARROW}%"
        if self.scale == "log" and value < 0.001:
            return number(float(f"{value:.0e}"))
        return number(value)


def axis_over(title: str, values: Iterable[float], unit: str = "") -> Axis:
    """Return a linear axis that holds the values, with some air at its ends."""
    known = list(values)
    low, high = min(known), max(known)
    air = 0.06 * (high - low) or 0.01
    return Axis(title, max(0.0, low - air) if low >= 0 else low - air, high + air, unit=unit)


def axis_of_field(field: SearchedField) -> Axis:
    """Return the axis of a field, over all that it may be."""
    if field.choices is not None:
        return Axis(field.field, scale="names", names=field.choices)
    assert field.low is not None
    assert field.high is not None
    scale = "log" if field.scale == "log" else "linear"
    return Axis(field.field, field.low, field.high, scale, whole=field.whole)


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
