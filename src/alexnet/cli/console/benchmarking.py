"""The report of `bench` on a console of 100 columns."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.cli.console.models import print_list
from alexnet.records import BenchReport, SharedSteps, Throughput
from alexnet.text import format_arithmetic, format_bytes, format_count

__all__ = ["render_bench"]


def render_bench(report: BenchReport | SharedSteps, console: Console) -> None:
    """Print the machine, its limits, the throughput, and the advice; or steps of processes."""
    if isinstance(report, SharedSteps):
        console.print(_shared_table(report))
        return
    arithmetic = format_arithmetic(report.precision, report.convolutions)
    console.print(Text(f"{report.processor}: {arithmetic}, {_setup(report)}."))
    for phrase in (report.precision_reason, report.loading):
        console.print(Text(f"{phrase[:1].upper()}{phrase[1:]}."))
    console.print()
    console.print(_limits_table(report))
    console.print()
    console.print(_throughput_table(report))
    console.print()
    if report.shared:
        console.print(_shared_table(report.shared))
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


def _shared_table(shared: SharedSteps) -> Table:
    title = f"{shared.model}, batch {shared.batch_size}, {shared.processes} processes"
    table = Table(title, box=None, pad_edge=False)
    for name in ("seconds a step", "images/s", "sent by each", "waited", "loss"):
        table.add_column(name, justify="right", no_wrap=True)
    for way in shared.ways:
        cells = (
            f"--parallel {way.parallel}",
            f"{way.seconds:.3f}",
            _format(way.images_per_s),
            format_bytes(round(way.sent_bytes)),
            f"{way.waited_s:.3f} s",
            f"{way.loss:.7f}",
        )
        table.add_row(*map(Text, cells))
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
