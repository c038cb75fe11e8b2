"""What `features` wrote, or the head that learnt on them, as text for a console."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.cli.durations import in_words
from alexnet.cli.show_results import show_features, show_unreadable
from alexnet.records import FeaturesReport
from alexnet.transfer_records import HeadReport
from alexnet.words import counted

__all__ = ["render"]


def render(record: FeaturesReport | HeadReport, console: Console) -> None:
    """Print either record."""
    if isinstance(record, FeaturesReport):
        show_features(console, record)
        return
    _show_candidates(console, record)
    console.print(
        Text(
            f"{record.kind} head on {record.numbers:,} numbers of {record.layer}, taught with "
            f"{counted(record.images, 'picture')} in {in_words(record.seconds)}: "
            f"{_in_words(record.chosen)}."
        )
    )
    results = record.results
    if results is None:
        console.print("No pictures were held out, so nothing was measured.")
    else:
        low, high = results.top1_interval.low, results.top1_interval.high
        crops = "centre crop" if results.crops == 1 else f"mean of {results.crops} crops"
        console.print(
            Text.assemble(
                (f"{results.top1:.2%}", "bold"),
                f" right on {counted(results.images, f'{record.split} picture')} "
                f"(95 % interval {low:.2%} to {high:.2%}, {crops})",
            )
        )
    console.print(Text(f"weights  {record.out}"), soft_wrap=True)
    show_unreadable(console, record.unreadable)


def _show_candidates(console: Console, record: HeadReport) -> None:
    """Print a row for each choice of parameters, the chosen one marked."""
    table = Table("parameters", box=None, pad_edge=False)
    table.add_column("right", justify="right")
    table.add_column("deviation", justify="right")
    for each in record.candidates:
        chosen = each.parameters == record.chosen
        table.add_row(
            Text(_in_words(each.parameters), style="bold" if chosen else ""),
            f"{each.top1:.2%}",
            f"{each.deviation:.2%}",
        )
    console.print(table)
    where = f"{record.folds} folds of {counted(record.searched_on, 'training picture')}"
    console.print(Text(f"cross-validation on {where}", style="dim"))


def _in_words(parameters: dict[str, object]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in parameters.items())


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
    return f"{value:g}" if isinstance(value, float) else str(value)
