"""Arrays and plain values as bytes and back, without pickle: what a task returns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FieldBytes", "pack_fields", "unpack_fields"]

_HEAD_BYTES = 8
FieldBytes = bytes
"""A length, a JSON object that describes the arrays and holds the plain values, their numbers."""


def pack_fields(arrays: Mapping[str, NDArray[Any]], values: Any = None) -> FieldBytes:
    """Return arrays and plain values as bytes; equal ones give equal bytes.

    Args:
        arrays: by name; of numbers, texts of one width, or fields of those.
        values: what JSON can hold.
    """
    import numpy as np

    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    described = [
        [name, np.lib.format.dtype_to_descr(array.dtype), list(array.shape)]
        for name, array in whole.items()
    ]
    head = json.dumps({"arrays": described, "values": values}).encode()
    parts = [len(head).to_bytes(_HEAD_BYTES, "little"), head]
    return b"".join([*parts, *(array.tobytes() for array in whole.values())])


def unpack_fields(data: FieldBytes) -> tuple[dict[str, NDArray[Any]], Any]:
    """Return what `pack_fields` was given; the arrays are read-only."""
    import numpy as np

    start = _HEAD_BYTES + int.from_bytes(data[:_HEAD_BYTES], "little")
    head = json.loads(data[_HEAD_BYTES:start])
    arrays: dict[str, NDArray[Any]] = {}
    for name, description, shape in head["arrays"]:
        kind = np.lib.format.descr_to_dtype(_as_description(description))
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(data, kind, count, start).reshape(shape)
        start += count * kind.itemsize
    return arrays, head["values"]


def _as_description(description: Any) -> Any:
    """Return NumPy's description of a type after its way through JSON, which has no tuples."""
    if isinstance(description, str):
        return description
    fields = cast("list[list[Any]]", description)
    return [
        tuple(tuple(cast("list[int]", part)) if isinstance(part, list) else part for part in each)
        for each in fields
    ]
