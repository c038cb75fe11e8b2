"""What is mixed up with what: a table of numbers for few classes, a picture for many."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from alexnet.reporting.html.markup import Markup, bdi, element, join, percent
from alexnet.reporting.run.evidence import ReportEvidence
from alexnet.reporting.run.examples import (
    MATRIX_CLASSES,
    Album,
    Cases,
    Cell,
    Pair,
    as_data_uri,
    as_png,
    confused_pairs,
)
from alexnet.reporting.run.galleries import cell_id, draw_cell

__all__ = ["draw_confusion", "heat", "heat_picture"]

_RIGHT, _WRONG = (34, 108, 100), (186, 68, 28)  # RGB; the style sheet holds the same two
_FEW_LETTERS = 4  # class names up to so long need not be turned in the head of the table


def draw_confusion(evidence: ReportEvidence, cases: Cases, album: Album) -> Markup:
    """Draw the matrix, the most confused pairs, and what opens when one of them is followed."""
    open_cells = {
        cell: items for cell, items in cases.cells.items() if any(item in album for item in items)
    }
    panels = [draw_cell(evidence, cell, items, album) for cell, items in open_cells.items()]
    pairs = confused_pairs(evidence.confusion)
    small = len(evidence.classes) <= MATRIX_CLASSES
    matrix = _table(evidence, open_cells) if small else _heat_map(evidence)
    listed = _pairs(evidence, pairs[:8] if small else pairs, open_cells)
    hint = element("p", _hint(bool(panels), small), class_="hint")
    side = element("div", hint, *panels, class_="panels", aria_live="polite")
    if small:
        return join(element("div", matrix, side, class_="matrix"), listed)
    return join(matrix, element("div", listed, side, class_="matrix"))


def heat(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how strongly each cell is inked, in 0..1: the root of its share of the true class.

    Args:
        confusion: (K, K) counts, true class by answered class.
    """
    totals = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return np.sqrt(confusion / totals)


def heat_picture(confusion: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Paint the matrix one pixel a cell: the diagonal in one colour, errors in another.

    Returns:
        (K, K, 4) uint8 RGBA, true classes downwards; empty cells are transparent.
    """
    strength = heat(confusion)
    on_diagonal = np.eye(len(confusion), dtype=bool)[:, :, None]
    pixels = np.zeros((*confusion.shape, 4), np.uint8)
    pixels[:, :, :3] = np.where(on_diagonal, _RIGHT, _WRONG)
    pixels[:, :, 3] = np.where(confusion > 0, 40 + 215 * strength, 0).astype(np.uint8)
    return pixels


def _hint(panels: bool, small: bool) -> str:
    if not panels:
        return ""
    what = "number in the table" if small else "pair"
    return f"Choose a {what} to see the pictures behind it."


def _table(evidence: ReportEvidence, open_cells: Collection[Cell]) -> Markup:
    k = len(evidence.classes)
    names = [evidence.short_name(i) for i in range(k)]
    turned = max(map(len, names)) > _FEW_LETTERS and k > 2
    columns = [
        element("th", element("span", bdi(name)), scope="col", title=evidence.name(i))
        for i, name in enumerate(names)
    ]
    corner = element("td", element("span", "is ↓ · answered →"), class_="corner")
    density = " few" if k <= 4 else " dense" if k > 12 else ""
    strength = heat(evidence.confusion)
    rows = [
        element(
            "tr",
            element("th", element("span", bdi(names[t])), scope="row", title=evidence.name(t)),
            *[_cell(evidence, t, a, strength[t, a], open_cells) for a in range(k)],
        )
        for t in range(k)
    ]
    table = element(
        "table",
        element("caption", "Confusion matrix: rows are true classes", class_="unseen"),
        element("thead", element("tr", corner, *columns)),
        element("tbody", *rows),
        class_="confusion" + (" turned" if turned else "") + density,
    )
    return element("div", table, class_="scroll", tabindex=0, role="group", aria_label="Matrix")


def _cell(
    evidence: ReportEvidence,
    true: int,
    answered: int,
    strength: float,
    open_cells: Collection[Cell],
) -> Markup:
    n = int(evidence.confusion[true, answered])
    kind = "hit" if true == answered else "miss"
    if not n:
        return element("td", class_="none" if true != answered else "hit")
    total = int(evidence.confusion[true].sum())
    said = (
        f"{evidence.short_name(true)} answered as {evidence.short_name(answered)}: "
        f"{n:,} of {total:,} ({percent(n / total)})"
    )
    inner: Markup | str = f"{n:,}"
    if (true, answered) in open_cells:
        inner = element("a", inner, href=f"#{cell_id((true, answered))}", aria_label=said)
    tone = " strong" if strength > 0.85 else " middling" if strength > 0.65 else ""
    return element("td", inner, class_=kind + tone, style=f"--s:{strength:.2f}", title=said)


def _heat_map(evidence: ReportEvidence) -> Markup:
    k = len(evidence.classes)
    picture = element(
        "img",
        src=as_data_uri(as_png(heat_picture(evidence.confusion))),
        alt=f"Confusion matrix of {k} classes as a heat map; confusion.csv holds the counts.",
        class_="heat",
    )
    caption = (
        f"{k} classes in the order of the class list: true ones downwards, answers to the right. "
        "The ink of a cell is the root of its share of the row; the diagonal is right. "
        "All counts are in confusion.csv."
    )
    return element("figure", picture, element("figcaption", caption), class_="heat-map")


def _pairs(evidence: ReportEvidence, pairs: Sequence[Pair], open_cells: Collection[Cell]) -> Markup:
    if not pairs:
        return element("p", "No class was taken for another.", class_="empty")
    rows = [element("li", _pair(evidence, pair, open_cells)) for pair in pairs]
    heading = element("h3", "Most often mixed up")
    return element("div", heading, element("ol", *rows, class_="pairs"), class_="mixed")


def _pair(evidence: ReportEvidence, pair: Pair, open_cells: Collection[Cell]) -> Markup:
    cell = (pair.true, pair.answered)
    names = join(
        bdi(evidence.short_name(pair.true), title=evidence.name(pair.true)),
        element("span", " as ", class_="as"),
        bdi(evidence.short_name(pair.answered), title=evidence.name(pair.answered)),
    )
    if cell in open_cells:
        names = element("a", names, href=f"#{cell_id(cell)}")
    share = element("span", percent(pair.share), class_="share")
    return join(element("span", names, class_="names"), element("b", f"{pair.count:,}"), share)
