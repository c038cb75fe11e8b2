"""How a training went: loss, error and learning rate over the epochs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alexnet.records import Epoch
from alexnet.reporting.charts.painter import (
    CORRECT,
    INK,
    PAPER,
    SOFT,
    chart_style,
    new_chart,
    number_ticks,
    percent_ticks,
    to_svg,
)
from alexnet.reporting.html.format import percent
from alexnet.text import format_number, join_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LineEnd", "TrainingCharts", "lr_drops", "name_lines", "spans_decades"]

_DECADES = 30  # largest loss over smallest: above it the axis is logarithmic
_LABEL = 0.08  # least distance between the names of two lines, of the height of the axes

Color = str | tuple[str, float]
"""One of the painter's, or one with its opacity."""

_Line = tuple[str, Color, Sequence[float | None]]  # name, color, values
LineEnd = tuple[float, str, Color]
"""Last value, name and color of a line."""


class TrainingCharts:
    """The three charts of a training; each is drawn into axes that it is given, or as an SVG.

    Args:
        epochs: at least one, in order.
        recipe: fields of the recipe; its schedule says whether a falling rate is a drop.
        classes: K; the top-5 error is drawn above 5 classes.
    """

    def __init__(self, epochs: Sequence[Epoch], recipe: Mapping[str, Any], classes: int) -> None:
        self.epochs, self.classes = epochs, classes
        self.drops = lr_drops(epochs, recipe)
        self.x = [epoch.epoch for epoch in epochs]

    def titles(self) -> list[str]:
        """Return what stands above the charts, in order."""
        return [
            "Loss, nats" + (", logarithmic" if spans_decades(self.epochs) else ""),
            "Error rate",
            "Learning rate" + (", dotted where it drops" if self.drops else ""),
        ]

    def sentences(self) -> list[str]:
        """Return what a reader who can't see the charts should know."""
        first, last = self.epochs[0], self.epochs[-1]
        loss = f"Training loss from {format_number(first.train_loss)} to "
        loss += format_number(last.train_loss)
        if last.val_loss is not None:
            loss += f", validation loss from {format_number(first.val_loss)} to "
            loss += format_number(last.val_loss)
        error = f"Training error from {percent(first.train_error)} to {percent(last.train_error)}"
        if best := self._best():
            error += f"; best validation error {percent(best[1])} after epoch {best[0]}"
        rate = f"From {format_number(first.lr)} to {format_number(last.lr)}"
        if self.drops:
            rate += f", dropped at epoch {join_words([str(drop) for drop in self.drops])}"
        return [f"{loss}.", f"{error}.", f"{rate}."]

    def svgs(self) -> list[tuple[str, str]]:
        """Return each chart's title and its drawing for a page; "" where no value is finite."""
        charts: list[tuple[str, str]] = []
        draw = (self.draw_loss, self.draw_error, self.draw_lr)
        for title, sentence, draw_one in zip(self.titles(), self.sentences(), draw, strict=True):
            with chart_style(seed=title):
                axes = new_chart(400, 236, right=74, top=14)
                finite = draw_one(axes)
                charts.append((title, to_svg(axes, f"{title}. {sentence}") if finite else ""))
        return charts

    def draw_loss(self, axes: Axes) -> bool:
        """Draw training and validation loss; return whether there was a finite value."""
        return self._lines(
            axes,
            ("train", SOFT, [epoch.train_loss for epoch in self.epochs]),
            ("validation", CORRECT, [epoch.val_loss for epoch in self.epochs]),
            logarithmic=spans_decades(self.epochs),
        )

    def draw_error(self, axes: Axes) -> bool:
        """Draw training and validation error, and a ring around the epoch that was saved."""
        lines: list[_Line] = [
            ("train", SOFT, [epoch.train_error for epoch in self.epochs]),
            ("validation", CORRECT, [epoch.val_error for epoch in self.epochs]),
        ]
        if self.classes > 5:
            top5 = [epoch.val_top5_error for epoch in self.epochs]
            lines.append(("val. top-5", (CORRECT, 0.55), top5))
        finite = self._lines(axes, *lines)
        percent_ticks(axes.yaxis)
        if best := self._best():
            ring: dict[str, Any] = {"markersize": 9, "markerfacecolor": PAPER, "markeredgewidth": 2}
            axes.plot(*best, "o", color=CORRECT, clip_on=False, zorder=4, **ring)
        return finite

    def draw_lr(self, axes: Axes) -> bool:
        """Draw the learning rate, as steps where it drops."""
        rates = [epoch.lr for epoch in self.epochs]
        logarithmic = bool(self.drops) and all(rate > 0 for rate in rates)
        steps = "steps-post" if self.drops else "default"
        return self._lines(axes, ("", INK, rates), logarithmic=logarithmic, drawstyle=steps)

    def _lines(
        self,
        axes: Axes,
        *lines: _Line,
        logarithmic: bool = False,
        drawstyle: str = "default",
    ) -> bool:
        """Draw name, color and values of each line; a value between two gaps is a dot."""
        ends: list[LineEnd] = []
        for name, color, values in lines:
            y = [math.nan if value is None else value for value in values]
            known = [value for value in y if math.isfinite(value)]
            alone: dict[str, Any] = {"marker": "o", "markersize": 5, "markevery": _isolated(y)}
            style: dict[str, Any] = {"color": color, "drawstyle": drawstyle, "clip_on": False}
            axes.plot(self.x, y, zorder=3, **style, **alone)
            if known:
                ends.append((known[-1], name, color))
        first, last = self.x[0], self.x[-1]
        axes.set_xlim((first, last) if first < last else (first - 0.5, last + 0.5))
        if logarithmic:
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, max(axes.get_ylim()[1], 1e-9))
        number_ticks(axes.xaxis, whole=True)
        number_ticks(axes.yaxis)
        axes.set_xlabel("epoch")
        for drop in self.drops:
            axes.axvline(drop, color=SOFT, linestyle=(0, (1, 3)), linewidth=1)
        name_lines(axes, ends)
        return bool(ends)

    def _best(self) -> tuple[int, float] | None:
        """Return the epoch whose weights were saved last, and its validation error."""
        best = [
            (epoch.epoch, epoch.val_error)
            for epoch in self.epochs
            if epoch.best and epoch.val_error is not None and math.isfinite(epoch.val_error)
        ]
        return best[-1] if best else None


