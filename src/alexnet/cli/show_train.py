"""How a training report reads on a screen."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from alexnet.cli.durations import in_words
from alexnet.records import Results, TrainReport
from alexnet.words import counted

__all__ = ["render"]


def render(report: TrainReport, console: Console) -> None:
    """Write what a training came to: the figure first, then where everything lies."""
    if report.already_finished:
        console.print("This run is finished; nothing was left to do.")
    if report.results is None:
        console.print("No pictures were held out, so nothing was measured.")
    else:
        _show_figures(report.results, report.split or "held-out", console)
    memory = report.peak_memory_mb
    console.print(
        Text(
            f"{counted(report.epochs, 'epoch')}, best {report.best_epoch}; ended because "
            f"{report.ended}. {report.images_per_s:,.0f} images/s, "
            f"{in_words(report.seconds)} in all"
            f"{f', at most {memory:,.0f} MB' if memory else ''}."
        )
    )
    if report.skipped:
        listed = f"see {report.run}/skipped.csv"
        console.print(Text(f"{counted(report.skipped, 'picture')} could not be read: {listed}"))
    console.print(Text(f"weights  {report.weights}"), soft_wrap=True)
    if report.report:
        console.print(Text(f"report   {report.report}"), soft_wrap=True)


def _show_figures(results: Results, split: str, console: Console) -> None:
    low, high = results.top1_interval.low, results.top1_interval.high
    console.print(
        Text.assemble(
            (f"{results.top1:.2%}", "bold"),
            f" right on {counted(results.images, f'{split} picture')} "
            f"(95 % interval {low:.2%} to {high:.2%}, one centre crop)",
        )
    )
    if len(results.classes) > 5:
        console.print(f"{results.top5:.2%} have the right class among the first five")
