"""Records as a person reads them: one bounded line in a console, a table in a notebook."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterable, Sequence
from typing import Any, cast

__all__ = ["html_fields", "html_table", "short_repr", "short_value"]

_LETTERS = 80  # of a text or a value
_ITEMS = 3  # of a list that is shown whole
_ROWS = 20  # of a table


def short_repr(record: Any) -> str:
    """Return a record's type and fields; long lists and texts by their length alone."""
    fields = ", ".join(f"{name}={short_value(value)}" for name, value in _fields(record))
    return f"{type(record).__name__}({fields})"


def short_value(value: Any, *, deep: bool = False) -> str:
    """Return a value as Python writes it, or what it is and how long.

    Args:
        value: of a record's field.
        deep: whether it lies in a list or a record already, so that records are only named.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"<{type(value).__name__}>" if deep else _short_record(value)
    if isinstance(value, list | tuple):
        return _short_list(cast("Sequence[Any]", value))
    if isinstance(value, dict):
        count = len(cast("dict[Any, Any]", value))
        return "{}" if not count else f"<{count:,} {'entry' if count == 1 else 'entries'}>"
    if isinstance(value, str) and len(value) > _LETTERS:
        return repr(f"{value[: _LETTERS // 2]}...{value[-_LETTERS // 2 :]}")
    text = repr(value)
    return text if len(text) <= 2 * _LETTERS else f"<{type(value).__name__}>"


def _short_list(values: Sequence[Any]) -> str:
    opening, closing = ("[", "]") if isinstance(values, list) else ("(", ")")
    if len(values) <= _ITEMS:
        inside = ", ".join(short_value(value, deep=True) for value in values)
        if len(inside) <= _LETTERS:
            return f"{opening}{inside}{closing}"
    return f"<{len(values):,} {'item' if len(values) == 1 else 'items'}>"


def _short_record(record: Any) -> str:
    """Return a record within a record: its plain numbers and texts alone."""
    plain = [
        f"{name}={short_value(value, deep=True)}"
        for name, value in _fields(record)
        if isinstance(value, int | float | str) or value is None
    ]
    return f"{type(record).__name__}({', '.join(plain)})"


def _fields(record: Any) -> list[tuple[str, Any]]:
    return [(field.name, getattr(record, field.name)) for field in dataclasses.fields(record)]


def html_fields(record: Any) -> str:
    """Return a table of a record's fields, under the name of its type."""
    rows = [(name, short_value(value)) for name, value in _fields(record)]
    return html_table(("", type(record).__name__), rows, most=len(rows))


def html_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, most: int = _ROWS
) -> str:
    """Return an HTML table; everything in it is escaped.

    Args:
        header: names of the columns.
        rows: cells of each row.
        most: rows that are shown; a last line says how many there are.
    """
    listed = list(rows)
    lines = [_html_row(header, "th"), *(_html_row(row, "td") for row in listed[:most])]
    if len(listed) > most:
        lines.append(_html_row([f"... {len(listed):,} rows", *[""] * (len(header) - 1)], "td"))
    return f"<table>{''.join(lines)}</table>"


def _html_row(cells: Iterable[object], tag: str) -> str:
    style = ' style="text-align: left"'
    return f"<tr>{''.join(f'<{tag}{style}>{html.escape(str(c))}</{tag}>' for c in cells)}</tr>"
