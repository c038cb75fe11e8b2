"""The report's figures as PNG files, for slides and papers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alexnet.reporting.charts.curves import TrainingCharts
from alexnet.reporting.charts.images import cell_strength, confusion_image, filter_grid
from alexnet.reporting.charts.painter import CORRECT, INK, WRONG, chart_style, save_png
from alexnet.reporting.html.format import escape_controls, percent
from alexnet.reporting.run.data import ReportData
from alexnet.reporting.run.examples import MATRIX_CLASSES, Examples
from alexnet.reporting.thumbnails import Thumbnails

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "write_figures"]

FIGURES = ("curves.png", "confusion.png", "filters.png", "mistakes.png", "correct.png")
"""Names of all files that `write_figures` may write."""

_LONGEST_NAME = 22


def write_figures(
    folder: Path, data: ReportData, examples: Examples, thumbnails: Thumbnails
) -> list[str]:
    """Write curves.png, confusion.png, filters.png, mistakes.png and correct.png.

    Returns:
        The names of those that were written; one that has nothing to show is left out.

    Raises:
        RunError: the disk refuses.
    """
    correct = [*examples.least_confident, *examples.most_confident]
    items = {"mistakes.png": examples.mistakes, "correct.png": correct}
    shown = {name: [i for i in chosen if i in thumbnails] for name, chosen in items.items()}
    figures: dict[str, Figure] = {}
    with chart_style(font_px=10):
        if data.epochs:
            figures["curves.png"] = _curves(data)
        figures["confusion.png"] = _confusion(data)
        if data.filters is not None and len(data.filters):
            figures["filters.png"] = _filters(data)
        figures |= {name: _images(data, some, thumbnails) for name, some in shown.items() if some}
        for name, figure in figures.items():
            save_png(folder / name, figure)
    return list(figures)


def _new_figure(width: float, height: float) -> Figure:
    """Make a figure of so many inches that belongs to no window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _curves(data: ReportData) -> Figure:
    charts = TrainingCharts(data.epochs, data.recipe, len(data.classes))
    figure = _new_figure(12, 3.4)
    loss, error, lr = figure.subplots(1, 3)
    charts.draw_loss(loss)
    charts.draw_error(error)
    charts.draw_lr(lr)
    for axes, title in zip((loss, error, lr), charts.titles(), strict=True):
        axes.set_title(title)
    return figure


def _confusion(data: ReportData) -> Figure:
    k = len(data.classes)
    side = min(max(0.55 * k, 3.0), 10.0)
    figure = _new_figure(side + 1.6, side + 1.2)
    axes = figure.subplots()
    axes.imshow(confusion_image(data.confusion))
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.grid(visible=False)
    if k > MATRIX_CLASSES:
        return figure
    names = [_short(data.short_name(i)) for i in range(k)]
    axes.set_xticks(range(k), names, rotation=90 if max(map(len, names)) > 4 else 0)
    axes.set_yticks(range(k), names)
    strength = cell_strength(data.confusion)
    for t, p in np.argwhere(data.confusion).tolist():
        color = "white" if strength[t, p] > 0.6 else INK
        count = f"{data.confusion[t, p]:,}"
        axes.text(p, t, count, ha="center", va="center", color=color, fontsize=8)
    return figure


def _filters(data: ReportData) -> Figure:
    assert data.filters is not None
    grid = filter_grid(data.filters)
    height, width = grid.shape[:2]
    figure = _new_figure(9, 9 * height / width)
    axes = figure.subplots()
    axes.imshow(grid)
    axes.set_axis_off()
    return figure


def _images(data: ReportData, items: Sequence[int], thumbnails: Thumbnails) -> Figure:
    """Lay images out in rows, each with its prediction above: one axes, which is quick."""
    columns = min(8, len(items))
    rows = -(-len(items) // columns)
    figure = _new_figure(1.55 * columns, 1.95 * rows)
    axes = figure.subplots()
    for i, item in enumerate(items):
        row, column = divmod(i, columns)
        left, foot = 1.08 * column, -1.35 * row
        pixels = thumbnails.image(item)
        assert pixels is not None
        height, width = (side / max(pixels.shape) for side in pixels.shape[:2])
        axes.imshow(pixels, extent=(left, left + width, foot, foot + height))
        color = CORRECT if data.correct[item] else WRONG
        axes.text(left, foot + height + 0.04, _title(data, item), fontsize=8, color=color)
    axes.set(xlim=(0, 1.08 * columns), ylim=(1.35 * (1 - rows), 1.35), aspect="equal")
    axes.set_axis_off()
    return figure


def _title(data: ReportData, item: int) -> str:
    predicted = _short(data.short_name(int(data.predicted[item])), 16)
    title = f"{predicted} {percent(float(data.predicted_probability[item]), 0)}"
    if data.correct[item]:
        return title
    return f"{title}\nlabel {_short(data.short_name(int(data.labels[item])), 16)}"


def _short(name: str, longest: int = _LONGEST_NAME) -> str:
    name = escape_controls(name)
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
