"""Results, predictions and features reports as tables for a console."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.commands.predict import STDOUT
from alexnet.records import (
    ClassScore,
    FeaturesReport,
    HeadReport,
    Interval,
    Prediction,
    Predictions,
    Results,
)
from alexnet.text import counted, format_duration, some

__all__ = [
    "render_features",
    "render_results",
    "show_features",
    "show_predictions",
    "show_results",
    "show_unreadable",
]

_CLASSES = 30  # a longer per-class table shows its worst classes alone
_MATRIX = 12  # a wider confusion matrix is told by its most frequent mistakes
_LISTED = 5  # file and class names in a remark


def render_results(record: Results | Predictions | FeaturesReport, console: Console) -> None:
    """Print any of the three."""
    match record:
        case Results():
            show_results(console, record)
        case Predictions():
            show_predictions(console, record)
        case FeaturesReport():
            show_features(console, record)


def show_results(console: Console, results: Results) -> None:
    """Print figures with intervals, the classes, and what was taken for what."""
    console.print(_headline(results))
    console.print()
    _show_classes(console, results)
    console.print()
    if len(results.classes) <= _MATRIX:
        _show_matrix(console, results)
    else:
        _show_mistakes(console, results)
    if results.missing_classes:
        names = some(results.missing_classes, _LISTED)
        count = len(results.missing_classes)
        console.print(
            Text(f"Not among these pictures, though the weights know them ({count}): {names}.")
        )
    show_unreadable(console, results.unreadable)


def show_predictions(console: Console, predictions: Predictions) -> None:
    """Print a row for each picture: its path and its most probable classes.

    Nothing where the rows went to standard output already, which is theirs alone.
    """
    if predictions.csv == STDOUT:
        return
    table = Table("picture", "answer", box=None, pad_edge=False)
    table.add_column("probability", justify="right")
    for each in predictions.predictions:
        _add_prediction(table, each, predictions)
    console.print(table)
    count, views = counted(len(predictions.predictions), "picture"), _crops(predictions.crops)
    limit = predictions.reject_below
    under = f"; under {limit:.1%} the answer is none of these" if limit is not None else ""
    console.print(Text(f"{count}, {views}{under}.", style="dim"))
    if predictions.csv:
        console.print(Text(f"Written to {predictions.csv}."))


def show_features(console: Console, report: FeaturesReport) -> None:
    """Print what was written and where."""
    console.print(
        Text(
            f"{counted(report.images, 'picture')}, {report.numbers:,} numbers each from "
            f"{report.layer} ({_crops(report.crops)}), written to {report.out}."
        )
    )
    show_unreadable(console, report.unreadable)


def _headline(results: Results) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")

    def share(value: float, interval: Interval) -> tuple[str, str]:
        return f"{value:.2%}", f"95 % interval {interval.low:.2%} to {interval.high:.2%}"

    table.add_row("top-1", *share(results.top1, results.top1_interval))
    table.add_row("top-5", *share(results.top5, results.top5_interval))
    table.add_row("balanced accuracy", f"{results.balanced_accuracy:.2%}", "mean over classes")
    table.add_row("loss", f"{results.loss:.4f}", "nats")
    table.add_row("pictures", f"{results.images:,}", _crops(results.crops))
    return table


def _show_classes(console: Console, results: Results) -> None:
    """Print a row for each class that is there, or for the worst of many."""
    there = [each for each in results.per_class if each.images]
    shown = there
    if len(there) > _CLASSES:
        shown = sorted(there, key=lambda each: each.recall or 0.0)[: _CLASSES // 2]
        console.print(Text(f"the {len(shown)} hardest of {len(there)} classes", style="dim"))
    table = Table("class", box=None, pad_edge=False)
    for name in ("pictures", "right (top-1)", "right in top-5", "right when answered"):
        table.add_column(name, justify="right")
    for each in shown:
        table.add_row(*_class_cells(each))
    console.print(table)


def _class_cells(each: ClassScore) -> list[Text]:
    shares = (each.recall, each.top5, each.precision)
    cells = [Text(each.name), Text(f"{each.images:,}")]
    return cells + [Text("-" if value is None else f"{value:.1%}") for value in shares]


def _show_matrix(console: Console, results: Results) -> None:
    """Print the confusion matrix: a row for each true class, a column for each answer."""
    console.print(Text("true class (row), answered class (column, by number)", style="dim"))
    table = Table("class", box=None, pad_edge=False)
    for i in range(len(results.classes)):
        table.add_column(str(i + 1), justify="right")
    for i, (name, row) in enumerate(zip(results.classes, results.confusion, strict=True)):
        cells = [Text(str(n), style=_cell_style(i == j, n)) for j, n in enumerate(row)]
        table.add_row(Text(f"{i + 1} {name}"), *cells)
    console.print(table)


def _cell_style(right: bool, count: int) -> str:
    if not count:
        return "dim"
    return "green" if right else "red"


def _show_mistakes(console: Console, results: Results) -> None:
    """Print the pairs of classes that are mixed up most often."""
    pairs = [
        (count, name, results.classes[j])
        for i, (name, row) in enumerate(zip(results.classes, results.confusion, strict=True))
        for j, count in enumerate(row)
        if count and i != j
    ]
    table = Table("class", "taken for", box=None, pad_edge=False)
    table.add_column("times", justify="right")
    for count, name, answer in sorted(pairs, key=lambda pair: -pair[0])[:10]:
        table.add_row(Text(name), Text(answer), f"{count:,}")
    if pairs:
        console.print(Text("most frequent mistakes", style="dim"))
        console.print(table)


def _add_prediction(table: Table, each: Prediction, predictions: Predictions) -> None:
    path = Text(each.path, overflow="fold")
    if each.error is not None:
        table.add_row(path, Text(each.error, style="red"), "")
        return
    if each.rejected:
        table.add_row(path, Text("none of these", style="yellow"), "")
        path = Text("")
    for name, probability in zip(each.classes, each.probabilities, strict=True):
        words = predictions.class_words.get(name)
        answer = f"{name} ({words})" if words else name
        table.add_row(path, Text(answer), f"{probability:.2%}")
        path = Text("")


def show_unreadable(console: Console, unreadable: list[tuple[str, str]]) -> None:
    """Print the first of the pictures that could not be read, if there are any."""
    if not unreadable:
        return
    console.print(Text(f"Left out because they cannot be read: {len(unreadable)}", style="yellow"))
    for path, reason in unreadable[:_LISTED]:
        console.print(Text(f"  {path}: {reason}"))
    if len(unreadable) > _LISTED:
        console.print(Text(f"  and {len(unreadable) - _LISTED} more (all with --json)"))


def _crops(count: int) -> str:
    return "centre crop" if count == 1 else f"mean of {count} crops"


def render_features(record: FeaturesReport | HeadReport, console: Console) -> None:
    """Print either record."""
    if isinstance(record, FeaturesReport):
        show_features(console, record)
        return
    _show_candidates(console, record)
    console.print(
        Text(
            f"{record.kind} head on {record.numbers:,} numbers of {record.layer}, taught with "
            f"{counted(record.images, 'picture')} in {format_duration(record.seconds)}: "
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
