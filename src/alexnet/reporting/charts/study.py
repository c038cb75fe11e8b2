"""The pictures of a study: best so far, every trial's curve, what decides, pairs, the argument."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from alexnet.records import SearchedField, SearchReport, TrialRecord
from alexnet.reporting.charts.plot import (
    Axis,
    Dot,
    Plot,
    Trace,
    axis_of_field,
    axis_over,
    draw_plot,
)
from alexnet.reporting.html.markup import Markup, element, join, number, percent
from alexnet.text import counted

__all__ = [
    "draw_argument",
    "draw_best_so_far",
    "draw_curves_of_trials",
    "draw_importance",
    "draw_pairs",
    "most_important",
]

_MOST_PAIRED = 4  # fields: six pictures
_FAR = 60  # curves above which the page would be a thicket


def draw_best_so_far(report: SearchReport) -> Markup:
    """Draw each trial's error by its number, and the lowest so far as stairs."""
    shown = [each for each in report.ended if each.error is not None]
    if not shown:
        return element("p", "No trial has a figure yet.", class_="empty")
    best = list(itertools.accumulate((_error(e) for e in shown if e.state == "complete"), min))
    complete = [each.number for each in shown if each.state == "complete"]
    stairs = list(zip(complete, best, strict=True))
    if stairs:
        stairs.append((shown[-1].number, stairs[-1][1]))
    errors = axis_over("validation error", map(_error, shown), "percent")
    lost = [each for each in report.ended if each.error is None]  # failed before any figure
    plot = Plot(
        title="Each trial, and the lowest so far",
        sentence=_best_in_words(report),
        x=Axis("trial", 0, max(each.number for each in report.ended) + 0.5, whole=True),
        y=errors,
        traces=[Trace(stairs, "val", "lowest so far", steps=True)],
        dots=[
            *[_dot(report, each, each.number, errors.high) for each in lost],
            *[_dot(report, each, each.number, _error(each)) for each in shown],
        ],
        width=840,
        height=280,
    )
    return draw_plot(plot)


def draw_curves_of_trials(report: SearchReport) -> Markup:
    """Draw the validation error of every trial over its epochs; the best one stands out."""
    curves = [each for each in report.trials if each.curve]
    if not curves:
        return element("p", "No trial has a figure yet.", class_="empty")
    best = report.best.number if report.best else None
    ordered = sorted(curves, key=lambda each: each.number == best)[-_FAR:]
    traces = [
        Trace(each.curve, "val" if each.number == best else f"thin {each.state}", _words(each))
        for each in ordered
    ]
    last = max(epoch for each in curves for epoch, _ in each.curve)
    plot = Plot(
        title="A line for each trial",
        sentence=f"{counted(len(curves), 'trial')}; {_states(report)}.",
        x=Axis("epoch", 1, max(last, 2), whole=True),
        y=axis_over("validation error", (e for c in ordered for _, e in c.curve), "percent"),
        traces=traces,
        width=840,
        height=300,
    )
    return draw_plot(plot)


def draw_importance(report: SearchReport) -> Markup:
    """Draw how much each field decides, as bars, and the error over those that decide most."""
    fields = most_important(report)[:_MOST_PAIRED]
    over = element("div", *[_draw_error_over(report, each) for each in fields], class_="charts")
    if report.importance:
        return join(_bars(report), over)
    words = "Fewer than eight trials have ended, or they are too alike, to say which field decides."
    return join(element("p", words, class_="empty"), over)


def _bars(report: SearchReport) -> Markup:
    rows = [
        element(
            "tr",
            element("th", name, scope="row"),
            element("td", percent(share, 0)),
            element(
                "td",
                element(
                    "span",
                    element("i", class_="band", style=f"left:0;right:{100 - 100 * share:.1f}%"),
                    class_="bar",
                ),
                class_="bars",
            ),
        )
        for name, share in report.importance.items()
    ]
    return element("table", element("tbody", *rows), class_="classes importance")


def _draw_error_over(report: SearchReport, field: SearchedField) -> Markup | None:
    name = field.field
    shown = [e for e in report.ended if e.error is not None and name in e.values]
    if not shown:
        return None
    plot = Plot(
        title=f"Error over {name}",
        sentence=f"{counted(len(shown), 'trial')}; {_best_in_words(report)}",
        x=axis_of_field(field),
        y=axis_over("validation error", map(_error, shown), "percent"),
        dots=[_dot(report, each, each.values[name], _error(each)) for each in shown],
    )
    return draw_plot(plot)


def draw_pairs(report: SearchReport) -> Markup:
    """Draw the trials over each two of the fields that decide most."""
    fields = most_important(report)[:_MOST_PAIRED]
    pairs = [(b, a) for a, b in itertools.combinations(fields, 2)]
    if not pairs:
        return element("p", "One field moves, so there are no pairs.", class_="empty")
    return element("div", *[draw_plot(_pair(report, x, y)) for x, y in pairs], class_="charts")


