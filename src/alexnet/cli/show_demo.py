"""How the demonstration ends on a screen: what happened, where it lies, what to try next."""

from __future__ import annotations

import shlex
from pathlib import PurePath

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.cli.durations import in_words
from alexnet.records import DemoReport, Prediction

__all__ = ["render"]


def render(report: DemoReport, console: Console) -> None:
    """Write the figure first, some answers, then the places and the next commands."""
    _tell(report, console)
    console.print()
    console.print(_answers(report))
    console.print()
    console.print(_places(report))
    console.print()
    console.print(Text("Try next", style="bold"))
    console.print(_next_commands(report))


def _tell(report: DemoReport, console: Console) -> None:
    results, trained = report.results, report.train
    low, high = results.top1_interval.low, results.top1_interval.high
    if trained.already_finished:
        console.print(
            Text("This was done before, and is only shown again. Anew: alexnet demo --folder NEW")
        )
    console.print(
        Text.assemble(
            (f"{results.top1:.1%}", "bold"),
            f" of {results.images:,} handwritten digits that it never saw are answered right "
            f"(95 % interval {low:.1%} to {high:.1%}).",
        )
    )
    console.print(
        Text(
            f"The network, {report.model}, learned from {report.splits['train']:,} others in "
            f"{in_words(trained.seconds)}: {trained.epochs} epochs, "
            f"{trained.images_per_s:,.0f} pictures a second."
        )
    )


def _answers(report: DemoReport) -> Table:
    """Return the first held-out picture of each digit: what it is, and what was answered."""
    found = report.predictions.predictions
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    for _ in found:
        table.add_column(justify="right", min_width=4)
    table.add_row("digit", *[Text(_truth(each)) for each in found])
    table.add_row("answered", *[_answer(each) for each in found])
    table.add_row("sure", *[Text(f"{each.probabilities[0]:.0%}") for each in found])
    return table


def _truth(prediction: Prediction) -> str:
    return PurePath(prediction.path).parent.name


def _answer(prediction: Prediction) -> Text:
    answer = prediction.classes[0]
    return Text(answer, style="green" if answer == _truth(prediction) else "red")


def _places(report: DemoReport) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    if report.train.report:
        table.add_row("report", Text(report.train.report, style="bold"), "open it in a browser")
    table.add_row("pictures", Text(report.pictures), "a folder for each digit")
    table.add_row("weights", Text(report.train.weights), "one file, enough by itself")
    return table


def _next_commands(report: DemoReport) -> Table:
    pictures, run = shlex.quote(report.pictures), shlex.quote(report.train.run)
    commands = (
        (f"predict {run} {pictures}/test/8", "what it sees in each of these"),
        (f"evaluate {run} {pictures} --crops 5", "five crops of each picture, averaged"),
        (f"describe {report.model}", "the network, layer by layer"),
        ("train FOLDER", "your own pictures, a folder for each class"),
    )
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(style="dim")
    for command, why in commands:
        table.add_row(Text(f"  alexnet {command}"), why)
    return table
