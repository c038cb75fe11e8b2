"""A small line chart as inline SVG: hairlines, few ticks, each line named at its end."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from alexnet.reporting.html.markup import NARROW, Markup, element, join, number

__all__ = ["Chart", "Line", "draw_chart", "ticks"]

_LEFT, _TOP, _BOTTOM = 46, 14, 26
_LABEL_PX = 14  # least distance between two names at the right end


@dataclass(frozen=True)
class Line:
    """One line: a value for each x, None where there is none."""

    name: str
    kind: str  # class in the style sheet: "train", "val", "rate"; "steps" draws it as stairs
    values: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What a chart shows.

    Args:
        title: stands above it.
        sentence: what a reader who can't see it should know.
        x: positions of all lines' values, rising.
        lines: drawn where they hold a value; with none at all a sentence stands instead.
        unit: "percent" labels 0.1 as 10 %.
        logarithmic: the y axis; all values are above 0 then.
        marks: positions of dotted uprights.
        ring: position and value of a ringed point, or None.
        width, height: of the drawing in px, which scales with the page.
        right: room for the names of the lines, in px.
    """

    title: str
    sentence: str
    x: Sequence[int]
    lines: Sequence[Line]
    unit: str = ""
    logarithmic: bool = False
    marks: Sequence[int] = ()
    ring: tuple[int, float] | None = None
    width: int = 400
    height: int = 236
    right: int = 74


def draw_chart(chart: Chart) -> Markup:
    """Draw a chart as a `<figure>`."""
    lines = [line for line in chart.lines if any(value is not None for value in line.values)]
    if not lines:
        return element("p", f"{chart.title}: no finite figures to draw.", class_="empty")
    chart = dataclasses.replace(chart, lines=lines)
    frame = _Frame(chart)
    drawing = element(
        "svg",
        *_axes(chart, frame),
        *_marks(chart, frame),
        *[part for line in chart.lines for part in _line(chart, line, frame)],
        _ring(chart, frame),
        *_names(chart, frame),
        viewBox=f"0 0 {chart.width} {chart.height}",
        role="img",
        aria_label=f"{chart.title}. {chart.sentence}",
        data_left=_LEFT,
        data_right=chart.width - chart.right,
        data_first=frame.x[0],
        data_last=frame.x[1],
    )
    return element("figure", element("figcaption", chart.title), drawing, class_="chart")


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers (1, 2, 2.5 or 5 times a power of ten) within low..high."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


class _Frame:
    """Where a value lies in the drawing."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        values = [v for line in chart.lines for v in line.values if v is not None]
        self.x = (chart.x[0], chart.x[-1])
        if chart.logarithmic:
            self.ticks = _powers(min(values), max(values))
            self.y = (min(min(values), self.ticks[0]), max(max(values), self.ticks[-1]))
        else:
            top = max(max(values), 1e-9)
            self.ticks = ticks(0, top * 1.04)
            self.y = (0.0, top * 1.04)

    def at_x(self, x: float) -> float:
        """Return px from the left."""
        first, last = self.x
        width = self.chart.width - self.chart.right - _LEFT
        return round(_LEFT + width * ((x - first) / (last - first) if last > first else 0.5), 1)

    def at_y(self, value: float) -> float:
        """Return px from the top."""
        low, high = self.y
        if self.chart.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        height = self.chart.height - _TOP - _BOTTOM
        return round(_TOP + height * (1 - (value - low) / (high - low or 1)), 1)


def _powers(low: float, high: float) -> list[float]:
    """Return the powers of ten around low..high, thinned to five at most."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    step = max(1, -(-(last - first) // 4))
    return [10.0**p for p in range(first, last + 1, step)]


def _axes(chart: Chart, frame: _Frame) -> list[Markup]:
    end, foot = chart.width - chart.right, chart.height - _BOTTOM
    parts: list[Markup] = []
    for tick in frame.ticks:
        y = frame.at_y(tick)
        parts.append(element("line", x1=_LEFT, x2=end, y1=y, y2=y, class_="grid"))
        parts.append(element("text", _tick(tick, chart.unit), x=_LEFT - 8, y=y + 4, class_="ytick"))
    parts += [
        element("text", epoch, x=frame.at_x(epoch), y=foot + 18, class_="xtick")
        for epoch in _epoch_ticks(*frame.x)
    ]
    parts.append(element("text", "epoch", x=end + 16, y=foot + 18, class_="axis"))
    return parts


def _tick(value: float, unit: str) -> str:
    return f"{100 * value:g}{NARROW}%" if unit == "percent" else number(value)


def _epoch_ticks(first: int, last: int) -> list[int]:
    """Return the first epoch and round ones up to the last, none closer than a tenth of all."""
    inner = [int(t) for t in ticks(first, last) if t == int(t) and t - first > (last - first) / 9]
    return [first, *inner]


def _marks(chart: Chart, frame: _Frame) -> list[Markup]:
    foot = chart.height - _BOTTOM
    spots = [frame.at_x(mark) for mark in chart.marks]
    return [element("line", x1=x, x2=x, y1=_TOP, y2=foot, class_="mark") for x in spots]


def _line(chart: Chart, line: Line, frame: _Frame) -> list[Markup]:
    """Draw the pieces between gaps; a piece of one value is a dot."""
    parts: list[Markup] = []
    piece: list[tuple[float, float]] = []
    for x, value in [*zip(chart.x, line.values, strict=True), (0, None)]:
        if value is not None:
            piece.append((frame.at_x(x), frame.at_y(value)))
        elif piece:
            parts.append(_piece(piece, line.kind))
            piece = []
    return parts


def _piece(points: list[tuple[float, float]], kind: str) -> Markup:
    if len(points) == 1:
        return element("circle", cx=points[0][0], cy=points[0][1], r=3, class_=f"dot {kind}")
    if "steps" in kind.split():
        path = f"M{points[0][0]:g} {points[0][1]:g}" + "".join(f"H{x:g}V{y:g}" for x, y in points)
    else:
        path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    return element("path", d=path, class_=f"line {kind}")


def _ring(chart: Chart, frame: _Frame) -> Markup:
    if chart.ring is None:
        return join()
    x, value = chart.ring
    return element("circle", cx=frame.at_x(x), cy=frame.at_y(value), r=4.5, class_="ring")


def _names(chart: Chart, frame: _Frame) -> list[Markup]:
    """Write each line's name beside its last value, pushed apart where they would touch."""
    ends: list[tuple[float, Line]] = []
    for line in chart.lines:
        known = [value for value in line.values if value is not None]
        if known and line.name:
            ends.append((frame.at_y(known[-1]) + 4, line))
    ends.sort(key=lambda end: end[0])
    spots = [y for y, _ in ends]
    for i in range(1, len(spots)):
        spots[i] = max(spots[i], spots[i - 1] + _LABEL_PX)
    excess = (spots[-1] if spots else 0) - (chart.height - _BOTTOM - 2)
    shift = max(excess, 0)
    end = chart.width - chart.right + 10
    return [
        element("text", line.name, x=end, y=round(y - shift, 1), class_=f"name {line.kind}")
        for y, (_, line) in zip(spots, ends, strict=True)
    ]
