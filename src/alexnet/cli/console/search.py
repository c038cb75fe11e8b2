"""Reports of `search` and `tune` on a console."""

from __future__ import annotations

import statistics

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.records import SearchedField, SearchReport, TrialCost, TuneReport
from alexnet.text import format_count, format_duration

__all__ = ["render_search", "render_tune"]

_MAX_TRIALS = 5  # of the table, the best first


def render_search(report: SearchReport, console: Console) -> None:
    """Print the best trial first, then the next ones, the importance of fields, and the files."""
    if report.dry_run:
        _print_dry_run(report, console)
        return
    _print_best(report, console)
    console.print(_trials_table(report))
    if report.importance:
        values = ", ".join(f"{name} {value:.0%}" for name, value in report.importance.items())
        console.print(Text(f"Importance: {values}."))
    if report.retrained:
        _print_retrained(report, console)
    files = (("recipe", report.best_recipe), ("report", report.report), ("study", report.storage))
    for name, path in files:
        if path:
            console.print(Text(f"{name:<8} {path}"), soft_wrap=True)


def _print_best(report: SearchReport, console: Console) -> None:
    states = [trial.state for trial in report.trials]
    counts = ", ".join(
        f"{sum(each == state for each in states)} {state}"
        for state in ("complete", "pruned", "failed", "running")
        if state in states
    )
    best = report.best
    if best is None or best.val_error is None:
        console.print(Text(f"No trial is complete ({counts or 'none was started'})."))
        return
    console.print(
        Text.assemble(
            (f"{best.val_error:.2%}", "bold"),
            f" lowest validation error, trial {best.number} of "
            f"{format_count(len(report.trials), 'trial')} ({counts}), "
            f"{format_duration(report.seconds)}.",
        )
    )
    if not report.done:
        console.print(f"{report.n_trials} trials were asked for; the same command continues.")


def _trials_table(report: SearchReport) -> Table:
    table = Table(box=None, pad_edge=False)
    fields = [field.field for field in report.space]
    for name in ("trial", "val error", *fields):
        table.add_column(name, justify="right")
    complete = [t for t in report.trials if t.state == "complete" and t.val_error is not None]
    for trial in sorted(complete, key=lambda trial: trial.val_error or 0.0)[:_MAX_TRIALS]:
        params = [_format(trial.params.get(name)) for name in fields]
        table.add_row(str(trial.number), f"{trial.val_error or 0.0:.2%}", *params)
    return table


def _print_retrained(report: SearchReport, console: Console) -> None:
    errors = [run.error for run in report.retrained if run.error is not None]
    if not errors:
        return
    split = report.retrained[0].split
    deviation = f" ± {statistics.stdev(errors):.2%}" if len(errors) > 1 else ""
    remark = "" if split == "test" else ", which chose the recipe, too: there is no test split"
    console.print(
        Text.assemble(
            (f"{statistics.mean(errors):.2%}{deviation}", "bold"),
            f" error on {format_count(report.retrained[0].images, f'{split} image')}{remark}; the "
            f"best recipe trained with {format_count(len(errors), 'other seed')}.",
        )
    )


def _print_dry_run(report: SearchReport, console: Console) -> None:
    console.print(
        f"{format_count(report.n_trials, 'trial')} of {report.model}, sampler {report.sampler}, "
        f"pruner {report.pruner}. The search space:"
    )
    table = Table(box=None, pad_edge=False)
    for name in ("field", "values", "scale", "recipe"):
        table.add_column(name)
    for field in report.space:
        scale = " ".join(filter(None, [field.scale, "integer" if field.integer else None]))
        condition = f" (with {field.condition})" if field.condition else ""
        table.add_row(field.field, _domain(field) + condition, scale, _format(field.default))
    console.print(table)
    if report.cost:
        _print_cost(report.cost, report.n_trials, console)
    console.print("Nothing was trained or written. Without --dry-run the search begins.")


def _print_cost(cost: TrialCost, n_trials: int, console: Console) -> None:
    epochs, images = format_count(cost.epochs, "epoch"), format_count(cost.train_images, "image")
    console.print(
        f"A trial is {epochs} of {images}, each followed by "
        f"{format_count(cost.val_images, 'validation image')}: about "
        f"{format_duration(cost.seconds)} here at {cost.images_per_s:,.0f} images/s. "
        f"All of them: at most about {format_duration(n_trials * cost.seconds)} with one worker, "
        "less what is pruned."
    )


def _domain(field: SearchedField) -> str:
    if field.choices is not None:
        return ", ".join(map(_format, field.choices))
    return f"{_format(field.low)} to {_format(field.high)}"


def _format(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def render_tune(report: TuneReport, console: Console) -> None:
    """Print the suggested rate first, then the reason, then where the chart is."""
    console.print(
        Text.assemble(
            (f"{report.lr:g}", "bold"),
            f" is the suggested learning rate of {report.model} at batch size {report.batch_size} "
            f"({len(report.lrs)} steps, {format_duration(report.seconds)}).",
        )
    )
    console.print(Text(report.reason))
    console.print(Text(f"chart  {report.page}"), soft_wrap=True)
