"""Predictions as CSV, in a file or on standard output, safe to open in a spreadsheet."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from alexnet.csv_files import write_csv, write_rows
from alexnet.records import Prediction

__all__ = ["STDOUT", "write_predictions"]

STDOUT = "-"
"""What stands for standard output where a file could be named."""


def write_predictions(place: Path | str, rows: Sequence[Prediction]) -> None:
    """Write path, answer, error, then class and probability of each place, best first.

    No text is a formula for a spreadsheet (see `alexnet.csv_files`), and file names that are no
    UTF-8 keep their bytes.

    Args:
        place: the file to make or replace; "-" is standard output.
        rows: the predictions, in order.

    Raises:
        RunError: the disk refuses.
    """
    table = _table(rows)
    if str(place) == STDOUT:
        whole = io.BytesIO()
        write_rows(whole, table)
        sys.stdout.flush()
        sys.stdout.buffer.write(whole.getvalue())
    else:
        write_csv(Path(place), table)


def _table(rows: Sequence[Prediction]) -> Iterator[list[str]]:
    places = max((len(row.classes) for row in rows), default=0)
    head = [name for n in range(1, places + 1) for name in (f"class_{n}", f"probability_{n}")]
    yield ["path", "answer", "error", *head]
    for row in rows:
        named = zip(row.classes, row.probabilities, strict=True)
        cells = [cell for name, p in named for cell in (name, f"{p:.9g}")]
        cells += [""] * (2 * places - len(cells))
        yield [row.path, _answer(row), row.error or "", *cells]


def _answer(row: Prediction) -> str:
    if row.error is not None:
        return ""
    return "none of these" if row.rejected else row.classes[0]
