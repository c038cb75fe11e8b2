"""Reports of `pack`, `cache` and `check` on a console."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.records import (
    ISSUES,
    CachedGraph,
    CachedPack,
    CacheReport,
    CheckReport,
    DuplicateGroup,
    FlaggedImage,
    PackReport,
)
from alexnet.text import format_bytes, format_count, format_duration

__all__ = ["render_cache", "render_check", "render_pack"]

_MAX_UNREADABLE = 10
_MAX_LISTED = 5  # of each issue; the page and check.json have all


def render_pack(report: PackReport, console: Console) -> None:
    """Print what was packed, and the files that could not be read."""
    splits = ", ".join(f"{count:,} {name}" for name, count in report.splits.items())
    console.print(
        Text(
            f"{format_count(report.images, 'image')}{f' ({splits})' if splits else ''} of "
            f"{format_count(len(report.classes), 'class', 'classes')}, "
            f"{report.image_px} pixels ({report.resize_mode}), "
            f"{'as JPEG files, ' if report.store == 'jpeg' else ''}"
            f"{format_bytes(report.bytes)} in {format_count(report.shards, 'shard')}, "
            f"{report.seconds:.1f} s."
        )
    )
    console.print(Text(f"Train on it: alexnet train {report.folder}"))
    if not report.unreadable:
        return
    count = len(report.unreadable)
    copied = f", copied to {report.quarantine}" if report.quarantine else ""
    console.print(Text(f"{format_count(count, 'image')} could not be read{copied}:"))
    for path, reason in report.unreadable[:_MAX_UNREADABLE]:
        console.print(Text(f"  {path}: {reason}"))
    if count > _MAX_UNREADABLE:
        console.print(
            Text(f"  and {count - _MAX_UNREADABLE:,} more, listed in {report.folder}/pack.json")
        )


def render_cache(report: CacheReport, console: Console) -> None:
    """Print a row for each pack and for the graphs of each weights file, and what was removed."""
    for each in (*report.removed, *report.removed_graphs):
        console.print(Text(f"Removed {each.name} ({format_bytes(each.bytes)})."))
    if not report.packs and not report.graphs:
        console.print(Text(f"The cache {report.folder} is empty."))
        return
    if report.packs:
        _print_cached("name source", "images side size used", map(_row, report.packs), console)
        count = format_count(len(report.packs), "pack")
        _print_total(count, report.packs, report.folder, console)
    if report.graphs:
        _print_cached("name weights outputs", "size used", map(_graph_row, report.graphs), console)
        count = f"graphs of {format_count(len(report.graphs), 'weights file')}"
        folder = str(Path(report.graphs[0].folder).parent)
        _print_total(count, report.graphs, folder, console)


def _print_cached(
    left: str, right: str, rows: Iterable[tuple[Text, ...]], console: Console
) -> None:
    """Print a table; columns of words are aligned left, of numbers right."""
    table = Table(*left.split(), box=None, pad_edge=False)
    for name in right.split():
        table.add_column("last used" if name == "used" else name, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_total(
    count: str, entries: Sequence[CachedPack] | Sequence[CachedGraph], folder: str, console: Console
) -> None:
    total = format_bytes(sum(each.bytes for each in entries))
    advice = "Remove with: alexnet cache --clear NAME, or --clear all"
    console.print(Text(f"{count}, {total} in {folder}. {advice}", style="dim"))


def _graph_row(graph: CachedGraph) -> tuple[Text, ...]:
    cells = (
        graph.name,
        graph.weights or "unknown",
        ", ".join(graph.outputs),
        format_bytes(graph.bytes),
        _used(graph.last_used),
    )
    return tuple(Text(cell) for cell in cells)


def _used(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _row(pack: CachedPack) -> tuple[Text, ...]:
    cells = (
        pack.name,
        pack.source or "unknown",
        f"{pack.images:,}" if pack.complete else "unfinished",
        f"{pack.image_px} {pack.resize_mode}" if pack.image_px else "",
        format_bytes(pack.bytes),
        _used(pack.last_used),
    )
    return tuple(Text(cell) for cell in cells)


def render_check(report: CheckReport, console: Console) -> None:
    """Print the whole source, duplicates, issues, classes, and the next step."""
    lines = [
        *_overview(report),
        "",
        *_duplicates("duplicates", report.duplicates),
        *_duplicates("near duplicates", report.near_duplicates),
        *_issues(report),
        *_classes(report),
        *report.notes,
        "",
        *_next_steps(report),
    ]
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def _overview(report: CheckReport) -> list[str]:
    splits = ", ".join(f"{count:,} {name}" for name, count in report.splits.items())
    formats = ", ".join(f"{count:,} {name}" for name, count in report.formats.items())
    memory = f", at most {report.peak_memory_mb:,.0f} MB" if report.peak_memory_mb else ""
    lines = [
        (
            f"{report.source}: {format_count(report.images, 'image')} of "
            f"{format_count(len(report.classes), 'class', 'classes')}"
        ),
        f"{report.readable:,} can be read{f' ({splits})' if splits else ''}",
        (
            f"scanned in {format_duration(report.seconds)}, "
            f"{report.images_per_s:,.0f} images/s{memory}"
        ),
    ]
    if report.sizes is not None:
        sides = [report.sizes.smallest, report.sizes.median, report.sizes.largest]
        smallest, median, largest = (f"{width:,} x {height:,}" for width, height in sides)
        same = smallest == largest
        pixels = median if same else f"{smallest} to {largest}, median {median}"
        lines.append(f"{pixels} pixels; {formats}")
    return lines


def _duplicates(title: str, groups: Sequence[DuplicateGroup]) -> list[str]:
    if not groups:
        return [f"{title}: none"]
    images = sum(len(group.images) for group in groups)
    counts = {
        "across splits": sum(group.across_splits for group in groups),
        "across classes": sum(group.across_classes for group in groups),
    }
    across = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    headline = f"{title}: {format_count(len(groups), 'group')} of {format_count(images, 'image')}"
    lines = [f"{headline}, {across}" if across else headline]
    lines += [f"  {_format_group(group)}" for group in groups[:_MAX_LISTED]]
    return [*lines, *_more(len(groups))]


def _format_group(group: DuplicateGroup) -> str:
    paths = [image.path for image in group.images[:3]]
    more = f", and {len(group.images) - 3:,} more" if len(group.images) > 3 else ""
    return " = ".join(paths) + more


def _issues(report: CheckReport) -> list[str]:
    lines: list[str] = []
    for kind, issue in ISSUES.items():
        images = report.issues.get(kind, [])
        if images:
            lines.append(f"{issue.title}: {format_count(len(images), 'image')}")
            lines += [f"  {_format_image(image)}" for image in images[:_MAX_LISTED]]
            lines += _more(len(images))
    absent = [issue.title for kind, issue in ISSUES.items() if not report.issues.get(kind)]
    if absent:
        lines.append(f"none: {'; '.join(absent)}")
    return lines


def _format_image(image: FlaggedImage) -> str:
    return f"{image.path}: {image.detail}" if image.detail else image.path


def _more(count: int) -> list[str]:
    return [f"  and {count - _MAX_LISTED:,} more"] if count > _MAX_LISTED else []


def _classes(report: CheckReport) -> list[str]:
    sizes = sorted(report.classes, key=lambda each: each.images)
    if not sizes:
        return []
    smallest, largest = sizes[0], sizes[-1]
    lines = [
        f"classes: {format_count(smallest.images, 'image')} ({smallest.name}) to "
        f"{largest.images:,} ({largest.name})"
        if smallest.images != largest.images
        else f"classes: {format_count(largest.images, 'image')} each"
    ]
    missing = [f"  {each.split} has no image of {each.name}" for each in report.missing]
    return [*lines, *missing[:_MAX_LISTED], *_more(len(missing))]


def _next_steps(report: CheckReport) -> list[str]:
    source = shlex.quote(report.source)
    lines = [f"page      {report.report}"]
    if not report.exclude:
        return [*lines, "Nothing has to be left out."]
    count = format_count(len(report.exclude), "image")
    if report.exclude_to is None:
        command = f"alexnet check {source} --exclude-to exclude.csv"
        lines.append(f"{count} are better left out; to have the list: {command}")
    else:
        listed = shlex.quote(report.exclude_to)
        lines += [
            f"excluded  {report.exclude_to}: {count}; read it, and remove what should stay",
            f"next      alexnet train {source} --exclude {listed}",
            f"or        alexnet finetune {source} --exclude {listed}",
        ]
    return lines
