"""JSON Lines as a table: an object a line, its keys the names of the columns."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, cast

from alexnet.errors import SourceError

__all__ = ["JSON_LINES", "json_lines_as_csv"]

JSON_LINES = (".jsonl", ".ndjson")


def json_lines_as_csv(where: str, data: bytes) -> bytes:
    """Return the objects of JSON Lines as a CSV table.

    Args:
        where: the file, for sentences.
        data: its bytes.

    Raises:
        SourceError: a line is no object.
    """
    rows = [
        _parse(where, number, line)
        for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), 1)
        if line.strip()
    ]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> Any:
    """Return a value as a cell; of a list of one element this element."""
    if isinstance(value, list) and len(cast("list[Any]", value)) == 1:
        value = cast("list[Any]", value)[0]
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else value


def _parse(where: str, number: int, line: str) -> dict[str, Any]:
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise SourceError(
            f"{where}, line {number}: that is no object of JSON. Write one in each line, such as "
            '{"path": "0.jpg", "label": "cat"}'
        )
    return cast("dict[str, Any]", value)
