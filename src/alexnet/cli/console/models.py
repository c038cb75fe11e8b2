"""Reports of `describe`, `import` and `export` on a console of 100 columns."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.records import (
    ExportReport,
    ImportReport,
    LayerSummary,
    ModelList,
    NetworkSummary,
)
from alexnet.text import format_bytes, format_count

__all__ = ["print_list", "render_describe", "render_export", "render_import"]


def render_describe(summary: NetworkSummary | ModelList, console: Console) -> None:
    """Print a network layer by layer, or the list of models."""
    if isinstance(summary, ModelList):
        _print_models(summary, console)
        return
    activation = "no activations" if summary.activation == "none" else summary.activation
    console.print(Text(f"{summary.model}: {summary.summary}", style="bold"))
    console.print(
        Text(
            f"Crops of {summary.crop_px} x {summary.crop_px} pixels out of images of "
            f"{summary.image_px} ({summary.inputs:,} inputs), {summary.classes:,} classes, "
            f"{activation}. Last hidden layer: {summary.features_layer}."
        )
    )
    console.print()
    console.print(_layers_table(summary))
    legend = "window: kernel/stride/padding. Multiply-adds of convolutions and matrix products"
    console.print(Text(f"{legend}, for one crop.", style="dim"))
    coverage = [layer.coverage for layer in summary.layers if layer.coverage]
    for title, sentences in (
        ("Settings", _settings(summary.layers)),
        ("Coverage", coverage),
        ("Convolutions", _forms(summary)),
        ("Differences from the paper", summary.notes),
        ("Images", summary.images),
    ):
        if sentences:
            console.print()
            console.print(Text(title, style="bold"))
            print_list(sentences, console)


def print_list(sentences: list[str], console: Console) -> None:
    """Print sentences with a dash in front of each, folded beside it."""
    for sentence in sentences:
        grid = Table.grid(padding=(0, 1))
        grid.add_row("-", Text(sentence))
        console.print(grid)


def _print_models(models: ModelList, console: Console) -> None:
    table = Table("model", box=None, pad_edge=False)
    for name in ("crop", "parameters"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("summary")
    for model in models.models:
        table.add_row(
            Text(model.name, no_wrap=True),
            f"{model.crop_px} of {model.image_px}",
            f"{model.parameters:,}",
            Text(model.summary),
        )
    console.print(table)
    console.print(Text("Layer by layer: alexnet describe MODEL", style="dim"))


def _layers_table(summary: NetworkSummary) -> Table:
    table = Table("layer", "kind", box=None, pad_edge=False, show_footer=True)
    for name in ("window", "towers", "output"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, total in (
        ("neurons", summary.neurons),
        ("parameters", summary.parameters),
        ("multiply-adds", summary.multiply_adds),
    ):
        footer = Text(f"{total:,}", style="bold")
        table.add_column(name, footer, justify="right", no_wrap=True)
    table.columns[0].footer = Text("total", style="bold")
    for layer in summary.layers:
        table.add_row(*_layer_row(layer))
    return table


def _layer_row(layer: LayerSummary) -> list[Text]:
    counts = (layer.neurons, layer.parameters, layer.multiply_adds)
    cells = (
        layer.name,
        layer.kind,
        f"{layer.kernel}/{layer.stride}/{layer.padding}" if layer.kernel else "",
        str(layer.towers) if layer.towers > 1 else "",
        " x ".join(f"{size:,}" for size in layer.output),
        *(f"{count:,}" if count else "" for count in counts),
    )
    style = "" if layer.parameters else "dim"
    return [Text(cell, style=style) for cell in cells]


def _settings(layers: list[LayerSummary]) -> list[str]:
    """Return a sentence for each setting, with all layers that have it."""
    return _with_layers((layer.name, layer.details) for layer in layers)


def _forms(summary: NetworkSummary) -> list[str]:
    """Say which convolutions have a form with fewer multiplications, how many, and why not."""
    if summary.convolutions is None:
        return []
    if not any(layer.tile for layer in summary.layers):
        where = ""
    else:
        where = ", where training and predicting find Winograd's form the fastest on this machine"
    forms = _with_layers((layer.name, _form(layer)) for layer in summary.layers)
    return [f"{summary.convolutions}{where}.", *forms]


def _form(layer: LayerSummary) -> str | None:
    if layer.torch_because is not None:
        return f"by torch, since {layer.torch_because}"
    if layer.tile is None:
        return None
    tile = f"{layer.tile} x {layer.tile} outputs a tile"
    return f"{tile}, {layer.saving:.1f} times fewer multiplications"


def _with_layers(phrases: Iterable[tuple[str, str | None]]) -> list[str]:
    """Return a sentence for each phrase, with the names of all layers that have it."""
    names: dict[str, list[str]] = {}
    for name, phrase in phrases:
        if phrase:
            names.setdefault(phrase, []).append(name)
    return [f"{', '.join(layer_names)}: {phrase}." for phrase, layer_names in names.items()]


def render_export(report: ExportReport, console: Console) -> None:
    """Print what was written, its input and output, and how it was verified."""
    size, classes = format_bytes(report.bytes), format_count(report.classes, "class", "classes")
    images = format_count(report.images, "image")
    images += " (synthetic)" if report.synthetic_images else ""
    form = f"{report.format}, {report.precision}, {size}"
    lines = [
        f"{report.out}: {report.model} for {classes} as {form}.",
        f"Input: {report.input}; output: {report.output}.",
        f"Verified with {report.runtime} on {images}: {_differences(report)}.",
    ]
    if report.quantized_share is not None:
        lines.append(f"Quantized: {report.quantized_share:.1%} of the multiply-adds.")
    if report.top1_before is not None and report.top1_after is not None:
        lines.append(
            f"Top-1 accuracy: {report.top1_before:.2%} before, {report.top1_after:.2%} after; "
            f"top-5: {report.top5_before:.2%} before, {report.top5_after:.2%} after."
        )
    if report.test_vectors is not None:
        lines.append(f"Test vectors, and how to use them: {report.test_vectors}/README.md")
    for line in lines:
        console.print(Text(line))


def _differences(report: ExportReport) -> str:
    tolerance = f" (tolerance {report.tolerance:g})"
    outputs, shift = ("", tolerance) if report.precision == "int8" else (tolerance, "")
    return (
        f"outputs differ by at most {report.max_difference:.2g}{outputs}, "
        f"{report.probability_shift:.2g} of the probability moves{shift}, "
        f"the same class for {report.same_class:,}"
    )


def render_import(report: ImportReport, console: Console) -> None:
    """Print what was read, its preprocessing, and what was assumed."""
    classes = format_count(len(report.classes), "class", "classes")
    console.print(
        Text(
            f"{report.name} ({report.format}) as {report.model}: {report.parameters:,} parameters, "
            f"{classes}, written to {report.out}."
        )
    )
    means = {None: "no mean", "image": "minus a mean image", "channel": "minus a mean"}
    scale = ", not scaled" if report.scale is None else f", times {report.scale:.9g}"
    console.print(
        Text(
            f"Preprocessing: {report.resize_mode} to {report.image_px} pixels, crop of "
            f"{report.crop_px}, {report.channel_order}, {means[report.mean]}{scale}."
        )
    )
    print_list(report.remarks, console)
    console.print(Text(f"Evaluate it: alexnet evaluate {report.out} SOURCE"))