def lr_drops(epochs: Sequence[Epoch], recipe: Mapping[str, Any]) -> list[int]:
    """Return the epochs from which on the rate is lower; none where it falls all the time."""
    if recipe.get("schedule") not in ("plateau", "steps"):
        return []
    pairs = itertools.pairwise(epochs)
    return [after.epoch for before, after in pairs if after.lr < before.lr * (1 - 1e-9)]


def spans_decades(epochs: Sequence[Epoch]) -> bool:
    """Whether the losses span so much that a linear axis would show a line along its foot."""
    losses = [loss for epoch in epochs for loss in (epoch.train_loss, epoch.val_loss)]
    known = [loss for loss in losses if loss is not None and math.isfinite(loss)]
    return bool(known) and 0 < _DECADES * min(known) < max(known)


def _isolated(values: Sequence[float]) -> list[int]:
    """Return where a finite value has no finite neighbor, so that no line would show it."""
    finite = [False, *map(math.isfinite, values), False]
    return [
        i - 1
        for i in range(1, len(finite) - 1)
        if finite[i] and not finite[i - 1] and not finite[i + 1]
    ]


def name_lines(axes: Axes, ends: Iterable[LineEnd]) -> None:
    """Write each line's name beside its last value, pushed apart where they would touch."""
    to_axes = axes.transData + axes.transAxes.inverted()
    heights = [(float(to_axes.transform((0, y))[1]), name, color) for y, name, color in ends]
    heights.sort(key=lambda end: end[0])
    places = [height for height, _, _ in heights]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + _LABEL)
    excess = max(0, places[-1] - 1) if places else 0
    for place, (_, name, color) in zip(places, heights, strict=True):
        axes.annotate(
            name,
            (1, place - excess),
            (10, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            color=color,
            verticalalignment="center",
        )
