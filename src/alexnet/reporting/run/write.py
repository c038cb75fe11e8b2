"""Write a report: the page, its figures as PNG, its data as CSV, the evidence it came from."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet.errors import AlexNetError, RunError
from alexnet.files import replace_file, write_csv
from alexnet.records import Epoch
from alexnet.reporting.charts.png import write_figures
from alexnet.reporting.run.evidence import ReportEvidence
from alexnet.reporting.run.examples import Album, choose_cases, make_album
from alexnet.reporting.run.page import draw_page
from alexnet.reporting.run.saved import keep_evidence, load_evidence

__all__ = ["add_comparison", "redraw_report", "write_report", "write_tables"]


def write_tables(folder: Path, evidence: ReportEvidence) -> list[str]:
    """Write curves.csv, confusion.csv, per_class.csv and predictions.csv; return their names.

    Shares are in 0..1, cells without a value empty. A file name that is no UTF-8 gets backslashes,
    as it does on the page. No text is a formula for a spreadsheet: see `alexnet.files`.
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


_log = logging.getLogger(__name__)


def write_report(run_folder: Path, evidence: ReportEvidence) -> Path:
    """Write `report/` in a run folder: index.html that opens from disk, PNG, CSV, evidence.npz.

    Without matplotlib the PNG figures are left out, which is logged; the page is whole all the
    same. The page carries at most some hundreds of pictures, in at most 3.2 MB, however many were
    evaluated.

    Args:
        run_folder: the run; its `report` folder is made, or its files replaced.
        evidence: what was asked, done and found.

    Returns:
        The page, `run_folder/report/index.html`.

    Raises:
        RunError: the disk refuses.
    """
    cases = choose_cases(evidence)
    album = make_album(evidence.picture, cases.items())
    keep_evidence(run_folder / "report", evidence, album)
    return _draw(run_folder / "report", evidence, album)


def redraw_report(run_folder: Path) -> Path:
    """Draw a run's report again from what was kept; needs neither the source nor the weights.

    Returns:
        The page.

    Raises:
        RunError: no such run, nothing was kept, or it is damaged.
    """
    if not run_folder.is_dir():
        raise RunError(f"There is no run folder {run_folder}. Name the folder that train made.")
    evidence, album = load_evidence(run_folder / "report")
    return _draw(run_folder / "report", evidence, album)


def add_comparison(run_folder: Path, compared: Sequence[Mapping[str, Any]]) -> Path:
    """Put other ways to a classifier on the page of a run, and keep them with its evidence.

    Args:
        run_folder: a run with a report.
        compared: as plain values (`Compared.to_json()`), in order.

    Returns:
        The page.

    Raises:
        RunError: nothing was kept, it is damaged, or the disk refuses.
    """
    evidence, album = load_evidence(run_folder / "report")
    evidence = dataclasses.replace(evidence, compared=compared)
    keep_evidence(run_folder / "report", evidence, album)
    return _draw(run_folder / "report", evidence, album)


def _draw(folder: Path, evidence: ReportEvidence, album: Album) -> Path:
    cases = choose_cases(evidence)
    names = write_tables(folder, evidence)
    try:
        names = [*write_figures(folder, evidence, cases, album), *names]
    except AlexNetError as error:
        if isinstance(error, RunError):
            raise
        _log.warning("%s The page and its tables are whole without them.", error)
    page = folder / "index.html"
    text = draw_page(evidence, cases, album, names)
    replace_file(page, lambda file: file.write(text.encode()))
    return page
