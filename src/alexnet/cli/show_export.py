"""What `export` wrote, as text for a console."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from alexnet.records import ExportReport
from alexnet.words import bytes_in_words, counted

__all__ = ["render"]


def render(record: ExportReport, console: Console) -> None:
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
