"""What `pack` and `cache` answer, as text and tables for a console."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.records import (
    FLAWS,
    CachedPack,
    CacheReport,
    CheckReport,
    CopyGroup,
    FoundPicture,
    PackReport,
)
from alexnet.text import bytes_in_words, counted, format_duration

__all__ = ["render_check", "render_pack", "show_cache", "show_pack"]

_LISTED = 10  # unreadable files


def render_pack(record: PackReport | CacheReport, console: Console) -> None:
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


_LISTED_OF_A_KIND = 5  # of each kind; the page and check.json have all


def render_check(report: CheckReport, console: Console) -> None:
    """Write what was found: the set as a whole, copies, single pictures, classes, the next step."""
    lines = [
        *_whole(report),
        "",
        *_copies("of equal pixels", report.copies),
        *_copies("nearly the same", report.near_copies),
        *_flaws(report),
        *_classes(report),
        *report.notes,
        "",
        *_next(report),
    ]
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def _whole(report: CheckReport) -> list[str]:
    splits = ", ".join(f"{count:,} {name}" for name, count in report.splits.items())
    formats = ", ".join(f"{count:,} {name}" for name, count in report.formats.items())
    memory = f", at most {report.peak_memory_mb:,.0f} MB" if report.peak_memory_mb else ""
    lines = [
        f"{report.source}: {report.pictures:,} pictures of {len(report.classes):,} classes",
        f"{report.readable:,} can be read{f' ({splits})' if splits else ''}",
        (
            f"looked at in {format_duration(report.seconds)}, "
            f"{report.images_per_s:,.0f} images/s{memory}"
        ),
    ]
    if report.sizes is not None:
        sides = [report.sizes.smallest, report.sizes.median, report.sizes.largest]
        least, middle, most = (f"{width:,} x {height:,}" for width, height in sides)
        span = middle if least == most else f"{least} to {most}, median {middle}"
        lines.append(f"{span} pixels; {formats}")
    return lines


def _copies(what: str, groups: Sequence[CopyGroup]) -> list[str]:
    if not groups:
        return [f"copies {what}: none"]
    pictures = sum(len(group.pictures) for group in groups)
    kinds = {
        "across splits": sum(group.across_splits for group in groups),
        "across classes": sum(group.across_classes for group in groups),
    }
    across = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
    head = f"copies {what}: {counted(len(groups), 'group')} of {pictures:,} pictures"
    lines = [f"{head}, {across}" if across else head]
    lines += [f"  {_group(group)}" for group in groups[:_LISTED_OF_A_KIND]]
    return [*lines, *_more(len(groups))]


def _group(group: CopyGroup) -> str:
    shown = [each.path for each in group.pictures[:3]]
    more = f", and {len(group.pictures) - 3:,} more" if len(group.pictures) > 3 else ""
    return " = ".join(shown) + more


def _flaws(report: CheckReport) -> list[str]:
    lines: list[str] = []
    for kind, flaw in FLAWS.items():
        found = report.flaws.get(kind, [])
        if found:
            lines.append(f"{flaw.title}: {counted(len(found), 'picture')}")
            lines += [f"  {_picture(each)}" for each in found[:_LISTED_OF_A_KIND]]
            lines += _more(len(found))
    fine = [flaw.title for kind, flaw in FLAWS.items() if not report.flaws.get(kind)]
    if fine:
        lines.append(f"none: {'; '.join(fine)}")
    return lines


def _picture(found: FoundPicture) -> str:
    return f"{found.path}: {found.detail}" if found.detail else found.path


def _more(count: int) -> list[str]:
    return [f"  and {count - _LISTED_OF_A_KIND:,} more"] if count > _LISTED_OF_A_KIND else []


def _classes(report: CheckReport) -> list[str]:
    sizes = sorted(report.classes, key=lambda each: each.pictures)
    if not sizes:
        return []
    least, most = sizes[0], sizes[-1]
    lines = [
        f"classes: {least.pictures:,} pictures ({least.name}) to {most.pictures:,} ({most.name})"
        if least.pictures != most.pictures
        else f"classes: {most.pictures:,} pictures each"
    ]
    missing = [f"  {each.split} has no picture of {each.name}" for each in report.missing]
    return [*lines, *missing[:_LISTED_OF_A_KIND], *_more(len(missing))]


def _next(report: CheckReport) -> list[str]:
    source = shlex.quote(report.source)
    lines = [f"page      {report.report}"]
    if not report.exclude:
        return [*lines, "Nothing has to be left out."]
    count = counted(len(report.exclude), "picture")
    if report.exclude_to is None:
        command = f"alexnet check {source} --exclude-to exclude.csv"
        lines.append(f"{count} are better left out; to have the list: {command}")
    else:
        listed = shlex.quote(report.exclude_to)
        lines += [
            f"excluded  {report.exclude_to}: {count}; read it, and strike what should stay",
            f"next      alexnet train {source} --exclude {listed}",
        ]
    return lines
