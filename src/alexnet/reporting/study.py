"""The report of a study: the best trial, every trial, which fields matter, the best recipe."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet.files import write_csv
from alexnet.records import SearchReport
from alexnet.reporting.charts.trials import StudyCharts
from alexnet.reporting.html.format import percent
from alexnet.reporting.html.render import render, write_page
from alexnet.text import format_count

__all__ = ["draw_study", "write_study_report"]

Layouts = Mapping[str, Sequence[Mapping[str, Any]]]
"""Under "random" and "grid" the values that each would try in as many trials."""


def write_study_report(folder: Path, report: SearchReport, layouts: Layouts) -> Path:
    """Write `report/index.html`, that opens from disk, and `report/trials.csv`.

    Args:
        folder: of the study.
        report: what was tried and found.
        layouts: the values that random search and a grid would try in as many trials.

    Returns:
        The page.

    Raises:
        RunError: the disk refuses.
    """
    page = write_page(folder / "report" / "index.html", draw_study(report, layouts))
    write_csv(folder / "report" / "trials.csv", _rows(report), name_errors="backslashreplace")
    return page


def draw_study(report: SearchReport, layouts: Layouts) -> str:
    """Draw the whole page; arguments as for `write_study_report`."""
    charts = StudyCharts(report, layouts)
    best = report.best
    return render(
        "study.html",
        report=report,
        title=report.source.replace("\\", "/").rstrip("/").rpartition("/")[2],
        best=None if best is None or best.val_error is None else best,
        headline=_headline(report),
        remarks=_remarks(report),
        charts={
            "best_so_far": charts.best_so_far(),
            "curves": charts.curves(),
            "error_over_fields": charts.error_over_fields(),
            "samplers": charts.samplers(),
            "pairs": charts.pairs(),
        },
        first_field=charts.fields[0].field if charts.fields else "",
        tried=charts.values_tried(),
        train_command=_train_command(report),
    )


def _headline(report: SearchReport) -> dict[str, str]:
    states = [trial.state for trial in report.trials]
    return {
        "trials": f"{len(report.trials)} of {report.n_trials}",
        **{state: str(states.count(state)) for state in dict.fromkeys(states)},
        "sampler": report.sampler,
        "pruner": report.pruner,
        "epochs of a trial": str(report.epochs),
    }


def _remarks(report: SearchReport) -> list[str]:
    flatters = (
        "The validation images chose among the trials, so the lowest error flatters: a test "
        "split that no trial has seen gives a fair figure (--retrain)."
    )
    notes = [_describe_retrained(report) if report.retrained else flatters]
    if not report.done:
        notes.append("The study is not done; the same command goes on with it.")
    return notes


def _describe_retrained(report: SearchReport) -> str:
    errors = [run.error for run in report.retrained if run.error is not None]
    deviation = f" ± {percent(statistics.stdev(errors), 2)}" if len(errors) > 1 else ""
    first = report.retrained[0]
    return (
        f"Trained again with {format_count(len(errors), 'other seed')}, the best recipe has "
        f"{percent(statistics.mean(errors), 2)}{deviation} error on "
        f"{format_count(first.images, f'{first.split} image')}."
    )


def _train_command(report: SearchReport) -> str | None:
    if report.best_recipe is None:
        return None
    return f"alexnet train {shlex.quote(report.source)} --recipe {shlex.quote(report.best_recipe)}"


def _rows(report: SearchReport) -> Iterable[Sequence[object]]:
    fields = [field.field for field in report.space]
    yield ["trial", "state", "val_error", "val_loss", *fields, "epochs", "seconds", "reason", "run"]
    for trial in report.trials:
        values = [trial.params.get(name) for name in fields]
        beside = [len(trial.curve), trial.seconds, trial.reason, trial.run_dir]
        yield [trial.number, trial.state, trial.val_error, trial.val_loss, *values, *beside]
