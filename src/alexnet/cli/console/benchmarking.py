"""The report of `bench` on a console of 100 columns."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.cli.console.models import print_list
from alexnet.records import BenchReport, Throughput
from alexnet.text import format_arithmetic, format_count

__all__ = ["render_bench"]


def render_bench(report: BenchReport, console: Console) -> None:
    """Print the machine, its limits, the throughput, and the advice."""
    arithmetic = format_arithmetic(report.precision, report.convolutions)
    console.print(Text(f"{report.processor}: {arithmetic}, {_setup(report)}."))
    for phrase in (report.precision_reason, report.loading):
        console.print(Text(f"{phrase[:1].upper()}{phrase[1:]}."))
    console.print()
    console.print(_limits_table(report))
    console.print()
    console.print(_throughput_table(report))
    console.print()
    print_list(report.advice, console)
    written = f" Written to {report.out}." if report.out else ""
    console.print(Text(f"{report.seconds:.0f} s.{written}", style="dim"))


def _setup(report: BenchReport) -> str:
    threads = f"{format_count(report.threads, 'thread')} on {format_count(report.cores, 'core')}"
    layers = f", convolutions: {report.convolution_layers}" if report.convolution_layers else ""
    form = f", normalization {report.normalization}" if report.normalization else ""
    return f"{threads}, torch {report.torch}{layers}{form}"


def _limits_table(report: BenchReport) -> Table:
    table = Table("limits of this machine", box=None, pad_edge=False)
    table.add_column("", justify="right")
    for limit in report.limits:
        table.add_row(Text(limit.name), Text(f"{_format(limit.max)} {limit.unit}"))
    return table


def _throughput_table(report: BenchReport) -> Table:
    sizes = (
        f"{report.model}, batch {report.batch_size}, {report.crop_px} of {report.image_px} pixels"
    )
    table = Table(sizes, box=None, pad_edge=False)
    for name in ("images/s", "min to max", "limit", "reached"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("limited by")
    for throughput in report.throughputs:
        table.add_row(*_throughput_row(throughput))
    return table


def _throughput_row(throughput: Throughput) -> tuple[Text, ...]:
    limit, utilization = throughput.limit, throughput.utilization
    cells = (
        throughput.name,
        _format(throughput.median),
        f"{_format(throughput.min)} to {_format(throughput.max)}",
        "" if limit is None else _format(limit),
        "" if utilization is None else f"{100 * utilization:.0f} %",
        "" if limit is None else throughput.limited_by,
    )
    return tuple(Text(cell) for cell in cells)


def _format(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 1000 else f"{rate:,.1f}"
