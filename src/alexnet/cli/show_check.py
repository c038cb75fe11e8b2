"""How a check reads on a screen: counts, the worst of each kind, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from alexnet.cli.durations import in_words
from alexnet.findings import FLAWS, CheckReport, CopyGroup, FoundPicture
from alexnet.words import counted

__all__ = ["render"]

_LISTED = 5  # of each kind; the page and check.json have all


def render(report: CheckReport, console: Console) -> None:
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
        f"looked at in {in_words(report.seconds)}, {report.images_per_s:,.0f} images/s{memory}",
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
    lines += [f"  {_group(group)}" for group in groups[:_LISTED]]
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
            lines += [f"  {_picture(each)}" for each in found[:_LISTED]]
            lines += _more(len(found))
    fine = [flaw.title for kind, flaw in FLAWS.items() if not report.flaws.get(kind)]
    if fine:
        lines.append(f"none: {'; '.join(fine)}")
    return lines


def _picture(found: FoundPicture) -> str:
    return f"{found.path}: {found.detail}" if found.detail else found.path


def _more(count: int) -> list[str]:
    return [f"  and {count - _LISTED:,} more"] if count > _LISTED else []


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
    return [*lines, *missing[:_LISTED], *_more(len(missing))]


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
