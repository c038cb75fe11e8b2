"""How a training report reads on a screen."""

from __future__ import annotations

from rich.console import Console

from alexnet.cli.session import TrainReport

__all__ = ["render"]


def render(report: TrainReport, console: Console) -> None:
    """Write what a training came to: the figure first, then where everything lies."""
    if report.already_finished:
        console.print("This run is finished; nothing was left to do.")
    if report.results is not None:
        results = report.results
        low, high = results.top1_interval.low, results.top1_interval.high
        console.print(
            f"[bold]{results.top1:.2%}[/] right on {results.images:,} {report.split} pictures "
            f"(95 % interval {low:.2%} to {high:.2%}, one centre crop)"
        )
        if len(results.classes) > 5:
            console.print(f"{results.top5:.2%} have the right class among the first five")
    elif report.split is None:
        console.print("No pictures were held out, so nothing was measured.")
    console.print(
        f"{report.epochs} epochs, best {report.best_epoch}; ended because {report.ended}. "
        f"{report.images_per_s:,.0f} images/s, {_duration(report.seconds)} in all"
        + (f", at most {report.peak_memory_mb:,.0f} MB" if report.peak_memory_mb else "")
        + "."
    )
    if report.skipped:
        console.print(f"{report.skipped} pictures could not be read: see {report.run}/skipped.csv")
    console.print(f"weights  {report.weights}", soft_wrap=True)
    if report.report:
        console.print(f"report   {report.report}", soft_wrap=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
