"""The base of all records: plain values that are written as one JSON object."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, cast

from alexnet.records.reprs import html_fields, short_repr

__all__ = [
    "Record",
    "plain_values",
]


@dataclass(frozen=True, kw_only=True)
class Record:
    """A value that is written as one JSON object: field names, plain values."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Keep `dataclass` from giving a subclass a repr of its own, with all of its lists."""
        super().__init_subclass__(**options)
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = Record.__repr__

    def __repr__(self) -> str:
        """Return the fields on one line, long lists by their length."""
        return short_repr(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a table of the fields."""
        return html_fields(self)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values; numbers that are not finite become None."""
        return {f.name: plain_values(getattr(self, f.name)) for f in dataclasses.fields(self)}


def plain_values(value: Any) -> Any:
    """Return what JSON can hold: records as objects, tuples as lists, no NaN and no infinity."""
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain_values(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {str(key): plain_values(each) for key, each in items}
    return value