def draw_argument(
    report: SearchReport, layouts: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Markup:
    """Draw random search and a grid with the same number of trials, side by side.

    Args:
        report: the study; where it was drawn at random or by a grid, its own trials are shown.
        layouts: under "random" and "grid" the values that each would try.
    """
    fields = most_important(report)
    if len(fields) < 2:
        words = "One field moves: here a grid tries as many values of it as random search does."
        return element("p", words, class_="empty")
    figures = [_layout(report, name, layouts[name], fields) for name in ("random", "grid")]
    return join(
        element("div", *figures, class_="charts"),
        element("p", _argument_in_words(layouts, fields[0].field, report), class_="about-figures"),
    )


def most_important(report: SearchReport) -> list[SearchedField]:
    """Return the fields that always move, those that decide most first."""
    always = [each for each in report.space if each.only_with is None]
    order = list(report.importance)
    places = {name: i for i, name in enumerate(order)}
    return sorted(always, key=lambda each: places.get(each.field, len(order)))


def _layout(
    report: SearchReport,
    name: str,
    values: Sequence[Mapping[str, Any]],
    fields: Sequence[SearchedField],
) -> Markup:
    """Draw what one sampler tries of the two fields that decide most."""
    x, y = fields[0].field, fields[1].field
    own = report.sampler == name
    if own:
        trials = [each for each in report.ended if x in each.values and y in each.values]
        dots = [_dot(report, each, each.values[x], each.values[y]) for each in trials]
    else:
        places = [(each[x], each[y]) for each in values if x in each and y in each]
        title = f"{x} {{}}, {y} {{}}"
        dots = [Dot(a, b, title.format(_shown(a), _shown(b)), strength=None) for a, b in places]
    tried = list(dict.fromkeys(dot.x for dot in dots))
    kind = "Random search" if name == "random" else "Grid"
    plot = Plot(
        title=f"{kind}: {counted(len(dots), 'trial')}, {counted(len(tried), 'value')} of {x}"
        + ("" if own else ", not run here"),
        sentence=f"The marks under the axis are the values of {x} that were tried.",
        x=axis_of_field(fields[0]),
        y=axis_of_field(fields[1]),
        dots=dots,
        rug=tried,
        height=300,
    )
    return draw_plot(plot)


def _argument_in_words(
    layouts: Mapping[str, Sequence[Mapping[str, Any]]], field: str, report: SearchReport
) -> str:
    tried = {name: len({each.get(field) for each in values}) for name, values in layouts.items()}
    decides = f" {field} decides most here." if report.importance else ""
    return (
        f"With as many trials, random search tries {tried['random']} values of {field} and a grid "
        f"{tried['grid']}, since a grid repeats each of them for every value of the other fields."
        f"{decides} Dark dots have a low error, crosses failed, hollow dots were not run."
    )


def _pair(report: SearchReport, x: SearchedField, y: SearchedField) -> Plot:
    trials = [e for e in report.ended if x.field in e.values and y.field in e.values]
    return Plot(
        title=f"{y.field} over {x.field}",
        sentence=f"{counted(len(trials), 'trial')}; dark dots have a low validation error.",
        x=axis_of_field(x),
        y=axis_of_field(y),
        dots=[_dot(report, each, each.values[x.field], each.values[y.field]) for each in trials],
    )


def _dot(report: SearchReport, trial: TrialRecord, x: Any, y: Any) -> Dot:
    """Return a trial as a point: the lower its error among all, the darker."""
    errors = sorted(_error(each) for each in report.ended if each.error is not None)
    rank = errors.index(trial.error) / max(len(errors) - 1, 1) if trial.error is not None else 1.0
    return Dot(
        x,
        y,
        _words(trial),
        strength=1 - 0.88 * rank,
        cross=trial.state == "failed",
        ring=report.best is not None and trial.number == report.best.number,
    )


def _error(trial: TrialRecord) -> float:
    assert trial.error is not None
    return trial.error


def _best_in_words(report: SearchReport) -> str:
    if report.best is None:
        return "None came to its end."
    return f"The best is {percent(report.best.error)}, trial {report.best.number}."


def _states(report: SearchReport) -> str:
    states = [each.state for each in report.trials]
    return ", ".join(f"{states.count(each)} {each}" for each in dict.fromkeys(states))


def _words(trial: TrialRecord) -> str:
    values = ", ".join(f"{name} {_shown(value)}" for name, value in trial.values.items())
    error = trial.reason or percent(trial.error)
    return f"trial {trial.number}, {trial.state}: {error}; {values}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)
