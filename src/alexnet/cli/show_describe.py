"""A network's geometry, or the list of networks, as text for a console of 100 columns."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.records import Geometry, LayerGeometry, ModelList

__all__ = ["render"]


def render(record: Geometry | ModelList, console: Console) -> None:
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
        table.add_row(*_row(each))
    return table


def _row(each: LayerGeometry) -> list[Text]:
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
