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
    for line in _places(report):
        console.print(line, soft_wrap=True)
    console.print()
    console.print(Text("Try next", style="bold"))
    for line in _next_commands(report):
        console.print(line, soft_wrap=True)


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
            f"The network, {report.model}, learned from {report.splits['train']:,} others (a tenth "
            f"of them chose the best of its {trained.epochs} epochs) in "
            f"{in_words(trained.seconds)}, {trained.images_per_s:,.0f} pictures a second."
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


def _places(report: DemoReport) -> list[Text]:
    places = (
        ("report", report.train.report, "open it in a browser"),
        ("pictures", report.pictures, "a folder for each digit"),
        ("weights", report.train.weights, "one file, enough by itself"),
    )
    return [
        Text.assemble((f"{name:<10}", "dim"), place, (f"  ({why})", "dim"))
        for name, place, why in places
        if place is not None
    ]


def _next_commands(report: DemoReport) -> list[Text]:
    pictures, run = shlex.quote(report.pictures), shlex.quote(report.train.run)
    commands = (
        ("what it sees in each 8", f"predict {run} {pictures}/test/8"),
        ("mean of five crops", f"evaluate {run} {pictures} --crops 5"),
        ("the network by layers", f"describe {report.model}"),
        ("your own pictures", "train FOLDER"),
    )
    return [
        Text.assemble((f"  {why:<24}", "dim"), f"alexnet {command}") for why, command in commands
    ]
