"""Reports of `train`, `finetune` and `demo` on a console."""

from __future__ import annotations

import shlex
from pathlib import PurePath

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.cli.console.evaluation import format_accuracy, format_balanced, format_doubt
from alexnet.records import Baseline, DemoReport, FinetuneReport, Prediction, TrainReport
from alexnet.text import format_count, format_duration

__all__ = ["render_demo", "render_finetune", "render_train"]

_NAMES = {"cross-validation": "cross-validated"}  # of what stands for a split, before "images"


def render_train(report: TrainReport, console: Console) -> None:
    """Print the accuracy first, then how the training went, then where everything is."""
    if report.already_finished:
        console.print("This run is finished; nothing was left to do.")
    results = report.results
    if results is None:
        console.print("No images were held out, so nothing was evaluated.")
    else:
        split = report.split or "held-out"
        console.print(format_accuracy(results, _NAMES.get(split, split)))
        if len(results.classes) > 5:
            console.print(f"{results.top5:.2%} top-5 accuracy")
        console.print(format_balanced(results), soft_wrap=True)
        if doubt := format_doubt(results):
            console.print(doubt, soft_wrap=True)
    _print_ways(report, console)
    memory = report.peak_memory_mb
    trained = (
        f"{format_count(report.epochs, 'epoch')}, best {_best(report)}; ended because "
        f"{report.stop_reason}. {report.images_per_s:,.0f} images/s, "
        f"{format_duration(report.seconds)} in all"
    )
    if not report.epochs:
        trained = report.stop_reason[:1].upper() + report.stop_reason[1:]
    console.print(Text(f"{trained}{f', at most {memory:,.0f} MB' if memory else ''}."))
    if report.skipped:
        listed = f"see {report.run_dir}/skipped.csv"
        console.print(Text(f"{format_count(report.skipped, 'image')} could not be read: {listed}"))
    for warning in report.warnings:
        console.print(Text(warning, style="yellow"), soft_wrap=True)
    console.print(Text(f"weights  {report.weights}"), soft_wrap=True)
    if report.report:
        console.print(Text(f"report   {report.report}"), soft_wrap=True)


def _best(report: TrainReport) -> str:
    if report.epochs and not report.best_epoch:
        return "0, the fitted last layer alone"
    return str(report.best_epoch)


def _print_ways(report: TrainReport, console: Console) -> None:
    """Print what was tried and which way was chosen; nothing where there was no choice."""
    if not report.ways:
        return
    crossed = report.cross_validation
    if crossed is not None and report.split != "cross-validation":
        console.print(format_accuracy(crossed, "cross-validated"))
    table = Table("way", box=None, pad_edge=False)
    for name in ("accuracy", "mean loss", "tried in", ""):
        table.add_column(name, justify="right")
    for way in report.ways:
        mark = "chosen" if way.chosen else ""
        seconds = format_duration(way.seconds)
        table.add_row(way.name, f"{way.top1:.1%}", f"{way.loss:.3f}", seconds, mark)
    console.print(table)
    console.print(Text(f"{report.why}. Another way: --from scratch, --from WEIGHTS.", style="dim"))


def render_finetune(report: FinetuneReport, console: Console) -> None:
    """Print the training, and the table of baselines where they were compared."""
    render_train(report, console)
    results = [baseline.results for baseline in report.baselines if baseline.results]
    if not results:
        return
    console.print()
    table = Table("classifier", box=None, pad_edge=False)
    for name in ("accuracy", "95 % interval", "balanced", "trained in"):
        table.add_column(name, justify="right")
    for baseline in report.baselines:
        table.add_row(*_baseline_cells(baseline))
    console.print(table)
    for baseline in report.baselines:
        if baseline.remark:
            console.print(Text(f"{baseline.name}: {baseline.remark}", style="yellow"))
    tuned = results[-1]  # as the others that are networks
    crops = "center crop" if tuned.crops == 1 else f"mean of {tuned.crops} crops"
    images = format_count(tuned.images, f"{report.split or 'held-out'} image")
    console.print(Text(f"the same {images}, {crops}", style="dim"))
    if report.split == "val":
        bias = "The epochs of trained networks were chosen on these images, so that their accuracy "
        console.print(
            Text(f"{bias}is a little optimistic; that on a test split is not.", style="dim")
        )


