"""The boxes in which JPEG 2000 and JPEG XL lie: a length, a kind of four letters, a content."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["iter_boxes"]


def iter_boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start of the content and end of each box.

    Args:
        data: the file.
        start: of the first box.
        end: of the last one.

    Source: ISO/IEC 15444-1, annex I.4.
    """
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1 and start + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        stop = end if size == 0 else start + size
        yield kind, start + head, min(stop, end)
        if stop < start + head:
            return
        start = stop
