"""Write a report: the page, its data as CSV, what it is drawn from, and its figures where asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet.errors import RunError
from alexnet.files import write_csv
from alexnet.records import Epoch
from alexnet.reporting.html.render import write_page
from alexnet.reporting.run.data import ReportData
from alexnet.reporting.run.examples import choose_examples
from alexnet.reporting.run.figures import FIGURES, write_figures
from alexnet.reporting.run.page import draw_page
from alexnet.reporting.run.saved import load_report_data, save_report_data
from alexnet.reporting.thumbnails import Thumbnails, make_thumbnails

__all__ = ["add_baselines", "redraw_report", "write_report", "write_tables"]


def write_report(run_folder: Path, data: ReportData, *, png: bool = False) -> Path:
    """Write `report/` in a run folder: index.html that opens from disk, CSV, data.npz.

    The page carries at most some hundreds of images, in at most 3.2 MB, however many were
    evaluated.

    Args:
        run_folder: the run; its `report` folder is made, or its files replaced.
        data: settings, predictions and figures.
        png: also write the figures as PNG files, for slides and papers.

    Returns:
        The page, `run_folder/report/index.html`.

    Raises:
        RunError: the disk refuses.
    """
    thumbnails = make_thumbnails(data.image, choose_examples(data).items())
    save_report_data(run_folder / "report", data, thumbnails)
    return _draw(run_folder / "report", data, thumbnails, png=png)


def redraw_report(run_folder: Path, *, png: bool = False) -> Path:
    """Draw a run's report again from what was saved; needs neither the source nor the weights.

    Args:
        run_folder: a run with a report.
        png: also write the figures as PNG files; those that lie there are always drawn again.

    Returns:
        The page.

    Raises:
        RunError: no such run, nothing was saved, or it is damaged.
    """
    if not run_folder.is_dir():
        raise RunError(f"There is no run folder {run_folder}. Name the folder that train made.")
    data, thumbnails = load_report_data(run_folder / "report")
    return _draw(run_folder / "report", data, thumbnails, png=png)


def add_baselines(run_folder: Path, baselines: Sequence[Mapping[str, Any]]) -> Path:
    """Put baselines on the page of a run, and save them with its report data.

    Args:
        run_folder: a run with a report.
        baselines: as plain values (`Baseline.to_json()`), in order.

    Returns:
        The page.

    Raises:
        RunError: nothing was saved, it is damaged, or the disk refuses.
    """
    data, thumbnails = load_report_data(run_folder / "report")
    data = dataclasses.replace(data, baselines=baselines)
    save_report_data(run_folder / "report", data, thumbnails)
    return _draw(run_folder / "report", data, thumbnails)


def _draw(folder: Path, data: ReportData, thumbnails: Thumbnails, *, png: bool = False) -> Path:
    examples = choose_examples(data)
    png = png or any((folder / name).exists() for name in FIGURES)
    figures = write_figures(folder, data, examples, thumbnails) if png else []
    files = [*figures, *write_tables(folder, data)]
    return write_page(folder / "index.html", draw_page(data, examples, thumbnails, files))


def write_tables(folder: Path, data: ReportData) -> list[str]:
    """Write curves.csv, confusion.csv, per_class.csv and predictions.csv; return their names.

    Shares are in 0..1, cells without a value empty. A file name that is no UTF-8 gets backslashes,
    as it does on the page. No text is a formula for a spreadsheet: see `alexnet.files`.
    """
    tables = {
        "curves.csv": _curves(data.epochs),
        "confusion.csv": _confusion(data),
        "per_class.csv": _per_class(data),
        "predictions.csv": _predictions(data),
    }
    for name, rows in tables.items():
        write_csv(folder / name, rows, name_errors="backslashreplace")
    return list(tables)


def _curves(epochs: Sequence[Epoch]) -> Iterable[Sequence[object]]:
    names = [field.name for field in dataclasses.fields(Epoch)]
    yield names
    for epoch in epochs:
        values = epoch.to_json()
        yield [values[name] for name in names]


def _confusion(data: ReportData) -> Iterable[Sequence[object]]:
    yield ["label \\ predicted", *data.classes]
    for name, row in zip(data.classes, data.confusion.tolist(), strict=True):
        yield [name, *row]


def _per_class(data: ReportData) -> Iterable[Sequence[object]]:
    yield ["class", "words", "images", "recall", "precision", "top5"]
    for k, score in enumerate(data.results.per_class):
        words = data.class_words.get(data.classes[k], "")
        yield [score.name, words, score.images, score.recall, score.precision, score.top5]


def _predictions(data: ReportData) -> Iterable[Sequence[object]]:
    yield ["path", "label", "predicted", "correct", "probability", "label_probability"]
    columns = zip(
        data.paths,
        data.labels.tolist(),
        data.predicted.tolist(),
        data.predicted_probability.tolist(),
        data.label_probability.tolist(),
        strict=True,
    )
    for path, label, predicted, probability, label_probability in columns:
        names = data.classes[label], data.classes[predicted]
        yield [path, *names, int(label == predicted), probability, label_probability]
