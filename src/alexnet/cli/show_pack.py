"""What `pack` and `cache` answer, as text and tables for a console."""

from __future__ import annotations

import time

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.records import CachedPack, CacheReport, PackReport
from alexnet.words import bytes_in_words, counted

__all__ = ["render", "show_cache", "show_pack"]

_LISTED = 10  # unreadable files


def render(record: PackReport | CacheReport, console: Console) -> None:
    """Print either record."""
    if isinstance(record, PackReport):
        show_pack(console, record)
    else:
        show_cache(console, record)


def show_pack(console: Console, report: PackReport) -> None:
    """Print what was packed, and the files that could not be read."""
    splits = ", ".join(f"{count:,} {name}" for name, count in report.splits.items())
    console.print(
        Text(
            f"{report.pictures:,} pictures{f' ({splits})' if splits else ''} of "
            f"{len(report.classes):,} classes, {report.image_px} pixels ({report.fit}), "
            f"{'as JPEG files, ' if report.store == 'jpeg' else ''}"
            f"{bytes_in_words(report.bytes)} in {counted(report.shards, 'shard')}, "
            f"{report.seconds:.1f} s."
        )
    )
    console.print(Text(f"Train on it: alexnet train {report.folder}"))
    if not report.unreadable:
        return
    count = len(report.unreadable)
    where = f", copied to {report.quarantine}" if report.quarantine else ""
    console.print(Text(f"{counted(count, 'picture')} could not be read{where}:"))
    for path, reason in report.unreadable[:_LISTED]:
        console.print(Text(f"  {path}: {reason}"))
    if count > _LISTED:
        console.print(Text(f"  and {count - _LISTED:,} more, listed in {report.folder}/pack.json"))


def show_cache(console: Console, report: CacheReport) -> None:
    """Print a row for each pack of the cache, and what was removed."""
    for each in report.removed:
        console.print(Text(f"Removed {each.name} ({bytes_in_words(each.bytes)})."))
    if not report.packs:
        console.print(Text(f"The cache {report.folder} is empty."))
        return
    table = Table("name", "source", box=None, pad_edge=False)
    for name in ("pictures", "side", "size", "last used"):
        table.add_column(name, justify="right")
    for each in report.packs:
        table.add_row(*_row(each))
    console.print(table)
    total = sum(each.bytes for each in report.packs)
    console.print(
        Text(
            f"{counted(len(report.packs), 'pack')}, {bytes_in_words(total)} in {report.folder}. "
            "Remove with: alexnet cache --clear NAME, or --clear all",
            style="dim",
        )
    )


def _row(pack: CachedPack) -> tuple[Text, ...]:
    used = time.strftime("%Y-%m-%d %H:%M", time.localtime(pack.last_used))
    cells = (
        pack.name,
        pack.source or "unknown",
        f"{pack.pictures:,}" if pack.whole else "unfinished",
        f"{pack.image_px} {pack.fit}" if pack.image_px else "",
        bytes_in_words(pack.bytes),
        used,
    )
    return tuple(Text(cell) for cell in cells)
