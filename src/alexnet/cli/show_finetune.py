"""How a report of fine-tuning reads on a screen: as any training, and beside other ways."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.cli.durations import in_words
from alexnet.cli.show_train import render as show_train
from alexnet.transfer_records import Compared, FinetuneReport
from alexnet.words import counted

__all__ = ["render"]


def render(report: FinetuneReport, console: Console) -> None:
    """Write what came out, and the table of ways where they were compared."""
    show_train(report, console)
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
    return way.name, f"{way.results.top1:.2%}", bounds, in_words(way.seconds)
