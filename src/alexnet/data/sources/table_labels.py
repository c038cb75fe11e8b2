"""What the cells of a table mean as labels and as splits, once all of them are known."""

from __future__ import annotations

import ast
import logging
import re
from array import array
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from alexnet.data.sources.names import normalize_name, split_code
from alexnet.data.sources.table_columns import SplitColumn
from alexnet.errors import SourceError
from alexnet.text import quote_names

__all__ = ["DistinctTexts", "clean_labels", "read_splits", "whole_number"]

_log = logging.getLogger(__name__)

_FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?")
_NO_VALUE = frozenset(["nan", "<na>", "null", "none", "na", "n/a", "nat"])
_BOOLEANS = {"true": "True", "false": "False"}
_YES_NO = {
    **dict.fromkeys(("true", "1", "1.0", "yes", "t", "y"), True),
    **dict.fromkeys(("false", "0", "0.0", "no", "f", "n"), False),
}
_OTHER_SPLITS = {"publictest": 2, "privatetest": 3, "dev": 2}  # those of Kaggle, of speech and text
_MOST_DIGITS = 40  # of a label that is a number


class DistinctTexts:
    """Many texts, few of them different: each as the number of its first appearance."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.cells = array("q")

    def add(self, text: str) -> None:
        """Add the text of one more row."""
        self.cells.append(self.numbers.setdefault(text, len(self.numbers)))


def whole_number(text: str) -> str:
    """Return "3" for "3.0" and "3e0"; any other text as it is."""
    if text.lstrip("+-").isdecimal() or not _FLOAT.fullmatch(text):
        return text
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    if value.adjusted() > _MOST_DIGITS or value != value.to_integral_value():
        return text
    return str(int(value))


def clean_labels(where: str, texts: Sequence[str], *, say: bool = True) -> dict[str, str]:
    """Return the class of each label: one spelling for what means the same in any kind of table.

    Unicode is composed; where all labels are numbers, whole ones lose their point; booleans are
    spelled as Python does; lists of one element are taken apart.

    Args:
        where: the table, for sentences.
        texts: the labels that differ.
        say: whether to say what was changed.

    Raises:
        SourceError: labels that are lists of several or of none, or dictionaries.
    """
    composed = {text: normalize_name(text) for text in texts}
    composed = _take_lists_apart(where, composed)
    values = set(composed.values())
    folded = {value.casefold() for value in values}
    if folded <= set(_BOOLEANS):
        spelled = {text: _BOOLEANS[value.casefold()] for text, value in composed.items()}
        return spelled if len(set(spelled.values())) == len(values) else composed
    nothing = sorted(value for value in values if value.casefold() in _NO_VALUE)
    numbers = values.difference(nothing)
    if numbers and all(map(_FLOAT.fullmatch, numbers)):
        if nothing:
            raise SourceError(
                f'{where}: the label is "{nothing[0]}" in some rows and a number in the others. '
                "Fill it in, or take these rows away."
            )
        return _without_points(where, composed, numbers, say=say)
    if nothing and say:
        _log.warning(
            "%s: %s is taken for a class, and programs write it for an empty cell.",
            where,
            quote_names(nothing),
        )
    return composed


def _without_points(
    where: str, labels: dict[str, str], numbers: set[str], *, say: bool
) -> dict[str, str]:
    """Return whole numbers without their point, unless that joins labels that differ."""
    short = {number: whole_number(number) for number in numbers}
    changed = sorted(number for number in numbers if short[number] != number)
    if not changed or len(set(short.values())) < len(numbers):
        return labels
    if say:
        _log.info(
            "%s: labels such as %s are whole numbers and become classes such as %s.",
            where,
            quote_names(changed[:1]),
            quote_names([short[changed[0]]]),
        )
    return {text: short[number] for text, number in labels.items()}


def _take_lists_apart(where: str, labels: dict[str, str]) -> dict[str, str]:
    """Return what lists of one element hold, where all labels are lists written out."""
    if not labels or not all(_is_bracketed(value) for value in labels.values()):
        return labels
    apart: dict[str, str] = {}
    for text, value in labels.items():
        try:
            read = cast("object", ast.literal_eval(value))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            read = None
        elements = cast("list[Any]", read) if isinstance(read, list) else []
        quoted = len(re.findall("['\"]", value)) > 2  # 'a' 'b' would be read as one text
        if len(elements) != 1 or quoted or isinstance(elements[0], list | dict | tuple):
            kind = "dictionary" if value.startswith("{") else "list"
            raise SourceError(
                f"{where}: labels are written as a {kind}, such as {value[:80]}, and an image has "
                "one class here. Write one name in every cell of that column."
            )
        apart[text] = normalize_name(str(elements[0]).strip())
    return apart


def _is_bracketed(text: str) -> bool:
    return (text[:1], text[-1:]) in (("[", "]"), ("{", "}"))


def read_splits(
    where: str,
    columns: Sequence[SplitColumn],
    cells: Sequence[DistinctTexts],
    rows: int,
    *,
    say: bool = True,
) -> NDArray[np.uint8] | None:
    """Return the splits that columns of other names than `split` say; None: none can be read.

    Args:
        where: the table, for sentences.
        columns: those that may tell it, the likeliest first.
        cells: what is in them.
        rows: N.
        say: whether to say which columns are read and which are not.

    Returns:
        (N,) uint8, positions in `SPLITS`.

    Raises:
        SourceError: folds, of which nobody can tell which one is held out; rows that are of two
            splits by their columns.
    """
    splits: NDArray[np.uint8] | None = None
    of_flags: list[str] = []
    for column, texts in zip(columns, cells, strict=True):
        codes = _codes(column, texts.numbers)
        if codes is None:
            _pass_over(
                where, column, texts.numbers, level=logging.WARNING if say else logging.DEBUG
            )
            continue
        here = np.array(codes, dtype=np.uint8)[np.array(texts.cells, dtype=np.int64)]
        if splits is None:
            splits = here
            of_flags = [column.name] if column.flag else []
            level = logging.INFO if say else logging.DEBUG
            _log.log(level, '%s: the column "%s" is read as the split.', where, column.name)
        elif column.flag and of_flags:
            splits = _merge_flags(where, splits, here, [*of_flags, column.name])
            of_flags.append(column.name)
        else:
            level = logging.WARNING if say else logging.DEBUG
            _log.log(level, '%s: the column "%s" is passed over.', where, column.name)
    return splits if splits is None or len(splits) == rows else None


def _codes(column: SplitColumn, texts: Iterable[str]) -> list[int] | None:
    codes: list[int] = []
    for text in texts:
        if column.flag:
            yes = _YES_NO.get(text.casefold())
            code = None if yes is None else column.flag if yes else column.otherwise
        else:
            code = split_code(text)
            code = _OTHER_SPLITS.get(re.sub("[^a-z]", "", text.casefold()), code)
        if code is None or code == 0:
            return None
        codes.append(code)
    return codes


def _pass_over(where: str, column: SplitColumn, texts: dict[str, int], *, level: int) -> None:
    values = quote_names(list(texts))
    if column.is_fold:
        raise SourceError(
            f'{where} has a column "{column.name}" ({values}), and which of its folds is held out '
            'is not said. Write train, val or test for each row into a column "split", or give '
            f'"{column.name}" another name to train without it.'
        )
    _log.log(
        level,
        '%s: the column "%s" (%s) names no splits and is passed over. If it tells which images are '
        'for what, write train, val or test for each row into a column "split".',
        where,
        column.name,
        values,
    )


def _merge_flags(
    where: str, splits: NDArray[np.uint8], more: NDArray[np.uint8], names: Sequence[str]
) -> NDArray[np.uint8]:
    """Return the splits of several columns of yes and no: train is what none of them holds out."""
    held_out = (splits > 1) & (more > 1) & (splits != more)
    if held_out.any():
        raise SourceError(
            f"{where}: row {int(np.flatnonzero(held_out)[0]) + 1} is of two splits by its columns "
            f"{quote_names(names)}. Write train, val or test for each row into a column "
            '"split".'
        )
    return np.maximum(splits, more)
