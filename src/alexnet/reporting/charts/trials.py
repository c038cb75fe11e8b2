"""The charts of a study: lowest error so far, every trial's curve, error over fields, pairs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alexnet.records import SearchedField, SearchReport, TrialRecord
from alexnet.reporting.charts.painter import (
    CORRECT,
    INK,
    NARROW_PX,
    SOFT,
    WIDE_PX,
    WRONG,
    Chart,
    chart_style,
    name_upright_axis,
    new_chart,
    number_ticks,
    to_svg,
)
from alexnet.reporting.charts.scatter import (
    DOT_SIZE,
    Dot,
    TrialDots,
    axis_value,
    describe_trial,
    error_axis,
    field_axis,
    val_error,
)
from alexnet.reporting.html.format import percent
from alexnet.text import format_count, format_setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["StudyCharts"]

_MOST_PAIRED = 4  # fields: six pairs
_MOST_CURVES = 60  # above which the chart would be a thicket


class StudyCharts:
    """All charts of a study.

    Args:
        report: the study.
        layouts: under "random" and "grid" the values that each would try in as many trials.
    """

    def __init__(
        self, report: SearchReport, layouts: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> None:
        self.report, self.layouts = report, layouts
        self.measured = [trial for trial in report.finished if trial.val_error is not None]
        self.dots = TrialDots(report)
        always = [field for field in report.space if field.condition is None]
        order = {name: i for i, name in enumerate(report.importance)}
        self.fields = sorted(always, key=lambda field: order.get(field.field, len(order)))

    def best_so_far(self) -> Chart | None:
        """Draw each trial's error by its number, and the lowest so far as steps."""
        if not self.measured:
            return None
        title = "Each trial, and the lowest error so far"
        return Chart(title, *(self._best_so_far(title, width) for width in (WIDE_PX, NARROW_PX)))

    def _best_so_far(self, title: str, width: int) -> str:
        with chart_style(seed=f"{title} {width}"):
            axes = new_chart(width, 280)
            complete = [trial for trial in self.measured if trial.state == "complete"]
            lowest = list(itertools.accumulate(map(val_error, complete), min))
            numbers = [trial.number for trial in complete]
            if lowest:
                stairs = ([*numbers, self.measured[-1].number], [*lowest, lowest[-1]])
                axes.plot(*stairs, color=CORRECT, drawstyle="steps-post", gid="lowest")
            high = max(self.dots.errors)
            dots = [
                Dot(trial.number, high if trial.val_error is None else trial.val_error, trial)
                for trial in self.report.finished
            ]
            last = max(trial.number for trial in self.report.finished)
            tips = self.dots.draw(axes, dots) | {"lowest": ["lowest so far"]}
            axes.set_xlim(-0.5, last + 0.5)
            number_ticks(axes.xaxis, most=_most_ticks(width), whole=True)
            error_axis(axes, "trial")
            return to_svg(axes, f"{title}. {self._describe_best()}", tips)

    def curves(self) -> Chart | None:
        """Draw the validation error of every trial over its epochs; the best one stands out."""
        if not any(trial.curve for trial in self.report.trials):
            return None
        title = "A line for each trial"
        return Chart(title, *(self._curves(title, width) for width in (WIDE_PX, NARROW_PX)))

    def _curves(self, title: str, width: int) -> str:
        trials = [trial for trial in self.report.trials if trial.curve]
        states = [trial.state for trial in self.report.trials]
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        tips: dict[str, Sequence[str]] = {}
        with chart_style(seed=f"{title} {width}"):
            axes = new_chart(width, 300)
            for trial in sorted(trials, key=self.dots.is_best)[-_MOST_CURVES:]:
                self._draw_curve(axes, trial)
                tips[_gid(trial)] = [describe_trial(trial)]
            number_ticks(axes.xaxis, most=_most_ticks(width), whole=True)
            error_axis(axes, "epoch")
            label = f"{title}. {format_count(len(trials), 'trial')}; {counts}."
            return to_svg(axes, label, tips)

    def _draw_curve(self, axes: Axes, trial: TrialRecord) -> None:
        epochs, errors = zip(*trial.curve, strict=True)
        style: dict[str, Any] = {"color": SOFT, "linewidth": 1, "alpha": 0.55}
        if self.dots.is_best(trial):
            style = {"color": CORRECT}
        elif trial.state != "complete":
            style |= {"color": WRONG} if trial.state == "failed" else {"alpha": 0.3}
        if len(epochs) == 1:
            style |= {"marker": "o", "markersize": 3, "linestyle": "none"}
        axes.plot(epochs, errors, gid=_gid(trial), **style)

    def error_over_fields(self) -> list[Chart]:
        """Draw the error over each of the fields that matter most."""
        charts: list[Chart] = []
        for field in self.fields[:_MOST_PAIRED]:
            name = field.field
            dots = [
                Dot(trial.params[name], trial.val_error, trial)
                for trial in self.measured
                if name in trial.params
            ]
            if not dots:
                continue
            label = f"{format_count(len(dots), 'trial')}; {self._describe_best()}"
            charts.append(self._scatter(f"Error over {name}", label, field, None, dots))
        return charts

    def pairs(self) -> list[Chart]:
        """Draw the trials over each two of the fields that matter most."""
        return [
            self._scatter(
                f"{y.field} over {x.field}",
                f"{format_count(len(dots), 'trial')}; dark dots have a low validation error.",
                x,
                y,
                dots,
            )
            for y, x in itertools.combinations(self.fields[:_MOST_PAIRED], 2)
            for dots in [self._trials_over(x, y)]
        ]

    def samplers(self) -> list[Chart]:
        """Draw random search and a grid with the same number of trials, side by side."""
        if len(self.fields) < 2:
            return []
        return [self._sampler(name) for name in ("random", "grid")]

    def values_tried(self) -> dict[str, int]:
        """Return how many values of the field that matters most each sampler tries."""
        name = self.fields[0].field
        return {
            sampler: len({values.get(name) for values in layout})
            for sampler, layout in self.layouts.items()
        }

    def _sampler(self, name: str) -> Chart:
        """Draw what one sampler tries of the two fields that matter most."""
        x, y = self.fields[:2]
        own = self.report.sampler == name
        dots = self._trials_over(x, y) if own else []
        layout = [each for each in self.layouts[name] if x.field in each and y.field in each]
        tried = [dot.x for dot in dots] if own else [values[x.field] for values in layout]
        count, values = len(tried), len(dict.fromkeys(tried))
        title = f"{'Random search' if name == 'random' else 'Grid'}: {format_count(count, 'trial')}"
        title += f", {format_count(values, 'value')} of {x.field}" + ("" if own else ", not run")
        label = f"The marks under the axis are the values of {x.field} that were tried."
        return self._scatter(title, label, x, y, dots, rug=tried, layout=() if own else layout)

    def _scatter(
        self,
        title: str,
        label: str,
        x: SearchedField,
        y: SearchedField | None,
        dots: Sequence[Dot],
        *,
        rug: Iterable[Any] = (),
        layout: Sequence[Mapping[str, Any]] = (),
    ) -> Chart:
        """Draw trials over one or two fields; without `y` the other axis is the error."""
        with chart_style(seed=title):
            marks = [axis_value(x, value) for value in dict.fromkeys(rug)]
            axes = new_chart(400, 280, bottom=62) if marks else new_chart(400, 260)
            places = [
                Dot(
                    axis_value(x, dot.x),
                    axis_value(y, dot.y) if y else dot.y,
                    dot.trial,
                )
                for dot in dots
            ]
            tips: dict[str, Sequence[str]] = dict(self.dots.draw(axes, places))
            if layout and y:
                spots = [(axis_value(x, v[x.field]), axis_value(y, v[y.field])) for v in layout]
                hollow: dict[str, Any] = {"facecolors": "none", "edgecolors": SOFT, "s": DOT_SIZE}
                axes.scatter(*zip(*spots, strict=True), gid="layout", clip_on=False, **hollow)
                words = [[(f.field, format_setting(v[f.field])) for f in (x, y)] for v in layout]
                tips["layout"] = [", ".join(" ".join(each) for each in pair) for pair in words]
            field_axis(axes, "x", x)
            if marks:
                below: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False}
                axes.vlines(marks, -0.11, -0.04, color=INK, linewidth=1.25, gid="rug", **below)
                axes.tick_params("x", pad=25)
            if y:
                field_axis(axes, "y", y)
                axes.set_xlabel(x.field)
                name_upright_axis(axes, y.field)
            else:
                error_axis(axes, x.field)
            return Chart(title, to_svg(axes, f"{title}. {label}", tips))

    def _trials_over(self, x: SearchedField, y: SearchedField) -> list[Dot]:
        return [
            Dot(trial.params[x.field], trial.params[y.field], trial)
            for trial in self.report.finished
            if x.field in trial.params and y.field in trial.params
        ]

    def _describe_best(self) -> str:
        best = self.report.best
        if best is None:
            return "No trial is complete."
        return f"The best is {percent(best.val_error)}, trial {best.number}."


def _gid(trial: TrialRecord) -> str:
    return f"trial-{trial.number}"


def _most_ticks(width: int) -> int:
    return 10 if width == WIDE_PX else 5
