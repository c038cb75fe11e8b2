"""Results, predictions, features and heads on a console."""

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
from alexnet.text import (
    FEW_IMAGES,
    describe_reliability,
    format_count,
    format_duration,
    quote_names,
)

__all__ = [
    "format_accuracy",
    "format_balanced",
    "format_doubt",
    "render_features",
    "render_predictions",
    "render_results",
]

_MAX_CLASSES = 30  # of the table; of more, the worst
_MAX_MATRIX = 12  # classes of a confusion matrix; of more, the most frequent confusions
_MAX_LISTED = 5  # files and classes


def render_results(results: Results, console: Console) -> None:
    """Print metrics with intervals, the classes, and the confusions."""
    console.print(_metrics(results))
    if doubt := format_doubt(results):
        console.print(doubt, soft_wrap=True)
    console.print()
    _print_classes(results, console)
    console.print()
    if len(results.classes) <= _MAX_MATRIX:
        _print_confusion_matrix(results, console)
    else:
        _print_confusions(results, console)
    if results.missing_classes:
        names = quote_names(results.missing_classes, _MAX_LISTED)
        count = len(results.missing_classes)
        console.print(Text(f"Classes of the weights without images here ({count}): {names}."))
    _print_unreadable(results.unreadable, console)


def render_predictions(predictions: Predictions, console: Console) -> None:
    """Print a row for each image: its path and its most probable classes.

    Nothing where the rows went to standard output already, which is theirs alone.
    """
    if predictions.csv == STDOUT:
        return
    table = Table("image", "prediction", box=None, pad_edge=False)
    table.add_column("probability", justify="right")
    for prediction in predictions.predictions:
        _add_prediction(table, prediction, predictions)
    console.print(table)
    count, crops = format_count(len(predictions.predictions), "image"), _crops(predictions.crops)
    threshold = predictions.reject_below
    rejected = f"; none of these under {threshold:.1%}" if threshold is not None else ""
    console.print(Text(f"{count}, {crops}{rejected}.", style="dim"))
    if predictions.csv:
        console.print(Text(f"Written to {predictions.csv}."))


def render_features(report: FeaturesReport | HeadReport, console: Console) -> None:
    """Print what was written and where, or how a head on the features was fitted."""
    if isinstance(report, HeadReport):
        _print_head(report, console)
        return
    console.print(
        Text(
            f"{format_count(report.images, 'image')}, {report.feature_dim:,} features each from "
            f"{report.layer} ({_crops(report.crops)}), written to {report.out}."
        )
    )
    _print_unreadable(report.unreadable, console)


def format_accuracy(results: Results, split: str) -> Text:
    """Return "81.30% accuracy on 40 val images (95 % interval ...)"."""
    low, high = results.top1_interval.low, results.top1_interval.high
    return Text.assemble(
        (f"{results.top1:.2%}", "bold"),
        f" accuracy on {format_count(results.images, f'{split} image')} "
        f"(95 % interval {low:.2%} to {high:.2%}, {_crops(results.crops)})",
    )


def format_doubt(results: Results) -> Text | None:
    """Return how little an accuracy says that was measured on few images; None: on enough."""
    if results.images >= FEW_IMAGES:
        return None
    interval = results.top1_interval
    return Text(describe_reliability(results.images, interval.low, interval.high), style="yellow")


def format_balanced(results: Results) -> Text:
    """Return "75.00% balanced accuracy (...); always "cat" would be right on 92.00 %"."""
    measured = sum(score.images > 0 for score in results.per_class)
    mean = "mean over classes"
    if measured < len(results.per_class):
        mean = f"mean over the {measured} of {len(results.per_class)} classes that have images here"
    return Text(
        f"{results.balanced_accuracy:.2%} balanced accuracy ({mean}); always the largest class, "
        f"{quote_names([results.majority_class])}, would be right on {results.majority_rate:.2%}"
    )


def _metrics(results: Results) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")

    def accuracy(value: float, interval: Interval) -> tuple[str, str]:
        return f"{value:.2%}", f"95 % interval {interval.low:.2%} to {interval.high:.2%}"

    table.add_row("top-1 accuracy", *accuracy(results.top1, results.top1_interval))
    table.add_row("top-5 accuracy", *accuracy(results.top5, results.top5_interval))
    measured = sum(score.images > 0 for score in results.per_class)
    whole = measured == len(results.per_class)
    mean = "mean over classes" if whole else f"mean over the {measured} classes that have images"
    table.add_row("balanced accuracy", f"{results.balanced_accuracy:.2%}", mean)
    largest = quote_names([results.majority_class])
    table.add_row("majority rate", f"{results.majority_rate:.2%}", f"always {largest}, the largest")
    table.add_row("loss", f"{results.loss:.4f}", "nats")
    if results.calibration_error is not None:
        gap = "mean gap between the prediction's probability and the accuracy"
        table.add_row("calibration error", f"{results.calibration_error:.2%}", gap)
    table.add_row("images", f"{results.images:,}", _crops(results.crops))
    return table


