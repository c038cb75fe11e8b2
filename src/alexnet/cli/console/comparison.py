"""The report of `compare` on a console."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.records import ComparisonReport
from alexnet.reporting import describe_difference
from alexnet.text import format_count, format_duration, format_setting

__all__ = ["render_comparison"]


def render_comparison(report: ComparisonReport, console: Console) -> None:
    """Print a row for each classifier, a sentence for each pair, and the settings that differ."""
    console.print(Text(f"{format_count(report.images, 'image')}: {report.measured_on}"))
    console.print()
    console.print(_classifiers(report))
    console.print()
    for difference in report.differences:
        console.print(Text(describe_difference(difference)), soft_wrap=True)
    if report.settings:
        console.print()
        console.print(_settings(report))
    if report.page:
        console.print()
        console.print(Text(f"page  {report.page}"), soft_wrap=True)


def _classifiers(report: ComparisonReport) -> Table:
    table = Table("classifier", box=None, pad_edge=False)
    names = ("top-1", "95 % interval", "balanced", "loss", "calibration error", "trained in")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for each in report.classifiers:
        interval, error = each.top1_interval, each.calibration_error
        cells = (
            each.name,
            f"{each.top1:.2%}",
            f"{interval.low:.1%} to {interval.high:.1%}",
            f"{each.balanced_accuracy:.2%}",
            f"{each.loss:.4f}",
            "-" if error is None else f"{error:.2%}",
            "-" if each.seconds is None else format_duration(each.seconds),
        )
        table.add_row(*map(Text, cells))
    return table


def _settings(report: ComparisonReport) -> Table:
    table = Table("setting", box=None, pad_edge=False)
    for each in report.classifiers:
        table.add_column(Text(each.name), justify="right")
    for name, values in report.settings.items():
        table.add_row(Text(name), *(Text(format_setting(value)) for value in values))
    return table
