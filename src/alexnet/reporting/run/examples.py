"""Which of the N evaluated pictures a reader should see: the worst answers first."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.reporting.run.evidence import PictureOf, ReportEvidence

__all__ = [
    "MATRIX_CLASSES",
    "Album",
    "Cases",
    "Cell",
    "Pair",
    "as_data_uri",
    "as_png",
    "choose_cases",
    "confused_pairs",
    "make_album",
]

MATRIX_CLASSES = 24  # up to so many classes the matrix is a table of numbers that can be clicked

_WRONG = 24
_SURE = 10
_UNSURE = 10
_IN_A_CELL = 12
_PAIRS = 24

Cell = tuple[int, int]
"""True class, answered class."""


@dataclass(frozen=True)
class Pair:
    """Pictures of one class that were answered as another."""

    true: int
    answered: int
    count: int
    share: float  # of the pictures of the true class, in 0..1


@dataclass(frozen=True)
class Cases:
    """Items to show, each list in the order in which it is shown."""

    wrong: list[int]  # most confidently wrong first
    sure: list[int]  # right: the surest of each class
    unsure: list[int]  # right, but only just: least sure first
    cells: dict[Cell, list[int]]  # behind a cell of the matrix; fullest cell of errors first

    def items(self) -> list[int]:
        """Every item once, the most wanted first: cells give their best pictures in turn."""
        turns = max(map(len, self.cells.values()), default=0)
        behind = (
            cell[turn] for turn in range(turns) for cell in self.cells.values() if turn < len(cell)
        )
        return list(dict.fromkeys([*self.wrong, *self.unsure, *self.sure, *behind]))


def choose_cases(evidence: ReportEvidence) -> Cases:
    """Choose the pictures to show; with 50,000 evaluated ones still only some hundreds."""
    order = np.argsort(-evidence.answered_probability, kind="stable")
    wrong = order[~evidence.right[order]]
    right = order[evidence.right[order]]
    return Cases(
        wrong=wrong[:_WRONG].tolist(),
        sure=_first_of_each(right, evidence.labels)[:_SURE],
        unsure=right[::-1][:_UNSURE].tolist(),
        cells=_cells(evidence, wrong, right),
    )


def confused_pairs(confusion: NDArray[np.int64], limit: int = _PAIRS) -> list[Pair]:
    """Return the classes that are mixed up most often: by count, then by share.

    Args:
        confusion: (K, K) counts, true class by answered class.
        limit: most pairs to return.
    """
    errors = confusion.copy()
    np.fill_diagonal(errors, 0)
    totals = confusion.sum(axis=1)
    pairs = [
        Pair(int(t), int(a), int(errors[t, a]), float(errors[t, a] / totals[t]))
        for t, a in np.argwhere(errors)
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share))[:limit]


def _cells(
    evidence: ReportEvidence, wrong: NDArray[np.int64], right: NDArray[np.int64]
) -> dict[Cell, list[int]]:
    """Return the cells that can be opened: all of a small matrix, else the most confused pairs."""
    small = len(evidence.classes) <= MATRIX_CLASSES
    limit = MATRIX_CLASSES**2 if small else _PAIRS
    cells: dict[Cell, list[int]] = {
        (pair.true, pair.answered): [] for pair in confused_pairs(evidence.confusion, limit)
    }
    if small:
        cells |= {(k, k): [] for k in range(len(evidence.classes))}
    for item in (*wrong.tolist(), *right[::-1].tolist()):  # the least sure of the right ones first
        cell = cells.get((int(evidence.labels[item]), int(evidence.answered[item])))
        if cell is not None and len(cell) < _IN_A_CELL:
            cell.append(item)
    return {key: items for key, items in cells.items() if items}


def _first_of_each(items: Iterable[int], labels: NDArray[np.int64]) -> list[int]:
    """Return the first item of each class, by class."""
    first: dict[int, int] = {}
    for item in items:
        first.setdefault(int(labels[item]), int(item))
    return [first[label] for label in sorted(first)]


_MOST_PX = 128  # longest side of a picture in the page
_SMALL_PX = 64  # up to this side a lossless form is tried: it is often the smaller one
_BUDGET = (
    1_200_000  # bytes of encoded pictures; base64 adds a third, and a page shows one twice at most
)
_PNG = b"\x89PNG"


@dataclass(frozen=True)
class Album:
    """Encoded pictures by item; those that did not fit the budget are not there."""

    encoded: Mapping[int, bytes]

    def __contains__(self, item: int) -> bool:
        """Tell whether the item's picture is here."""
        return item in self.encoded

    def picture(self, item: int) -> NDArray[np.uint8] | None:
        """Return the picture as (H, W, 3) uint8 RGB, or None where it is not here."""
        data = self.encoded.get(item)
        if data is None:
            return None
        with Image.open(io.BytesIO(data)) as image:
            return np.array(image.convert("RGB"))

    @property
    def side_px(self) -> int:
        """The longest side among the pictures; 0 in an empty album."""
        sizes = (Image.open(io.BytesIO(each)).size for each in self.encoded.values())
        return max(map(max, sizes), default=0)


def make_album(picture: PictureOf, items: Iterable[int], *, budget: int = _BUDGET) -> Album:
    """Encode items in their order, as many as the budget of bytes holds.

    Args:
        picture: gives the stored (S, S, 3) uint8 RGB picture of an item, or None.
        items: the most wanted first.
        budget: most bytes of all encoded pictures together.
    """
    encoded: dict[int, bytes] = {}
    room = budget
    for item in items:
        pixels = picture(item)
        if pixels is None:
            continue
        data = _encode(pixels)
        if len(data) > room:
            break
        encoded[item] = data
        room -= len(data)
    return Album(encoded)


def as_data_uri(data: bytes) -> str:
    """Return an encoded PNG or JPEG as the address of an `<img>`."""
    kind = "png" if data.startswith(_PNG) else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode (H, W, 3) RGB or (H, W, 4) RGBA pixels as PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()


def _encode(pixels: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(pixels)
    if (pixels == pixels[:, :, :1]).all():
        image = image.convert("L")
    if max(image.size) > _MOST_PX:
        image.thumbnail((_MOST_PX, _MOST_PX), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88, subsampling=0, optimize=True)
    jpeg = file.getvalue()
    if max(image.size) > _SMALL_PX:
        return jpeg
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return min(file.getvalue(), jpeg, key=len)
