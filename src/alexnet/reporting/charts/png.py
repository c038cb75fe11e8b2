"""The page's figures as PNG files, for slides and papers; drawn with matplotlib."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alexnet.errors import AlexNetError
from alexnet.files import replace_file
from alexnet.reporting.charts.curves import cuts_of, falls_far
from alexnet.reporting.html.markup import number, percent, plain
from alexnet.reporting.run.confusion import heat, heat_picture
from alexnet.reporting.run.evidence import ReportEvidence
from alexnet.reporting.run.examples import MATRIX_CLASSES, Album, Cases
from alexnet.reporting.run.galleries import filter_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["write_figures"]

_INK, _SOFT, _HAIR = "#1d1c1a", "#68645b", "#e3dfd5"
_RIGHT, _WRONG = "#226c64", "#ba441c"
_STYLE: dict[Any, Any] = {
    "axes.edgecolor": _HAIR,
    "axes.grid": True,
    "axes.labelcolor": _SOFT,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.unicode_minus": False,
    "figure.facecolor": "white",
    "font.size": 10,
    "grid.color": _HAIR,
    "legend.frameon": False,
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}
_LONGEST_NAME = 22
_DPI = 144


def write_figures(folder: Path, evidence: ReportEvidence, cases: Cases, album: Album) -> list[str]:
    """Write curves.png, confusion.png, filters.png, wrong.png and right.png; return their names.

    A figure that has nothing to show is left out.

    Raises:
        AlexNetError: matplotlib is missing.
        RunError: the disk refuses.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise AlexNetError(
            'Figures as PNG need matplotlib: pip install "alexnet[plots]".'
        ) from None
    drawings: dict[str, Callable[[], Figure]] = {}
    if evidence.epochs:
        drawings["curves.png"] = lambda: _curves(evidence)
    drawings["confusion.png"] = lambda: _confusion(evidence)
    if evidence.filters is not None and len(evidence.filters):
        drawings["filters.png"] = lambda: _filters(evidence)
    if wrong := [item for item in cases.wrong if item in album]:
        drawings["wrong.png"] = lambda: _pictures(evidence, wrong, album)
    if right := [item for item in [*cases.unsure, *cases.sure] if item in album]:
        drawings["right.png"] = lambda: _pictures(evidence, right, album)
    with mpl.rc_context(_STYLE):
        for name, draw in drawings.items():
            _save(folder / name, draw())
    return list(drawings)


def _save(path: Path, figure: Figure) -> None:
    """Render and write; letters that no font has are boxes, not warnings."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(file, format="png", dpi=_DPI, bbox_inches="tight", pad_inches=0.2)
    replace_file(path, lambda out: out.write(file.getbuffer()))


def _new_figure(width: float, height: float) -> Figure:
    """Make a figure of so many inches that belongs to no window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _curves(evidence: ReportEvidence) -> Figure:
    epochs = evidence.epochs
    x = [each.epoch for each in epochs]
    figure = _new_figure(11, 3.4)
    loss, error, rate = figure.subplots(1, 3)
    lines = (
        (loss, "Loss, nats", [each.train_loss for each in epochs], [e.val_loss for e in epochs]),
        (
            error,
            "Error, %",
            [100 * each.train_error for each in epochs],
            [None if e.val_error is None else 100 * e.val_error for e in epochs],
        ),
    )
    for axes, title, train, val in lines:
        _line(axes, x, train, _SOFT, "train")
        if any(each is not None for each in val):
            _line(axes, x, val, _RIGHT, "validation")
        axes.set(title=title, xlabel="epoch")
        axes.legend()
    _line(rate, x, [each.lr for each in epochs], _INK, "rate")
    rate.set(title="Learning rate", xlabel="epoch")
    cuts = cuts_of(epochs, evidence.recipe)
    steep = bool(cuts) and all(each.lr > 0 for each in epochs)
    for axes, in_powers in ((loss, falls_far(epochs)), (error, False), (rate, steep)):
        if in_powers:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(_tick)
            axes.minorticks_off()
        else:
            axes.set_ylim(bottom=0)
        for cut in cuts:
            axes.axvline(cut, color=_SOFT, linestyle=":", linewidth=0.9)
    return figure


def _tick(value: float, _: int | None) -> str:
    return number(value)


def _line(axes: Axes, x: Sequence[int], y: Sequence[float | None], colour: str, name: str) -> None:
    values = [math.nan if each is None else each for each in y]
    marker = "o" if len(x) == 1 else ""
    axes.plot(x, values, color=colour, label=name, linewidth=1.6, marker=marker)


def _confusion(evidence: ReportEvidence) -> Figure:
    k = len(evidence.classes)
    side = min(max(0.55 * k, 3.0), 10.0)
    figure = _new_figure(side + 1.6, side + 1.2)
    axes = figure.subplots()
    axes.imshow(heat_picture(evidence.confusion), interpolation="nearest")
    axes.set(xlabel="answered", ylabel="true class")
    axes.grid(visible=False)
    if k > MATRIX_CLASSES:
        return figure
    names = [_short(evidence.short_name(i)) for i in range(k)]
    turn = 90 if max(map(len, names)) > 4 else 0
    axes.set_xticks(range(k), names, rotation=turn)
    axes.set_yticks(range(k), names)
    strength = heat(evidence.confusion)
    for t, a in np.argwhere(evidence.confusion).tolist():
        colour = "white" if strength[t, a] > 0.6 else _INK
        number = f"{evidence.confusion[t, a]:,}"
        axes.text(a, t, number, ha="center", va="center", color=colour, fontsize=8)
    return figure


def _filters(evidence: ReportEvidence) -> Figure:
    assert evidence.filters is not None
    grid = filter_grid(evidence.filters)
    height, width = grid.shape[:2]
    figure = _new_figure(9, 9 * height / width)
    axes = figure.subplots()
    axes.imshow(grid, interpolation="nearest")
    axes.set_axis_off()
    return figure


def _pictures(evidence: ReportEvidence, items: Sequence[int], album: Album) -> Figure:
    columns = min(8, len(items))
    rows = -(-len(items) // columns)
    figure = _new_figure(1.55 * columns, 2.0 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, item in zip(grid.flat, items, strict=False):
        axes.imshow(album.picture(item), interpolation="nearest")
        answer = _short(evidence.short_name(int(evidence.answered[item])), 16)
        sure = percent(float(evidence.answered_probability[item]), 0)
        right = bool(evidence.right[item])
        truth = (
            "" if right else f"\nis {_short(evidence.short_name(int(evidence.labels[item])), 16)}"
        )
        title = f"{answer} {sure}{truth}"
        axes.set_title(title, fontsize=8, color=_RIGHT if right else _WRONG, loc="left")
    return figure


def _short(name: str, longest: int = _LONGEST_NAME) -> str:
    name = plain(name)
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
