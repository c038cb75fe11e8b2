"""Predictions as a CSV file, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from alexnet.files import replace_file
from alexnet.records import Prediction

__all__ = ["write_predictions"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet compute a cell


def write_predictions(path: Path, rows: Sequence[Prediction]) -> None:
    """Write path, answer, error, then class and probability of each place, best first.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.

    Args:
        path: the file to make or replace.
        rows: the predictions, in order.

    Raises:
        RunError: the disk refuses.
    """
    places = max((len(row.classes) for row in rows), default=0)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    head = [name for n in range(1, places + 1) for name in (f"class_{n}", f"probability_{n}")]
    writer.writerow(["path", "answer", "error", *head])
    for row in rows:
        named = zip(row.classes, row.probabilities, strict=True)
        cells = [cell for name, p in named for cell in (_plain(name), f"{p:.9g}")]
        cells += [""] * (2 * places - len(cells))
        writer.writerow([_plain(row.path), _plain(_answer(row)), _plain(row.error or ""), *cells])
    # File names that are no UTF-8 are written with the bytes that they have on disk.
    data = text.getvalue().encode("utf-8", "surrogateescape")
    replace_file(Path(path), lambda file: file.write(data))


def _answer(row: Prediction) -> str:
    if row.error is not None:
        return ""
    return "none of these" if row.rejected else row.classes[0]


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
