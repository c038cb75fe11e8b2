"""Tables as CSV files: UTF-8, whole or not there, and safe to open in a spreadsheet.

Spreadsheets compute a cell that begins like a formula, also one that came out of a file name. So
a text that begins with one of `= + - @`, a tab or a line end gets an apostrophe in front, and so
does one that begins with an apostrophe: then one can be taken away from every text to have it back.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from alexnet.files import replace_file

__all__ = ["guarded", "unguarded", "write_csv", "write_rows"]

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
_GUARD = "'"

Odd = Literal["surrogateescape", "backslashreplace"]
"""File names that are no UTF-8: with the bytes that they have on disk, or with backslashes."""


def guarded(text: str) -> str:
    """Return what a spreadsheet shows as this text and does not compute."""
    return f"{_GUARD}{text}" if text.startswith((*_FORMULAS, _GUARD)) else text


def unguarded(cell: str) -> str:
    """Return the text that `guarded` was given."""
    return cell.removeprefix(_GUARD)


def write_csv(
    path: Path, rows: Iterable[Sequence[object]], *, odd: Odd = "surrogateescape"
) -> None:
    """Write a CSV file beside `path` and rename it.

    Args:
        path: the file to make or replace.
        rows: the heading first; texts are guarded, numbers are written as Python writes them (they
            read back equal), None is an empty cell.
        odd: how names that are no text are written.

    Raises:
        RunError: the disk refuses; `path` is as it was.
    """
    replace_file(path, lambda file: write_rows(file, rows, odd=odd))


def write_rows(
    file: BinaryIO, rows: Iterable[Sequence[object]], *, odd: Odd = "surrogateescape"
) -> None:
    """Write rows into an open binary file; see `write_csv`."""
    text = io.TextIOWrapper(file, "utf-8", errors=odd, newline="")
    try:
        csv.writer(text).writerows(
            [guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
        )
    finally:
        text.detach()
