"""The confusion matrix as the page shows it, and the images behind its cells."""

from __future__ import annotations

from typing import NamedTuple

from alexnet.reporting.charts.images import cell_strength, confusion_image
from alexnet.reporting.html.format import percent
from alexnet.reporting.run.data import ReportData
from alexnet.reporting.run.examples import MATRIX_CLASSES, Cell, Examples, confused_pairs
from alexnet.reporting.thumbnails import Thumbnails, data_uri, encode_png
from alexnet.text import format_count

__all__ = [
    "Card",
    "ListedPair",
    "Matrix",
    "MatrixCell",
    "MatrixRow",
    "Panel",
    "card_of",
    "matrix_of",
]

_FEW_LETTERS = 4  # class names up to so long need not be turned in the head of the table
_LISTED = 8  # most confused pairs beside a table; beside a heat map there are more


class Card(NamedTuple):
    """An image with its label and its prediction."""

    path: str
    uri: str | None
    correct: bool
    predicted: str
    probability: str
    label: str
    label_probability: str


class MatrixCell(NamedTuple):
    """A cell of the table."""

    images: int
    kind: str  # class in the style sheet
    strength: str
    label: str  # what it says in words
    panel: str | None  # where its images are


class MatrixRow(NamedTuple):
    """A true class and its cells."""

    name: str
    short_name: str
    cells: list[MatrixCell]


class ListedPair(NamedTuple):
    """Two classes of which one was predicted as the other."""

    cell: Cell
    images: int
    share: float
    panel: str | None


class Panel(NamedTuple):
    """What opens when a cell or a pair is chosen."""

    id: str
    label: str
    predicted: str | None  # None: correctly
    caption: str
    cards: list[Card]


class Matrix(NamedTuple):
    """The matrix: rows for few classes, an image for many."""

    rows: list[MatrixRow]
    turned: bool
    density: str
    image: str
    hint: str
    pairs: list[ListedPair]
    panels: list[Panel]


def matrix_of(data: ReportData, examples: Examples, thumbnails: Thumbnails) -> Matrix:
    """Return the matrix, the most confused pairs and the panels behind them."""
    opened = {
        cell: [item for item in items if item in thumbnails]
        for cell, items in examples.cells.items()
    }
    opened = {cell: items for cell, items in opened.items() if items}
    k = len(data.classes)
    small = k <= MATRIX_CLASSES
    names = [data.short_name(i) for i in range(k)]
    pairs = confused_pairs(data.confusion)[: _LISTED if small else None]
    hint = f"Choose a {'number in the table' if small else 'pair'} to see the images behind it."
    return Matrix(
        rows=_rows(data, set(opened)) if small else [],
        turned=k > 2 and max(map(len, names)) > _FEW_LETTERS,
        density=" few" if k <= 4 else " dense" if k > 12 else "",
        image="" if small else data_uri(encode_png(confusion_image(data.confusion))),
        hint=hint if opened else "",
        pairs=[
            ListedPair(cell, pair.count, pair.share, _panel_id(cell) if cell in opened else None)
            for pair in pairs
            for cell in [(pair.label, pair.predicted)]
        ],
        panels=[_panel(data, cell, items, thumbnails) for cell, items in opened.items()],
    )


def card_of(data: ReportData, item: int, thumbnails: Thumbnails) -> Card:
    """Return what is shown of an evaluated image."""
    return Card(
        path=data.paths[item],
        uri=thumbnails.uri(item),
        correct=bool(data.correct[item]),
        predicted=data.short_name(int(data.predicted[item])),
        probability=_probability(float(data.predicted_probability[item])),
        label=data.short_name(int(data.labels[item])),
        label_probability=_probability(float(data.label_probability[item])),
    )


def _rows(data: ReportData, opened: set[Cell]) -> list[MatrixRow]:
    strength = cell_strength(data.confusion)
    k = len(data.classes)
    return [
        MatrixRow(
            data.name(t),
            data.short_name(t),
            [_cell(data, (t, p), float(strength[t, p]), (t, p) in opened) for p in range(k)],
        )
        for t in range(k)
    ]


def _cell(data: ReportData, cell: Cell, strength: float, opens: bool) -> MatrixCell:
    true, predicted = cell
    count, total = int(data.confusion[cell]), int(data.confusion[true].sum())
    if not count:
        return MatrixCell(0, "hit" if true == predicted else "none", "0", "", None)
    kind = "hit" if true == predicted else "miss"
    kind += " strong" if strength > 0.85 else " middling" if strength > 0.65 else ""
    label = (
        f"{data.short_name(true)} predicted as {data.short_name(predicted)}: "
        f"{count:,} of {total:,} ({percent(count / total)})"
    )
    return MatrixCell(count, kind, f"{strength:.2f}", label, _panel_id(cell) if opens else None)


def _panel(data: ReportData, cell: Cell, items: list[int], thumbnails: Thumbnails) -> Panel:
    true, predicted = cell
    count, total = int(data.confusion[cell]), int(data.confusion[true].sum())
    caption = f"{count:,} of {format_count(total, 'image')}, {percent(count / total)}."
    if len(items) < count:
        order = "least confident" if true == predicted else "most confident"
        caption += f" Here the {len(items)} {order}; predictions.csv names all."
    return Panel(
        id=_panel_id(cell),
        label=data.short_name(true),
        predicted=None if true == predicted else data.short_name(predicted),
        caption=caption,
        cards=[card_of(data, item, thumbnails) for item in items],
    )


def _panel_id(cell: Cell) -> str:
    return f"cell-{cell[0]}-{cell[1]}"


def _probability(probability: float) -> str:
    """Write a probability without ever rounding to certainty or to impossibility."""
    if 0.995 <= probability < 1:
        return ">" + percent(0.99, 0)
    if 0 < probability < 0.005:
        return "<" + percent(0.01, 0)
    return percent(probability, 0)
