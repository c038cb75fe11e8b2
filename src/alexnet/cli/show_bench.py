"""What `bench` measured, as text for a console of 100 columns."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.speed_records import BenchReport, SpeedFigure
from alexnet.words import counted

__all__ = ["render"]

_THOUSAND = 1000


def render(report: BenchReport, console: Console) -> None:
    """Print the machine, its limits, what is reached, and what to do."""
    console.print(Text(f"{report.processor}: {report.precision}, {_how(report)}."))
    for said in (report.reason, report.feeding):
        console.print(Text(f"{said[:1].upper()}{said[1:]}."))
    console.print()
    most = Table("this machine, at most", box=None, pad_edge=False)
    most.add_column("", justify="right")
    for each in report.limits:
        most.add_row(Text(each.name), Text(f"{_number(each.value)} {each.unit}"))
    console.print(most)
    console.print()
    sizes = f"{report.model}, batch {report.batch}, {report.crop_px} of {report.image_px} pixels"
    table = Table(sizes, box=None, pad_edge=False)
    for name in ("images/s", "least to most", "at most", "reached"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("limited by")
    for each in report.figures:
        table.add_row(*_row(each))
    console.print(table)
    console.print()
    for sentence in report.advice:
        grid = Table.grid(padding=(0, 1))
        grid.add_row("-", Text(sentence))
        console.print(grid)
    written = f" Written to {report.out}." if report.out else ""
    console.print(Text(f"{report.seconds:.0f} s.{written}", style="dim"))


def _how(report: BenchReport) -> str:
    form = f", normalisation {report.normalisation}" if report.normalisation else ""
    of = f"{counted(report.threads, 'thread')} on {counted(report.cores, 'core')}"
    return f"{of}, torch {report.torch}{form}"


def _row(figure: SpeedFigure) -> tuple[Text, ...]:
    share = figure.share
    cells = (
        figure.name,
        _number(figure.value),
        f"{_number(figure.least)} to {_number(figure.most)}",
        "" if figure.limit is None else _number(figure.limit),
        "" if share is None else f"{100 * share:.0f} %",
        "" if figure.limit is None else figure.limited_by,
    )
    return tuple(Text(cell) for cell in cells)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= _THOUSAND else f"{value:,.1f}"
