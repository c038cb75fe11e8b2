"""A network's geometry, or the list of networks, as text for a console of 100 columns."""

from __future__ import annotations

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from alexnet.records import (
    BenchReport,
    ExportReport,
    Geometry,
    ImportReport,
    LayerGeometry,
    ModelList,
    PublishedWeights,
    SpeedFigure,
    WeightsDownload,
    WeightsList,
)
from alexnet.text import bytes_in_words, counted

__all__ = ["render_bench", "render_describe", "render_export", "render_import", "render_weights"]


def render_describe(record: Geometry | ModelList, console: Console) -> None:
    """Print either record."""
    if isinstance(record, ModelList):
        _show_models(console, record)
    else:
        _show_geometry(console, record)


def _show_models(console: Console, found: ModelList) -> None:
    table = Table("model", box=None, pad_edge=False)
    for name in ("crop", "parameters"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("what it is")
    for each in found.models:
        table.add_row(
            Text(each.name, no_wrap=True),
            f"{each.crop_px} of {each.image_px}",
            f"{each.parameters:,}",
            Text(each.summary),
        )
    console.print(table)
    console.print(Text("Layer by layer: alexnet describe MODEL", style="dim"))


def _show_geometry(console: Console, found: Geometry) -> None:
    console.print(Text(f"{found.model}: {found.summary}", style="bold"))
    console.print(
        Text(
            f"Crops of {found.crop_px} x {found.crop_px} pixels out of pictures of "
            f"{found.image_px} ({found.inputs:,} numbers), {found.classes:,} classes, "
            f"{found.activation}. Last hidden layer: {found.features_layer}."
        )
    )
    console.print()
    console.print(_table(found))
    console.print(
        Text(
            "window: kernel/stride/padding. Multiply-adds of convolutions and products, one crop.",
            style="dim",
        )
    )
    _show_sentences(console, "Settings", _settings(found.layers))
    _show_sentences(console, "Coverings", [each.covering for each in found.layers if each.covering])
    _show_sentences(console, "Beside the paper", found.notes)


def _table(found: Geometry) -> Table:
    table = Table("layer", "kind", box=None, pad_edge=False, show_footer=True)
    sums = (found.neurons, found.parameters, found.multiply_adds)
    for name in ("window", "towers", "output"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, total in zip(("neurons", "parameters", "multiply-adds"), sums, strict=True):
        footer = Text(f"{total:,}", style="bold")
        table.add_column(name, footer, justify="right", no_wrap=True)
    table.columns[0].footer = Text("total", style="bold")
    for each in found.layers:
        table.add_row(*_layer_row(each))
    return table


def _layer_row(each: LayerGeometry) -> list[Text]:
    window = f"{each.kernel}/{each.stride}/{each.padding}" if each.kernel else ""
    cells = (
        each.name,
        each.kind,
        window,
        str(each.towers) if each.towers > 1 else "",
        " x ".join(f"{size:,}" for size in each.output),
        *(f"{n:,}" if n else "" for n in (each.neurons, each.parameters, each.multiply_adds)),
    )
    style = "" if each.parameters else "dim"
    return [Text(cell, style=style) for cell in cells]


def _settings(layers: list[LayerGeometry]) -> list[str]:
    """Return a sentence for each setting, with all layers that have it."""
    by_words: dict[str, list[str]] = {}
    for each in layers:
        if each.details:
            by_words.setdefault(each.details, []).append(each.name)
    return [f"{', '.join(names)}: {words}." for words, names in by_words.items()]


def _show_sentences(console: Console, title: str, sentences: list[str]) -> None:
    if not sentences:
        return
    console.print()
    console.print(Text(title, style="bold"))
    for each in sentences:
        grid = Table.grid(padding=(0, 1))
        grid.add_row("-", Text(each))
        console.print(grid)


_THOUSAND = 1000


def render_bench(report: BenchReport, console: Console) -> None:
    """Print the machine, its limits, what is reached, and what to do."""
    console.print(Text(f"{report.processor}: {report.precision}, {_how(report)}."))
    for said in (report.reason, report.feeding):
        console.print(Text(f"{said[:1].upper()}{said[1:]}."))
    console.print()
    most = Table("this machine, at most", box=None, pad_edge=False)
    most.add_column("", justify="right")
    for each in report.limits:
        most.add_row(Text(each.name), Text(f"{_number(each.value)} {each.unit}"))
    console.print(most)
    console.print()
    sizes = f"{report.model}, batch {report.batch}, {report.crop_px} of {report.image_px} pixels"
    table = Table(sizes, box=None, pad_edge=False)
    for name in ("images/s", "least to most", "at most", "reached"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("limited by")
    for each in report.figures:
        table.add_row(*_speed_row(each))
    console.print(table)
    console.print()
    for sentence in report.advice:
        grid = Table.grid(padding=(0, 1))
        grid.add_row("-", Text(sentence))
        console.print(grid)
    written = f" Written to {report.out}." if report.out else ""
    console.print(Text(f"{report.seconds:.0f} s.{written}", style="dim"))


def _how(report: BenchReport) -> str:
    form = f", normalisation {report.normalisation}" if report.normalisation else ""
    of = f"{counted(report.threads, 'thread')} on {counted(report.cores, 'core')}"
    return f"{of}, torch {report.torch}{form}"


def _speed_row(figure: SpeedFigure) -> tuple[Text, ...]:
    share = figure.share
    cells = (
        figure.name,
        _number(figure.value),
        f"{_number(figure.least)} to {_number(figure.most)}",
        "" if figure.limit is None else _number(figure.limit),
        "" if share is None else f"{100 * share:.0f} %",
        "" if figure.limit is None else figure.limited_by,
    )
    return tuple(Text(cell) for cell in cells)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= _THOUSAND else f"{value:,.1f}"


def render_export(record: ExportReport, console: Console) -> None:
    """Print what was written, what it takes and gives, and how it was checked."""
    for line in _lines(record):
        console.print(Text(line))


def _lines(record: ExportReport) -> list[str]:
    size, classes = bytes_in_words(record.bytes), counted(record.classes, "class", "classes")
    what = f"{record.model} for {classes} as {record.format}, {record.precision}, {size}"
    pictures = f"{counted(record.pictures, 'picture')} ({'made' if record.made else 'given'})"
    lines = [
        f"{record.out}: {what}.",
        f"Takes {record.takes}; gives {record.gives}.",
        f"Checked with {record.runtime} on {pictures}: {_difference(record)}.",
    ]
    if record.top1_before is not None and record.top1_after is not None:
        lines.append(
            f"Right answers: {record.top1_before:.2%} before, {record.top1_after:.2%} after; among "
            f"five {record.top5_before:.2%} before, {record.top5_after:.2%} after."
        )
    if record.test_vectors is not None:
        lines.append(f"Test vectors, and the page on them: {record.test_vectors}/README.md")
    return lines


def _difference(record: ExportReport) -> str:
    bound = f" (bound {record.bound:g})"
    whole, mean = ("", bound) if record.precision == "int8" else (bound, "")
    return (
        f"numbers differ by at most {record.largest_difference:.2g}{whole}, "
        f"{record.moved:.2g} of the probability moves{mean}, "
        f"{record.same_class:,} times the same class"
    )


def render_import(record: ImportReport, console: Console) -> None:
    """Print what was read, how pictures are prepared for it, and what was taken for granted."""
    classes = len(record.classes)
    console.print(
        Text(
            f"{record.name} ({record.format}) as {record.model}: {record.parameters:,} numbers, "
            f"{classes:,} class{'' if classes == 1 else 'es'}, written to {record.out}."
        )
    )
    mean = {None: "no mean", "image": "less a mean image", "channel": "less a mean"}[record.mean]
    times = "" if record.scale is None else f", times {record.scale:g}"
    console.print(
        Text(
            f"Pictures: {record.fit} to {record.image_px} pixels, crop of {record.crop_px}, "
            f"{record.order}, {mean}{times}."
        )
    )
    for each in record.remarks:
        grid = Table.grid(padding=(0, 1))
        grid.add_row("-", Text(each))
        console.print(grid)
    console.print(Text(f"Measure it: alexnet evaluate {record.out} SOURCE"))


def render_weights(record: WeightsList | WeightsDownload, console: Console) -> None:
    """Print either record."""
    if isinstance(record, WeightsDownload):
        _show_download(record, console)
        return
    for each in record.weights:
        _show_entry(each, console)
    console.print(Text("Download: alexnet weights get NAME", style="dim"))


def _show_entry(each: PublishedWeights, console: Console) -> None:
    console.print(Text(each.name, style="bold"))
    crops = "1 crop" if each.crops == 1 else f"{each.crops} crops"
    for what, words in (
        ("task", each.task),
        ("model", each.model),
        ("right", f"{each.top1:.1%} top-1, {each.top5:.1%} top-5 ({crops}; the publisher's)"),
        ("size", f"{each.size_mb:,.0f} MB"),
        ("licence", each.licence),
        ("source", each.source),
        ("SHA-256", each.sha256 + ("..." if len(each.sha256) < 64 else "")),
    ):
        console.print(Text(f"  {what:<8} {words}"))


def _show_download(record: WeightsDownload, console: Console) -> None:
    came = f"{decimal(record.downloaded)} fetched" if record.downloaded else "it was there"
    console.print(Text(f"{record.file} ({decimal(record.bytes)}, {came})"))
    console.print(Text(f"SHA-256 {record.sha256}"))
    console.print(Text(f"Use it: alexnet import {record.file} --out {record.name}.safetensors"))
