"""The report's data as CSV files, for whoever wants to go on with it."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from alexnet.files import replace_file
from alexnet.records import Epoch
from alexnet.reporting.evidence import ReportEvidence

__all__ = ["write_table", "write_tables"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet compute a cell


def write_tables(folder: Path, evidence: ReportEvidence) -> list[str]:
    """Write curves.csv, confusion.csv, per_class.csv and predictions.csv; return their names.

    UTF-8 with a heading row, shares in 0..1, numbers as Python writes them (they read back equal),
    nothing where there is no value. A file name that is no UTF-8 gets backslashes in its place. A
    text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    tables = {
        "curves.csv": _curves(evidence.epochs),
        "confusion.csv": _confusion(evidence),
        "per_class.csv": _per_class(evidence),
        "predictions.csv": _predictions(evidence),
    }
    for name, rows in tables.items():
        write_table(folder / name, rows)
    return list(tables)


def _curves(epochs: Sequence[Epoch]) -> Iterable[Sequence[object]]:
    names = [field.name for field in dataclasses.fields(Epoch)]
    yield names
    for epoch in epochs:
        values = epoch.to_json()
        yield [values[name] for name in names]


def _confusion(evidence: ReportEvidence) -> Iterable[Sequence[object]]:
    yield ["true \\ answered", *evidence.classes]
    for name, row in zip(evidence.classes, evidence.confusion.tolist(), strict=True):
        yield [name, *row]


def _per_class(evidence: ReportEvidence) -> Iterable[Sequence[object]]:
    yield ["class", "words", "images", "recall", "precision", "top5"]
    for k, score in enumerate(evidence.results.per_class):
        words = evidence.class_words.get(evidence.classes[k], "")
        yield [score.name, words, score.images, score.recall, score.precision, score.top5]


def _predictions(evidence: ReportEvidence) -> Iterable[Sequence[object]]:
    yield ["path", "true", "answered", "right", "probability", "probability_of_true"]
    columns = zip(
        evidence.paths,
        evidence.labels.tolist(),
        evidence.answered.tolist(),
        evidence.answered_probability.tolist(),
        evidence.true_probability.tolist(),
        strict=True,
    )
    for path, true, answered, probability, of_true in columns:
        names = evidence.classes[true], evidence.classes[answered]
        yield [path, *names, int(true == answered), probability, of_true]


def write_table(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows as a CSV file, in the way that `write_tables` says."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    data = text.getvalue().encode("utf-8", "backslashreplace")
    replace_file(path, lambda file: file.write(data))


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
