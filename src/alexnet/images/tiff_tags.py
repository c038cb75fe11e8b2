"""What the first directory of a TIFF says of its image.

Source: TIFF 6.0 (Adobe, 1992), its Technical Notes, and BigTIFF.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["TiffTags", "is_tiff", "read_tags"]

_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = dict(zip(_SIZES, "BBHIIbBhiIQqQ", strict=True))
_FRACTION = 5

_DNG_VERSION = 50706


def is_tiff(data: bytes) -> bool:
    """Whether a file begins like a TIFF or a BigTIFF."""
    return data[:4] in _STARTS


@dataclass(frozen=True)
class TiffTags:
    """The whole numbers of a directory, by tag; those that are missing have TIFF's own defaults."""

    order: str  # "<" or ">"
    values: Mapping[int, tuple[int, ...]] = field(repr=False)

    def fractions(self, tag: int, default: tuple[float, ...]) -> tuple[float, ...]:
        """Return the fractions of a tag; the default, too, where one is divided by nothing."""
        found = self.values.get(tag, ())
        above, below = found[::2], found[1::2]
        if len(found) != 2 * len(default) or 0 in below:
            return default
        return tuple(a / b for a, b in zip(above, below, strict=True))

    def one(self, tag: int, default: int) -> int:
        """Return the first number of a tag."""
        return self.values.get(tag, (default,))[0]

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.one(256, 0)

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.one(257, 0)

    @property
    def samples(self) -> int:
        """Numbers of a pixel."""
        return self.one(277, 1)

    @property
    def bits(self) -> tuple[int, ...]:
        """Bits of each sample; some programs write a single number for all."""
        found = self.values.get(258, (1,))
        return found if len(found) > 1 else found * max(1, min(self.samples, 64))

    @property
    def formats(self) -> tuple[int, ...]:
        """1 without sign, 2 with sign, 3 floating point, 4 undefined, 5 and 6 complex."""
        return self.values.get(339, (1,))

    @property
    def compression(self) -> int:
        """1 is none."""
        return self.one(259, 1)

    @property
    def photometric(self) -> int:
        """0 white is zero, 1 black is zero, 2 RGB, 3 palette, 5 CMYK, 6 YCbCr, 8 L*a*b*."""
        return self.one(262, 1)

    @property
    def is_planar(self) -> bool:
        """Whether each sample has a plane of its own."""
        return self.one(284, 1) == 2 and self.samples > 1

    @property
    def predictor(self) -> int:
        """1 none, 2 differences of neighbors, 3 the same for floating point."""
        return self.one(317, 1)

    @property
    def extra_samples(self) -> tuple[int, ...]:
        """Of samples behind the colors: 0 unknown, 1 alpha multiplied in, 2 alpha."""
        return self.values.get(338, ())

    @property
    def orientation(self) -> int:
        """As of EXIF; 1, upright, where it makes no sense."""
        found = self.one(274, 1)
        return found if found in range(1, 9) else 1

    @property
    def is_preview(self) -> bool:
        """Whether it is a small copy of an image that lies elsewhere: a camera's raw file."""
        return bool(self.one(254, 0) & 1) and 330 in self.values

    @property
    def is_dng(self) -> bool:
        """Whether it is a Digital Negative."""
        return _DNG_VERSION in self.values


def read_tags(data: bytes) -> TiffTags | None:
    """Return the first directory of a TIFF; None: it is something else, or cut off."""
    if not is_tiff(data):
        return None
    order = "<" if data[:2] == b"II" else ">"
    is_big = 43 in data[2:4]
    try:
        if is_big:
            (start,) = struct.unpack_from(f"{order}Q", data, 8)
            (count,) = struct.unpack_from(f"{order}Q", data, start)
        else:
            (start,) = struct.unpack_from(f"{order}I", data, 4)
            (count,) = struct.unpack_from(f"{order}H", data, start)
        first, step = (start + 8, 20) if is_big else (start + 2, 12)
        values: dict[int, tuple[int, ...]] = {}
        for offset in range(first, first + min(count, 4096) * step, step):
            tag, numbers = _read_entry(data, offset, order, is_big)
            if numbers:
                values.setdefault(tag, numbers)
    except (struct.error, OverflowError):
        return None
    return TiffTags(order, values)


def _read_entry(data: bytes, offset: int, order: str, is_big: bool) -> tuple[int, tuple[int, ...]]:
    """Return tag and numbers of an entry, two of each fraction; none of floating point."""
    head, inline = (f"{order}HHQ", 8) if is_big else (f"{order}HHI", 4)
    tag, kind, count = struct.unpack_from(head, data, offset)
    place = offset + struct.calcsize(head)
    size = _SIZES.get(kind, 0) * count
    if not size or size > len(data):
        return tag, ()
    if size > inline:
        (place,) = struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", data, place)
    count = 2 * count if kind == _FRACTION else count
    return tag, struct.unpack_from(f"{order}{count}{_LETTERS[kind]}", data, place)
