"""Pictures with what they are and what was answered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alexnet.reporting.html.markup import Markup, bdi, element, join, percent
from alexnet.reporting.run.evidence import ReportEvidence
from alexnet.reporting.run.examples import Album, Cases, Cell, as_data_uri
from alexnet.text import counted

__all__ = [
    "cell_id",
    "draw_cell",
    "draw_galleries",
    "draw_pictures",
    "filter_columns",
    "filter_grid",
]


def draw_galleries(evidence: ReportEvidence, cases: Cases, album: Album) -> Markup:
    """Show wrong answers, the most confident first, then right ones: the least sure and the surest.

    Args:
        evidence: what was answered.
        cases: which items to show.
        album: their pictures.
    """
    wrong, right = int((~evidence.right).sum()), int(evidence.right.sum())
    parts: list[Markup] = []
    if wrong:
        caption = _of(len(cases.wrong), wrong, "wrong answer", "most confident first")
        parts.append(_gallery("Wrong", caption, cases.wrong, evidence, album))
    else:
        parts.append(element("p", "Every picture was answered right.", class_="empty"))
    if right:
        caption = _of(len(cases.unsure), right, "right answer", "least sure first")
        parts.append(_gallery("Right, but only just", caption, cases.unsure, evidence, album))
        parts.append(
            _gallery("Right and sure", "The surest of each class.", cases.sure, evidence, album)
        )
    else:
        parts.append(element("p", "No picture was answered right.", class_="empty"))
    return join(*parts)


def draw_pictures(evidence: ReportEvidence, items: Sequence[int], album: Album) -> Markup:
    """Show items as a list of pictures with answer and truth below."""
    return _list([_card(evidence, item, album) for item in items])


def cell_id(cell: Cell) -> str:
    """Return the name under which a cell's pictures are found in the page."""
    return f"cell-{cell[0]}-{cell[1]}"


def draw_cell(evidence: ReportEvidence, cell: Cell, items: Sequence[int], album: Album) -> Markup:
    """Show the pictures behind a cell of the confusion matrix; shown when its link is followed."""
    true, answered = cell
    n, total = int(evidence.confusion[cell]), int(evidence.confusion[true].sum())
    shown = [item for item in items if item in album]
    heading = element(
        "h3", bdi(evidence.short_name(true)), " answered as ", bdi(evidence.short_name(answered))
    )
    if true == answered:
        heading = element("h3", bdi(evidence.short_name(true)), " answered right")
    order = "least sure" if true == answered else "most confident"
    text = f"{n:,} of {counted(total, 'picture')}, {percent(n / total if total else None)}."
    if len(shown) < n:
        text += f" Here the {len(shown)} {order}; predictions.csv names all."
    return element(
        "section",
        heading,
        element("p", text),
        _list([_small_card(evidence, item, album) for item in shown]),
        id=cell_id(cell),
        class_="behind",
        tabindex=-1,
    )


def _of(shown: int, total: int, what: str, order: str) -> str:
    if shown == total:
        return f"{counted(total, what)}, {order}."
    return f"{shown} of {counted(total, what)}, {order}."


def _gallery(
    title: str, caption: str, items: Sequence[int], evidence: ReportEvidence, album: Album
) -> Markup:
    heading = element("h3", title, element("small", caption))
    return element("div", heading, draw_pictures(evidence, items, album), class_="gallery")


def _card(evidence: ReportEvidence, item: int, album: Album) -> Markup:
    path = evidence.paths[item]
    true, answered = int(evidence.labels[item]), int(evidence.answered[item])
    right = bool(evidence.right[item])
    verdict = _says(evidence, answered, float(evidence.answered_probability[item]), "answer")
    truth = _says(evidence, true, float(evidence.true_probability[item]), "truth")
    return element(
        "figure",
        _picture(path, item, album),
        element("figcaption", verdict, None if right else truth),
        class_="card right" if right else "card wrong",
        title=path,
    )


def _small_card(evidence: ReportEvidence, item: int, album: Album) -> Markup:
    """Show a picture whose answer and truth are known from the heading: how sure is enough."""
    sure = _sure(float(evidence.answered_probability[item]))
    path = evidence.paths[item]
    return element(
        "figure",
        _picture(path, item, album),
        element("figcaption", sure),
        class_="card",
        title=path,
    )


def _list(cards: Sequence[Markup]) -> Markup:
    return element("ul", *[element("li", card) for card in cards], class_="pictures", role="list")


def _says(evidence: ReportEvidence, k: int, probability: float, kind: str) -> Markup:
    answer = kind == "answer"
    word = element("span", "answered " if answer else "is ", class_="unseen" if answer else "as")
    name = element("span", word, bdi(evidence.short_name(k)), class_="name")
    return element("span", name, element("span", _sure(probability), class_="p"), class_=kind)


def _sure(probability: float) -> str:
    """Write a probability without ever rounding to certainty or to impossibility."""
    if 0.995 <= probability < 1:
        return ">" + percent(0.99, 0)
    if 0 < probability < 0.005:
        return "<" + percent(0.01, 0)
    return percent(probability, 0)


def _picture(path: str, item: int, album: Album) -> Markup:
    data = album.encoded.get(item)
    if data is None:
        return element("span", "picture not kept", class_="gone")
    return element("img", src=as_data_uri(data), alt=path, decoding="async")


_GREY = 127.5  # of a weight of zero


def filter_columns(count: int) -> int:
    """Return how many kernels stand in a row: 16 for the paper's 96, fewer for few."""
    return 16 if count >= 48 else 8


def filter_grid(filters: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay kernels out row by row, a pixel for each weight, one transparent pixel between them.

    Mid-grey is zero, and each kernel is scaled by its own largest weight, so that weak ones show
    their shape too; a kernel of zeros is grey.

    Args:
        filters: (F, 3, k, k) kernels over RGB.

    Returns:
        (rows * (k + 1) - 1, columns * (k + 1) - 1, 4) uint8 RGBA.
    """
    count, _, k, _ = filters.shape
    columns = min(filter_columns(count), count)
    rows = -(-count // columns)
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    scaled = filters / np.where(largest > 0, largest, 1)
    pixels = np.rint(_GREY + _GREY * np.nan_to_num(scaled)).clip(0, 255).astype(np.uint8)
    grid = np.zeros((rows * (k + 1) - 1, columns * (k + 1) - 1, 4), np.uint8)
    for index, kernel in enumerate(pixels):
        top, left = (k + 1) * (index // columns), (k + 1) * (index % columns)
        grid[top : top + k, left : left + k, :3] = kernel.transpose(1, 2, 0)
        grid[top : top + k, left : left + k, 3] = 255
    return grid
