"""The page of a comparison: figures, pairs, curves and settings side by side; opens from disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alexnet.files import write_csv
from alexnet.records import ComparisonReport, Difference, Epoch, Interval
from alexnet.reporting.charts.curves import LineEnd, name_lines
from alexnet.reporting.charts.painter import (
    CORRECT,
    INK,
    SOFT,
    WRONG,
    chart_style,
    new_chart,
    number_ticks,
    percent_ticks,
    to_svg,
)
from alexnet.reporting.html.render import render, write_page

__all__ = ["describe_difference", "write_comparison"]

_COLORS = (CORRECT, WRONG, INK, SOFT)
_STYLES = ("-", (0, (4, 2)), (0, (1, 2)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))


def write_comparison(
    page: Path, report: ComparisonReport, epochs: Sequence[Sequence[Epoch]]
) -> Path:
    """Write the page, and its figures as CSV beside it.

    Args:
        page: the file to write; the CSV has its name and another ending.
        report: what was compared.
        epochs: of each classifier's training, in order; empty where nothing is known.

    Raises:
        RunError: the disk refuses.
    """
    curves = [_Curves(number, each) for number, each in enumerate(epochs, 1) if each]
    charts = [
        ("Validation error", _draw(curves, "val_error", "Validation error")),
        ("Training loss, nats", _draw(curves, "train_loss", "Training loss")),
    ]
    text = render(
        "comparison.html",
        report=report,
        charts=[chart for chart in charts if chart[1]],
        sentences=[describe_difference(each) for each in report.differences],
    )
    write_csv(page.with_suffix(".csv"), _rows(report), name_errors="backslashreplace")
    return write_page(page, text)


def describe_difference(difference: Difference) -> str:
    """Return what can be said of a pair, as a sentence."""
    interval, points = difference.interval, 100 * difference.difference
    better, worse = difference.second, difference.first
    low, high = 100 * interval.low, 100 * interval.high
    if points < 0:
        better, worse, points, low, high = worse, better, -points, -high, -low
    fewer, more = sorted((difference.only_first, difference.only_second))
    figures = (
        f"{points:.1f} points (95 % interval {low:.1f} to {high:.1f}; {more} images right in it "
        f"alone, {fewer} in the other alone; p = {difference.p_corrected:.2g})"
    )
    if difference.better:
        return f"{better} is better than {worse}: {figures}."
    if points == 0:
        return f"{better} and {worse} are equally accurate: {figures}."
    return f"{better} was more accurate than {worse}, which may be chance: {figures}."


class _Curves:
    """The epochs of one training, and how its lines look."""

    def __init__(self, number: int, epochs: Sequence[Epoch]) -> None:
        self.number, self.epochs = number, epochs
        self.color = _COLORS[(number - 1) % len(_COLORS)]
        self.style = _STYLES[(number - 1) // len(_COLORS) % len(_STYLES)]

    def values(self, field: str) -> list[float]:
        """Return a field of each epoch; NaN where it was not measured."""
        found = (getattr(epoch, field) for epoch in self.epochs)
        return [math.nan if value is None else value for value in found]


def _draw(curves: Sequence[_Curves], field: str, title: str) -> str:
    """Draw a line for each training, named by its number; "" where nothing is known."""
    known = [each for each in curves if any(map(math.isfinite, each.values(field)))]
    if not known:
        return ""
    with chart_style(seed=f"comparison {field}"):
        axes = new_chart(560, 300, right=44, top=14)
        ends: list[LineEnd] = []
        for each in known:
            values = each.values(field)
            x = [epoch.epoch for epoch in each.epochs]
            alone = "o" if len(x) == 1 else None
            axes.plot(
                x, values, color=each.color, linestyle=each.style, marker=alone, clip_on=False
            )
            ends.append(([v for v in values if math.isfinite(v)][-1], str(each.number), each.color))
        axes.set_xlim(0.5, max(len(each.epochs) for each in known) + 0.5)
        axes.set_ylim(0, max(axes.get_ylim()[1], 1e-9))
        number_ticks(axes.xaxis, whole=True)
        (percent_ticks if field.endswith("error") else number_ticks)(axes.yaxis)
        axes.set_xlabel("epoch")
        name_lines(axes, ends)
        last = ", ".join(f"{name} {value:.3g}" for value, name, _ in ends)
        return to_svg(axes, f"{title} over the epochs; at the end by number: {last}.")


def _rows(report: ComparisonReport) -> list[list[Any]]:
    """Return the figures of each classifier as rows of a table."""
    fields = ("name", "model", "top1", "top5", "balanced_accuracy", "loss", "calibration_error")
    settings = [
        [values[index] for values in report.settings.values()]
        for index in range(len(report.classifiers))
    ]
    return [
        [*fields, "low", "high", *report.settings],
        *(
            [*(getattr(each, name) for name in fields), *_ends(each.top1_interval), *own]
            for each, own in zip(report.classifiers, settings, strict=True)
        ),
    ]


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high
