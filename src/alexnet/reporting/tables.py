"""The report's data as CSV files, for whoever wants to go on with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from alexnet.csv_files import write_csv
from alexnet.records import Epoch
from alexnet.reporting.evidence import ReportEvidence

__all__ = ["write_tables"]


def write_tables(folder: Path, evidence: ReportEvidence) -> list[str]:
    """Write curves.csv, confusion.csv, per_class.csv and predictions.csv; return their names.

    Shares are in 0..1, cells without a value empty. A file name that is no UTF-8 gets backslashes,
    as it does on the page. No text is a formula for a spreadsheet: see `alexnet.csv_files`.
    """
    tables = {
        "curves.csv": _curves(evidence.epochs),
        "confusion.csv": _confusion(evidence),
        "per_class.csv": _per_class(evidence),
        "predictions.csv": _predictions(evidence),
    }
    for name, rows in tables.items():
        write_csv(folder / name, rows, odd="backslashreplace")
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