def _baseline_cells(baseline: Baseline) -> tuple[str, str, str, str, str]:
    if baseline.results is None:
        return baseline.name, "-", "-", "-", "-"
    interval = baseline.results.top1_interval
    bounds = f"{interval.low:.2%} to {interval.high:.2%}"
    top1, balanced = f"{baseline.results.top1:.2%}", f"{baseline.results.balanced_accuracy:.2%}"
    return baseline.name, top1, bounds, balanced, format_duration(baseline.seconds)


def render_demo(report: DemoReport, console: Console) -> None:
    """Print the accuracy first, some predictions, then the files and the next commands."""
    _print_summary(report, console)
    console.print()
    console.print(_predictions_table(report))
    console.print()
    for line in _files(report):
        console.print(line, soft_wrap=True)
    console.print()
    console.print(Text("Try next", style="bold"))
    for line in _next_commands(report):
        console.print(line, soft_wrap=True)


def _print_summary(report: DemoReport, console: Console) -> None:
    results, trained = report.results, report.train
    low, high = results.top1_interval.low, results.top1_interval.high
    if trained.already_finished:
        console.print(
            Text(
                "This demo has run before; its results are shown. Again: alexnet demo --folder NEW"
            )
        )
    console.print(
        Text.assemble(
            (f"{results.top1:.1%}", "bold"),
            f" accuracy on {results.images:,} handwritten digits that the network was not trained "
            f"on (95 % interval {low:.1%} to {high:.1%}).",
        )
    )
    console.print(
        Text(
            f"{report.model} was trained on {report.splits['train']:,} others (a tenth of them "
            f"for validation, which chose the best of {trained.epochs} epochs) in "
            f"{format_duration(trained.seconds)}, {trained.images_per_s:,.0f} images/s."
        )
    )


def _predictions_table(report: DemoReport) -> Table:
    """Return the label and the prediction of the first held-out image of each digit."""
    predictions = report.predictions.predictions
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    for _ in predictions:
        table.add_column(justify="right", min_width=4)
    table.add_row("label", *[Text(_label(each)) for each in predictions])
    table.add_row("prediction", *[_predicted(each) for each in predictions])
    table.add_row("probability", *[Text(f"{each.probabilities[0]:.0%}") for each in predictions])
    return table


def _label(prediction: Prediction) -> str:
    return PurePath(prediction.path).parent.name


def _predicted(prediction: Prediction) -> Text:
    name = prediction.classes[0]
    return Text(name, style="green" if name == _label(prediction) else "red")


def _files(report: DemoReport) -> list[Text]:
    files = (
        ("report", report.train.report, "open it in a browser"),
        ("images", report.images, "a folder for each digit"),
        ("weights", report.train.weights, "one file, enough by itself"),
    )
    return [
        Text.assemble((f"{name:<10}", "dim"), path, (f"  ({remark})", "dim"))
        for name, path, remark in files
        if path is not None
    ]


def _next_commands(report: DemoReport) -> list[Text]:
    images, run = shlex.quote(report.images), shlex.quote(report.train.run_dir)
    commands = (
        ("predictions for each 8", f"predict {run} {images}/test/8"),
        ("mean of five crops", f"evaluate {run} {images} --crops 5"),
        ("the network by layers", f"describe {report.model}"),
        ("your own images", "train FOLDER"),
    )
    return [
        Text.assemble((f"  {title:<24}", "dim"), f"alexnet {command}")
        for title, command in commands
    ]
