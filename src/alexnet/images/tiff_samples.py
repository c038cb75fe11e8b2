"""The samples of a TIFF: from packed bytes to numbers, and from numbers to RGB.

Legend: h rows, w columns, s samples of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.images.conversion import white_of_floats
from alexnet.images.tiff_tags import TiffTags

__all__ = ["SampleRule", "UnsupportedKind", "unpack_samples"]

_DEEP_WHITE = 65535  # of 32 bits, as far as the numbers allow it
_MOST = 2.0**32  # of floating point: what is counted or measured of light stays below
_LUMA = (0.299, 0.587, 0.114)  # of YCbCr, where YCbCrCoefficients are missing
_BLACK_AND_WHITE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)  # of Y, Cb and Cr
_NO_SIGN = {8: "u1", 16: "u2", 32: "u4"}
_FLOATS = {16: "f2", 32: "f4", 64: "f8"}


class UnsupportedKind(Exception):
    """A kind of a known format that is not read; the text is the reason, as a phrase."""


def unpack_samples(
    raw: NDArray[np.uint8], tags: TiffTags, columns: int, samples: int
) -> NDArray[np.generic]:
    """Return the numbers that some rows of bytes hold, differences added up.

    Args:
        raw: (h, bytes of a row).
        tags: of the file.
        columns: w.
        samples: s.

    Returns:
        (h, w, s) whole numbers without or with sign, or floating point.

    Raises:
        ValueError: differences of a kind that no program writes.
    """
    bits, is_float = tags.bits[0], tags.formats[0] == 3
    count = columns * samples
    if tags.predictor == 3 and is_float:
        return _undo_float_differences(raw, bits // 8, columns, samples)
    kinds = _FLOATS if is_float else _NO_SIGN
    if bits in kinds:
        numbers = np.ascontiguousarray(raw).view(tags.order + kinds[bits])[:, :count]
        numbers = numbers.astype(numbers.dtype.newbyteorder("="))
    else:
        numbers = _join_bits(raw, bits, count)
    numbers = numbers.reshape(-1, columns, samples)
    if tags.predictor == 2:
        if bits not in _NO_SIGN or is_float:
            raise ValueError(f"differences of {bits} bits a sample")
        numbers = np.cumsum(numbers, axis=1, dtype=numbers.dtype)
    elif tags.predictor not in (0, 1):
        raise ValueError(f"the predictor {tags.predictor}")
    return numbers.view(np.int32) if tags.formats[0] == 2 else numbers


def _join_bits(raw: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint32]:
    """Return numbers of any bits, the most significant one first; a row begins with a byte."""
    single = np.unpackbits(raw, axis=1, count=count * bits).reshape(len(raw), count, bits)
    numbers = np.zeros((len(raw), count), dtype=np.uint32)
    for bit in range(bits):
        numbers = (numbers << np.uint32(1)) | single[:, :, bit]
    return numbers


def _undo_float_differences(
    raw: NDArray[np.uint8], size: int, columns: int, samples: int
) -> NDArray[np.generic]:
    """Undo Technical Note 3: differences of bytes; a row has its numbers' first bytes first."""
    count = columns * samples
    bytes_of_row = raw[:, : size * count].reshape(len(raw), -1, samples)
    planes = np.cumsum(bytes_of_row, axis=1, dtype=np.uint8).reshape(len(raw), size, count)
    numbers = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(f">f{size}")
    return numbers.reshape(-1, columns, samples).astype(f"f{size}")


