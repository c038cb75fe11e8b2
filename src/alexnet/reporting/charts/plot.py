"""A plot of any two quantities as inline SVG: lines, dots, uprights, and marks under the axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from alexnet.records import SearchedField
from alexnet.reporting.charts.line_chart import ticks
from alexnet.reporting.html.markup import NARROW, Markup, element, number

__all__ = ["Axis", "Dot", "Plot", "Trace", "Upright", "axis_of_field", "axis_over", "draw_plot"]


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


_LEFT, _TOP, _RIGHT, _BOTTOM = 52, 26, 14, 40
_RUG = 14  # room for the marks under the x axis
_WIDE = 600  # px from which a plot is scrolled on a small screen, where it would be unreadable


@dataclass(frozen=True)
class Trace:
    """A line through points, in order; `kind` is its class in the style sheet."""

    points: Sequence[tuple[Any, Any]]
    kind: str
    title: str = ""
    steps: bool = False


@dataclass(frozen=True)
class Dot:
    """A point; `strength` 0 to 1 says how dark, None leaves it hollow, `cross` draws it as one."""

    x: Any
    y: Any
    title: str
    strength: float | None = 1.0
    cross: bool = False
    ring: bool = False


@dataclass(frozen=True)
class Upright:
    """A dotted line at a value of x, with a word at its head."""

    x: Any
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """What a plot shows.

    Args:
        title: stands above it.
        sentence: what a reader who can't see it should know.
        x, y: its axes.
        traces, dots, uprights: drawn in this order.
        rug: values of x that are marked under the axis.
        width, height: of the drawing in px, which scales with the page.
    """

    title: str
    sentence: str
    x: Axis
    y: Axis
    traces: Sequence[Trace] = ()
    dots: Sequence[Dot] = ()
    uprights: Sequence[Upright] = ()
    rug: Sequence[Any] = ()
    width: int = 400
    height: int = 260


def draw_plot(plot: Plot) -> Markup:
    """Draw a plot as a `<figure>`."""
    drawing = element(
        "svg",
        *_axes(plot),
        *[_upright(plot, each) for each in plot.uprights],
        *[_trace(plot, each) for each in plot.traces],
        *[_dot(plot, each) for each in plot.dots],
        *[_rug(plot, each) for each in dict.fromkeys(plot.rug)],
        viewBox=f"0 0 {plot.width} {plot.height}",
        role="img",
        aria_label=f"{plot.title}. {plot.sentence}",
    )
    kind = "chart plot wide" if plot.width >= _WIDE else "chart plot"
    return element("figure", element("figcaption", plot.title), drawing, class_=kind)


def _foot(plot: Plot) -> int:
    return plot.height - _BOTTOM - (_RUG if plot.rug else 0)


def _at(plot: Plot, x: Any, y: Any) -> tuple[float, float]:
    right = _LEFT + plot.x.share(x) * (plot.width - _LEFT - _RIGHT)
    down = _TOP + (1 - plot.y.share(y)) * (_foot(plot) - _TOP)
    return round(right, 1), round(down, 1)


def _axes(plot: Plot) -> list[Markup]:
    end, foot = plot.width - _RIGHT, _foot(plot)
    parts: list[Markup] = []
    for share, text in plot.y.ticks():
        y = round(_TOP + (1 - share) * (foot - _TOP), 1)
        parts.append(element("line", x1=_LEFT, x2=end, y1=y, y2=y, class_="grid"))
        parts.append(element("text", text, x=_LEFT - 8, y=y + 4, class_="ytick"))
    under = foot + 18 + (_RUG if plot.rug else 0)
    for share, text in plot.x.ticks():
        x = round(_LEFT + share * (end - _LEFT), 1)
        parts.append(element("line", x1=x, x2=x, y1=foot, y2=foot + 4, class_="grid"))
        parts.append(element("text", text, x=x, y=under, class_="xtick"))
    middle = round((_LEFT + end) / 2, 1)
    parts.append(element("text", plot.x.title, x=middle, y=under + 17, class_="xtick axis"))
    parts.append(element("text", plot.y.title, x=8, y=_TOP - 14, class_="axis"))
    return parts


def _trace(plot: Plot, trace: Trace) -> Markup | None:
    spots = [_at(plot, x, y) for x, y in trace.points]
    if not spots:
        return None
    first, *others = spots
    path = f"M{first[0]:g} {first[1]:g}"
    for x, y in others:
        path += f"H{x:g}V{y:g}" if trace.steps else f"L{x:g} {y:g}"
    title = element("title", trace.title) if trace.title else None
    if len(spots) == 1:
        return element("circle", title, cx=first[0], cy=first[1], r=2, class_=f"dot {trace.kind}")
    return element("path", title, d=path, class_=f"line {trace.kind}")


def _dot(plot: Plot, dot: Dot) -> Markup:
    x, y = _at(plot, dot.x, dot.y)
    title = element("title", dot.title)
    if dot.cross:
        path = f"M{x - 3:g} {y - 3:g}L{x + 3:g} {y + 3:g}M{x - 3:g} {y + 3:g}L{x + 3:g} {y - 3:g}"
        return element("path", title, d=path, class_="failed")
    kind = "hollow" if dot.strength is None else "trial"
    return element(
        "circle",
        title,
        cx=x,
        cy=y,
        r=5.5 if dot.ring else 4,
        class_=f"{kind} best" if dot.ring else kind,
        style=None if dot.strength is None else f"--s:{dot.strength:.2f}",
    )


def _upright(plot: Plot, upright: Upright) -> Markup:
    x = _at(plot, upright.x, plot.y.names[0] if plot.y.names else plot.y.low)[0]
    line = element("line", x1=x, x2=x, y1=_TOP, y2=_foot(plot), class_="mark")
    late = x > plot.width * 0.7
    word = element(
        "text",
        upright.name,
        x=x - 5 if late else x + 5,
        y=_TOP + 9,
        class_="ytick" if late else None,
    )
    return element("g", line, word)


def _rug(plot: Plot, value: Any) -> Markup:
    x = _at(plot, value, plot.y.names[0] if plot.y.names else plot.y.low)[0]
    foot = _foot(plot)
    return element("line", x1=x, x2=x, y1=foot + 6, y2=foot + 6 + _RUG, class_="rug")
