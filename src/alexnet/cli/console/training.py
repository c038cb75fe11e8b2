"""How a training report reads on a screen."""

from __future__ import annotations

import shlex
from pathlib import PurePath

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.records import (
    Compared,
    DemoReport,
    FinetuneReport,
    Prediction,
    Results,
    TrainReport,
)
from alexnet.text import counted, format_duration

__all__ = ["render_demo", "render_finetune", "render_train"]


def render_train(report: TrainReport, console: Console) -> None:
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
            f"{format_duration(report.seconds)} in all"
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


def render_demo(report: DemoReport, console: Console) -> None:
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
            f"{format_duration(trained.seconds)}, {trained.images_per_s:,.0f} pictures a second."
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


def render_finetune(report: FinetuneReport, console: Console) -> None:
    """Write what came out, and the table of ways where they were compared."""
    render_train(report, console)
    measured = [each.results for each in report.compared if each.results]
    if not measured:
        return
    console.print()
    table = Table("way", box=None, pad_edge=False)
    for name in ("right", "95 % interval", "taught in"):
        table.add_column(name, justify="right")
    for each in report.compared:
        table.add_row(*_cells(each))
    console.print(table)
    for each in report.compared:
        if each.remark:
            console.print(Text(f"{each.name}: {each.remark}", style="yellow"))
    crops = measured[0].crops
    views = "centre crop" if crops == 1 else f"mean of {crops} crops"
    pictures = counted(measured[0].images, f"{report.split or 'held-out'} picture")
    console.print(Text(f"the same {pictures}, {views}", style="dim"))
    if report.split == "val":
        chosen = "Trained networks are those of the epoch that was best on these pictures, which "
        console.print(Text(f"{chosen}flatters them a little; a folder test does not.", style="dim"))


def _cells(way: Compared) -> tuple[str, str, str, str]:
    if way.results is None:
        return way.name, "-", "-", "-"
    interval = way.results.top1_interval
    bounds = f"{interval.low:.2%} to {interval.high:.2%}"
    return way.name, f"{way.results.top1:.2%}", bounds, format_duration(way.seconds)
