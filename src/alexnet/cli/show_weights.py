"""The list of published weights, or where a download lies, as text for a console."""

from __future__ import annotations

from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from alexnet.records import PublishedWeights, WeightsDownload, WeightsList

__all__ = ["render"]


def render(record: WeightsList | WeightsDownload, console: Console) -> None:
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