def _print_classes(results: Results, console: Console) -> None:
    """Print a row for each class that has images, or for the worst of many."""
    scores = [score for score in results.per_class if score.images]
    count = len(scores)
    if count > _MAX_CLASSES:
        scores = sorted(scores, key=lambda score: score.recall or 0.0)[: _MAX_CLASSES // 2]
        console.print(Text(f"the {len(scores)} classes of {count} with the lowest recall", "dim"))
    table = Table("class", box=None, pad_edge=False)
    for name in ("images", "recall", "top-5 recall", "precision"):
        table.add_column(name, justify="right")
    for score in scores:
        table.add_row(*_class_cells(score))
    console.print(table)


def _class_cells(score: ClassScore) -> list[Text]:
    values = (score.recall, score.top5, score.precision)
    cells = [Text(score.name), Text(f"{score.images:,}")]
    return cells + [Text("-" if value is None else f"{value:.1%}") for value in values]


def _print_confusion_matrix(results: Results, console: Console) -> None:
    """Print a row for each true class, a column for each predicted class."""
    console.print(Text("true class (row), predicted class (column, by number)", style="dim"))
    table = Table("class", box=None, pad_edge=False)
    for i in range(len(results.classes)):
        table.add_column(str(i + 1), justify="right")
    for i, (name, row) in enumerate(zip(results.classes, results.confusion, strict=True)):
        cells = [Text(str(n), style=_cell_style(i == j, n)) for j, n in enumerate(row)]
        table.add_row(Text(f"{i + 1} {name}"), *cells)
    console.print(table)


def _cell_style(correct: bool, count: int) -> str:
    if not count:
        return "dim"
    return "green" if correct else "red"


def _print_confusions(results: Results, console: Console) -> None:
    """Print the pairs of classes that are confused most often."""
    pairs = [
        (count, name, results.classes[j])
        for i, (name, row) in enumerate(zip(results.classes, results.confusion, strict=True))
        for j, count in enumerate(row)
        if count and i != j
    ]
    table = Table("true class", "predicted class", box=None, pad_edge=False)
    table.add_column("images", justify="right")
    for count, true, predicted in sorted(pairs, key=lambda pair: -pair[0])[:10]:
        table.add_row(Text(true), Text(predicted), f"{count:,}")
    if pairs:
        console.print(Text("most frequent confusions", style="dim"))
        console.print(table)


def _add_prediction(table: Table, prediction: Prediction, predictions: Predictions) -> None:
    path = Text(prediction.path, overflow="fold")
    if prediction.error is not None:
        table.add_row(path, Text(prediction.error, style="red"), "")
        return
    if prediction.rejected:
        table.add_row(path, Text("none of these", style="yellow"), "")
        path = Text("")
    for name, probability in zip(prediction.classes, prediction.probabilities, strict=True):
        words = predictions.class_words.get(name)
        label = f"{name} ({words})" if words else name
        table.add_row(path, Text(label), f"{probability:.2%}")
        path = Text("")


_MEASURED_BY = {
    "split": "Measured on a split that the head was not fitted on:",
    "held-out tenth": "Measured on a tenth of the images before the head learned from all of them:",
    "cross-validation": "Measured by cross-validation, each image by a head fitted without it and "
    "what belongs to it; the head itself learned from all of them:",
}


def _print_head(report: HeadReport, console: Console) -> None:
    _print_candidates(report, console)
    console.print(
        Text(
            f"{report.kind} head on {report.feature_dim:,} features of {report.layer}, fitted on "
            f"{format_count(report.images, 'image')} in {format_duration(report.seconds)}: "
            f"{_format_parameters(report.best_parameters)}."
        )
    )
    if report.results is None:
        console.print("No images were held out, so nothing was evaluated.")
    else:
        console.print(Text(_MEASURED_BY[report.measured_by]), soft_wrap=True)
        console.print(format_accuracy(report.results, report.split or "cross-validated"))
        console.print(format_balanced(report.results), soft_wrap=True)
        if doubt := format_doubt(report.results):
            console.print(doubt, soft_wrap=True)
    console.print(Text(f"weights  {report.out}"), soft_wrap=True)
    _print_unreadable(report.unreadable, console)


def _print_candidates(report: HeadReport, console: Console) -> None:
    """Print a row for each choice of parameters, the best one in bold."""
    table = Table("parameters", box=None, pad_edge=False)
    table.add_column("accuracy", justify="right")
    table.add_column("deviation", justify="right")
    for candidate in report.candidates:
        best = candidate.parameters == report.best_parameters
        table.add_row(
            Text(_format_parameters(candidate.parameters), style="bold" if best else ""),
            f"{candidate.top1:.2%}",
            f"{candidate.top1_std:.2%}",
        )
    console.print(table)
    folds = f"{report.folds} folds of {format_count(report.search_images, 'training image')}"
    console.print(Text(f"cross-validation on {folds}", style="dim"))


def _print_unreadable(unreadable: list[tuple[str, str]], console: Console) -> None:
    """Print the first of the images that could not be read, if there are any."""
    if not unreadable:
        return
    console.print(Text(f"Left out because they cannot be read: {len(unreadable)}", style="yellow"))
    for path, reason in unreadable[:_MAX_LISTED]:
        console.print(Text(f"  {path}: {reason}"))
    if len(unreadable) > _MAX_LISTED:
        console.print(Text(f"  and {len(unreadable) - _MAX_LISTED} more (all with --json)"))


def _crops(count: int) -> str:
    return "center crop" if count == 1 else f"mean of {count} crops"


def _format_parameters(parameters: dict[str, object]) -> str:
    return ", ".join(f"{name} {_format_value(value)}" for name, value in parameters.items())


def _format_value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
    return f"{value:g}" if isinstance(value, float) else str(value)
