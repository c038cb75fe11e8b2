"""Trials as dots over the fields of a search space, and the axes of those fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from alexnet.records import SearchedField, SearchReport, TrialRecord
from alexnet.reporting.charts.painter import (
    CORRECT,
    WRONG,
    name_upright_axis,
    number_ticks,
    percent_ticks,
)
from alexnet.reporting.html.format import escape_controls, percent
from alexnet.text import format_setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "DOT_SIZE",
    "Dot",
    "TrialDots",
    "axis_value",
    "describe_trial",
    "error_axis",
    "field_axis",
    "val_error",
]

DOT_SIZE, _BEST_DOT = 50, 100  # square points


class Dot(NamedTuple):
    """A trial at a place of a chart."""

    x: Any
    y: Any
    trial: TrialRecord


class TrialDots:
    """Trials as dots: the lower the error the darker, failed ones as crosses, the best one ringed.

    Args:
        report: the study.
    """

    def __init__(self, report: SearchReport) -> None:
        self.report = report
        measured = [trial for trial in report.finished if trial.val_error is not None]
        self.errors = sorted(map(val_error, measured))

    def draw(self, axes: Axes, dots: Sequence[Dot]) -> dict[str, list[str]]:
        """Draw trials at their places; return the words of each dot by the gid of its kind."""
        tips: dict[str, list[str]] = {}
        kinds: dict[str, dict[str, Any]] = {
            "failed": {"marker": "x", "s": DOT_SIZE, "color": WRONG},
            "trials": {"s": DOT_SIZE, "edgecolors": CORRECT, "linewidths": 0.75},
            "best": {"s": _BEST_DOT, "edgecolors": WRONG, "linewidths": 2},
        }
        for kind, style in kinds.items():
            drawn = [dot for dot in dots if self._kind(dot.trial) == kind]
            if not drawn:
                continue
            if kind != "failed":
                style["c"] = [(CORRECT, self._strength(dot.trial)) for dot in drawn]
            x, y = [dot.x for dot in drawn], [dot.y for dot in drawn]
            axes.scatter(x, y, gid=kind, clip_on=False, zorder=3, **style)
            tips[kind] = [describe_trial(dot.trial) for dot in drawn]
        return tips

    def _kind(self, trial: TrialRecord) -> str:
        if trial.state == "failed":
            return "failed"
        return "best" if self.is_best(trial) else "trials"

    def is_best(self, trial: TrialRecord) -> bool:
        """Whether a trial is the best of the study."""
        return self.report.best is not None and trial.number == self.report.best.number

    def _strength(self, trial: TrialRecord) -> float:
        """Return how dark a trial's dot is: 1 for the lowest error of all, 0.12 for the highest."""
        if trial.val_error is None:
            return 0.12
        return 1 - 0.88 * self.errors.index(trial.val_error) / max(len(self.errors) - 1, 1)


def field_axis(axes: Axes, side: str, field: SearchedField) -> None:
    """Show all that a field may be: its range in its scale, or its choices one by one."""
    axis = axes.xaxis if side == "x" else axes.yaxis
    if field.choices is not None:
        names = [escape_controls(format_setting(choice)) for choice in field.choices]
        axis.set_ticks(range(len(names)), labels=names)
        axes.set(**{f"{side}lim": (-0.5, len(names) - 0.5)})
        return
    scale = "log" if field.scale == "log" else "linear"
    axes.set(**{f"{side}scale": scale, f"{side}lim": (field.low, field.high)})
    number_ticks(axis, whole=field.integer)


def axis_value(field: SearchedField, value: Any) -> float:
    """Return where a value stands on the axis of its field."""
    return float(value) if field.choices is None else float(field.choices.index(value))


def error_axis(axes: Axes, xlabel: str) -> None:
    """Name both axes of a chart whose upright one is the validation error."""
    axes.set_xlabel(xlabel)
    name_upright_axis(axes, "validation error")
    percent_ticks(axes.yaxis)


def val_error(trial: TrialRecord) -> float:
    """Return the validation error of a trial that has one."""
    assert trial.val_error is not None
    return trial.val_error


def describe_trial(trial: TrialRecord) -> str:
    """Return a trial in words: number, state, error or reason, hyperparameters."""
    values = ", ".join(f"{name} {format_setting(value)}" for name, value in trial.params.items())
    return (
        f"trial {trial.number}, {trial.state}: {trial.reason or percent(trial.val_error)}; {values}"
    )
