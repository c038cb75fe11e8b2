"""Reports of `describe`, `import`, `export` and `weights` on a console of 100 columns."""

from __future__ import annotations

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from alexnet.records import (
    ExportReport,
    ImportReport,
    LayerSummary,
    ModelList,
    NetworkSummary,
    PublishedWeights,
    WeightsDownload,
    WeightsList,
)
from alexnet.text import format_bytes, format_count

__all__ = ["print_list", "render_describe", "render_export", "render_import", "render_weights"]


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
    names: dict[str, list[str]] = {}
    for layer in layers:
        if layer.details:
            names.setdefault(layer.details, []).append(layer.name)
    return [f"{', '.join(layer_names)}: {details}." for details, layer_names in names.items()]


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


def render_weights(report: WeightsList | WeightsDownload, console: Console) -> None:
    """Print the published weights, or what was downloaded."""
    if isinstance(report, WeightsDownload):
        _print_download(report, console)
        return
    for weights in report.weights:
        _print_published(weights, console)
    console.print(Text("Get one: alexnet weights get NAME. Then NAME stands for its weights:"))
    console.print(Text("alexnet finetune NAME photos"))
    console.print(
        Text(
            "From the model hub: alexnet weights get timm/NAME, where NAME is a ResNet of timm's "
            "in its plain form (resnet18 to resnet152, such as timm/resnet18.a1_in1k).",
            style="dim",
        )
    )


def _print_published(weights: PublishedWeights, console: Console) -> None:
    console.print(Text(weights.name, style="bold"))
    for name, value in (
        ("task", weights.task),
        ("model", weights.model),
        ("takes", f"{weights.input_px} x {weights.input_px} pixels" if weights.input_px else ""),
        ("accuracy", _accuracy(weights)),
        ("size", _published_size(weights)),
        ("license", weights.license),
        ("source", weights.source),
        ("hash", _published_hash(weights.sha256)),
    ):
        if value:
            # An address stays in one piece, however narrow the console is: it is to be copied.
            whole = name in ("source", "hash")
            console.print(Text(f"  {name:<8} {value}"), soft_wrap=whole)


def _accuracy(weights: PublishedWeights) -> str:
    shares = ((weights.top1, "top-1"), (weights.top5, "top-5"))
    figures = ", ".join(f"{share:.1%} {kind}" for share, kind in shares if share is not None)
    if not figures:
        return "not published"
    crops = f"{format_count(weights.crops, 'crop')}; " if weights.crops else ""
    return f"{figures} ({crops}{weights.figures_from or 'the publisher'})"


def _published_size(weights: PublishedWeights) -> str:
    size = f"{weights.size_mb:,.0f} MB" if weights.size_mb >= 10 else f"{weights.size_mb:.1f} MB"
    return size if weights.size_known else f"about {size} (counted from its weights)"


def _published_hash(digest: str) -> str:
    """Say what of a file's hash was published."""
    from alexnet.weights.published_hash import PublishedHash

    known = PublishedHash.parse(digest)
    return known.words if known else "none is published: get it with --unverified"


def _print_download(report: WeightsDownload, console: Console) -> None:
    size = f"{decimal(report.downloaded)} downloaded" if report.downloaded else "it was there"
    console.print(Text(f"{report.file} ({decimal(report.bytes)}, {size})"))
    console.print(Text(f"SHA-256 {report.sha256}"))
    if report.weights:
        console.print(Text(f"Weights: {report.weights}"))
        print_list(report.remarks, console)
        console.print(Text(f"Use it: alexnet finetune {report.name} SOURCE"))
    else:
        console.print(Text(f"{_BY_HAND[report.format].format(report.file)}"))
    console.print(Text(f"License: {report.license}"))


_BY_HAND = {
    "archive": (
        "It is an archive: unpack it (tar xf {}), and name the .prototxt, .caffemodel and mean "
        "that lie in it: alexnet import FILES --out weights.safetensors"
    ),
    "caffe alone": (
        "Its description (deploy.prototxt) is published apart, without a hash. Fetch that too, "
        "then: alexnet import {} deploy.prototxt --mean 103.939,116.779,123.68 "
        "--out weights.safetensors"
    ),
}
"""What to do with files that are not taken in by themselves, by their format."""