@dataclass(frozen=True)
class SampleRule:
    """What the samples of a pixel mean: white, black, colors, and how much of the ground shows."""

    tags: TiffTags
    colors: int  # samples that are colors: 1, 3 or 4
    alpha: int | None = field(init=False)  # which sample is alpha

    def __post_init__(self) -> None:
        extra = self.tags.extra_samples
        places = [self.colors + i for i, kind in enumerate(extra) if kind in (1, 2)]
        alpha = places[0] if places and places[0] < self.tags.samples else None
        object.__setattr__(self, "alpha", alpha)

    @property
    def looks_first(self) -> bool:
        """Whether white is what the largest number of the image says: there is no agreed one."""
        return self.tags.formats[0] == 3 or self.tags.bits[0] == 32

    def largest(self, rows: NDArray[np.generic]) -> float:
        """Return the largest finite color of some rows.

        Raises:
            UnsupportedKind: some are below 0, or larger than any white.
        """
        colors = rows[:, :, : self.colors]
        colors = colors[np.isfinite(colors)]
        if self.tags.formats[0] == 2 and colors.min(initial=0) < 0:
            raise UnsupportedKind(
                "some of its numbers are below 0, and which of them is black is not said"
            )
        largest = float(colors.max(initial=0))
        if self.tags.formats[0] == 3 and largest > _MOST:
            raise UnsupportedKind(
                f"its numbers reach {largest:.2g}, and which of them is white is not said"
            )
        return largest

    def to_rgb(self, rows: NDArray[np.generic], largest: float) -> NDArray[np.uint8]:
        """Return (h, w, 3) uint8 of (h, w, s) numbers.

        Args:
            rows: the numbers.
            largest: of the whole image, where the rule looks first.
        """
        if self.tags.photometric == 3:
            return self._over_white(self._look_up(rows[:, :, 0]), rows, 255.0)
        if self.tags.photometric == 6:
            return self._over_white(self._from_luma(rows), rows, 255.0)
        white = self._white(largest)
        levels = np.clip(_finite(rows[:, :, : self.colors]), 0, white) * (255.0 / white)
        if self.tags.photometric == 0:
            levels = 255.0 - levels
        if self.colors == 4:
            inks = np.rint(levels).astype(np.uint8)
            levels = np.asarray(Image.fromarray(inks, "CMYK").convert("RGB")).astype(np.float64)
        return self._over_white(levels, rows, white)

    def _white(self, largest: float) -> float:
        if not self.looks_first:
            return float(2 ** self.tags.bits[0] - 1)
        if self.tags.formats[0] == 3:
            return white_of_floats(largest)
        highest = 2**31 - 1 if self.tags.formats[0] == 2 else 2**32 - 1
        return float(_DEEP_WHITE if largest <= _DEEP_WHITE else highest)

    def _over_white(
        self, levels: NDArray[np.float64], rows: NDArray[np.generic], white: float
    ) -> NDArray[np.uint8]:
        if self.alpha is not None:
            if self.tags.photometric == 3:
                white = float(2 ** self.tags.bits[0] - 1)
            alpha = np.clip(_finite(rows[:, :, self.alpha : self.alpha + 1]) / white, 0, 1)
            multiplied = self.tags.extra_samples[self.alpha - self.colors] == 1
            levels = (levels if multiplied else levels * alpha) + 255.0 * (1 - alpha)
        rgb = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        return np.repeat(rgb, 3, axis=2) if rgb.shape[2] == 1 else rgb

    def _from_luma(self, rows: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return RGB of Y, Cb and Cr of 8 bits, as the coefficients of the file have it."""
        red, green, blue = self.tags.fractions(529, _LUMA)
        ends = self.tags.fractions(532, _BLACK_AND_WHITE)
        y, cb, cr = (
            (rows[:, :, i].astype(np.float64) - ends[2 * i])
            * (full / ((ends[2 * i + 1] - ends[2 * i]) or full))
            for i, full in enumerate((255, 127, 127))
        )
        r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
        g = (y - red * r - blue * b) / (green or 1.0)
        return np.clip(np.stack([r, g, b], axis=2), 0, 255)

    def _look_up(self, numbers: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return the colors of a palette; some programs fill it with 8 bits instead of 16."""
        table = np.array(self.tags.values.get(320, ()), dtype=np.int64)
        count = len(table) // 3
        if not count or int(numbers.max(initial=0)) >= count:
            raise ValueError("its palette is missing or too short")
        eight = table if table.max() < 256 else table >> 8
        return eight.reshape(3, count).T[numbers.astype(np.int64)].astype(np.float64)


def _finite(numbers: NDArray[np.generic]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):  # some NaNs warn when they are cast
        return np.nan_to_num(numbers.astype(np.float64), nan=0.0)
