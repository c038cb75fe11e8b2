"""How a learning-rate range test reads on a screen."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from alexnet.cli.durations import in_words
from alexnet.search_records import TuneReport

__all__ = ["render"]


def render(report: TuneReport, console: Console) -> None:
    """Write the number first, then why, then where the picture is."""
    console.print(
        Text.assemble(
            (f"{report.lr:g}", "bold"),
            f" is suggested as learning rate of {report.model} at batch {report.batch} "
            f"({len(report.rates)} steps, {in_words(report.seconds)}).",
        )
    )
    console.print(Text(report.reason))
    console.print(Text(f"picture  {report.page}"), soft_wrap=True)
