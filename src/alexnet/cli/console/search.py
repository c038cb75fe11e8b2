"""How a study reads on a screen: what moves, or what was found."""

from __future__ import annotations

import statistics

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.records import SearchedField, SearchReport, TrialCost, TuneReport
from alexnet.text import counted, format_duration

__all__ = ["render_search", "render_tune"]

_SHOWN = 5  # trials, the best first


def render_search(report: SearchReport, console: Console) -> None:
    """Write the best trial first, then the next ones, the fields that matter, and the places."""
    if report.dry_run:
        _show_plan(report, console)
        return
    _show_best(report, console)
    console.print(_table_of_trials(report))
    if report.importance:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in report.importance.items())
        console.print(Text(f"What decides: {shares}."))
    if report.retrained:
        _show_retrained(report, console)
    places = (("recipe", report.best_recipe), ("report", report.report), ("study", report.storage))
    for name, place in places:
        if place:
            console.print(Text(f"{name:<8} {place}"), soft_wrap=True)


def _show_best(report: SearchReport, console: Console) -> None:
    states = [each.state for each in report.trials]
    counts = ", ".join(
        f"{states.count(state)} {state}"  # type: ignore[arg-type]
        for state in ("complete", "pruned", "failed", "running")
        if state in states
    )
    best = report.best
    if best is None or best.error is None:
        console.print(Text(f"No trial came to its end ({counts or 'none was begun'})."))
        return
    console.print(
        Text.assemble(
            (f"{best.error:.2%}", "bold"),
            f" validation error at best, trial {best.number} of "
            f"{counted(len(report.trials), 'trial')} ({counts}), "
            f"{format_duration(report.seconds)}.",
        )
    )
    if not report.done:
        console.print(f"{report.wanted} were asked for; the same command goes on.")


def _table_of_trials(report: SearchReport) -> Table:
    table = Table(box=None, pad_edge=False)
    fields = [each.field for each in report.space]
    for name in ("trial", "val error", *fields):
        table.add_column(name, justify="right")
    ended = [each for each in report.trials if each.state == "complete" and each.error is not None]
    for each in sorted(ended, key=lambda trial: trial.error or 0.0)[:_SHOWN]:
        values = [_shown(each.values.get(name)) for name in fields]
        table.add_row(str(each.number), f"{each.error or 0.0:.2%}", *values)
    return table


def _show_retrained(report: SearchReport, console: Console) -> None:
    errors = [each.error for each in report.retrained if each.error is not None]
    if not errors:
        return
    split = report.retrained[0].split
    spread = f" ± {statistics.stdev(errors):.2%}" if len(errors) > 1 else ""
    remark = "" if split == "test" else ", which chose the recipe, too: there is no test split"
    console.print(
        Text.assemble(
            (f"{statistics.mean(errors):.2%}{spread}", "bold"),
            f" error on {counted(report.retrained[0].images, f'{split} picture')}{remark}; the "
            f"best recipe trained with {counted(len(errors), 'other seed')}.",
        )
    )


def _show_plan(report: SearchReport, console: Console) -> None:
    console.print(
        f"{counted(report.wanted, 'trial')} of {report.model}, sampler {report.sampler}, pruner "
        f"{report.pruner}. What moves:"
    )
    table = Table(box=None, pad_edge=False)
    for name in ("field", "values", "scale", "the recipe has"):
        table.add_column(name)
    for each in report.space:
        scale = " ".join(filter(None, [each.scale, "whole" if each.whole else None]))
        values = _values(each) + (f" (with {each.only_with})" if each.only_with else "")
        table.add_row(each.field, values, scale, _shown(each.usual))
    console.print(table)
    if report.cost:
        _show_cost(report.cost, report.wanted, console)
    console.print("Nothing was trained or written. Without --dry-run the search begins.")


def _show_cost(cost: TrialCost, wanted: int, console: Console) -> None:
    console.print(
        f"A trial is {counted(cost.epochs, 'epoch')} of {counted(cost.train_images, 'picture')}, "
        f"each followed by {counted(cost.val_images, 'validation picture')}: about "
        f"{format_duration(cost.seconds)} here at {cost.images_per_s:,.0f} images/s. "
        "All of them: at most "
        f"about {format_duration(wanted * cost.seconds)} with one worker, less what is pruned."
    )


def _values(field: SearchedField) -> str:
    if field.choices is not None:
        return ", ".join(map(_shown, field.choices))
    return f"{_shown(field.low)} to {_shown(field.high)}"


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def render_tune(report: TuneReport, console: Console) -> None:
    """Write the number first, then why, then where the picture is."""
    console.print(
        Text.assemble(
            (f"{report.lr:g}", "bold"),
            f" is suggested as learning rate of {report.model} at batch {report.batch} "
            f"({len(report.rates)} steps, {format_duration(report.seconds)}).",
        )
    )
    console.print(Text(report.reason))
    console.print(Text(f"picture  {report.page}"), soft_wrap=True)
