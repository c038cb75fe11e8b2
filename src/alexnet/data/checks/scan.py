"""Scanning a source: every image is read and decoded in full, and little is kept of it.

Legend: N files of the source, n of them that can be read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.data.checks.hashing import HASH_BITS, THUMBNAIL_PX, dct_coefficients, thumbnail
from alexnet.data.sources.parallel_decoding import ImageFiles, decode_files
from alexnet.images import (
    UnreadableImage,
    apply_orientation,
    decode_unoriented,
    detect_format,
    is_truncated,
)
from alexnet.progress import track

__all__ = ["CUT_OFF", "Scan", "join_scans", "scan_images", "scan_some"]

CUT_OFF = "it is cut off"
"""How the reason of an unreadable file begins whose end is missing."""

_BATCH = 128
_SAMPLED_PX = 64  # down and across: whether an image is gray or blank is seen on so many pixels
_MAX_GRAY_SPREAD = 8  # levels between the channels of a pixel that is gray
_MAX_COLORED_SHARE = 0.01  # of the sampled pixels of a gray image
_MAX_BLANK_STD = 3.0  # levels; an image of one color has less, even after compression
_MAX_BLANK_RANGE = 12  # levels between the parts of its thumbnail

_FIELDS = [
    ("width", "<u4"),
    ("height", "<u4"),
    ("format", "S12"),
    ("turned", "?"),
    ("truncated", "?"),
    ("gray", "?"),
    ("blank", "?"),
    ("digest", "u1", 16),
]
_THUMBNAIL = ("thumbnail", "u1", (THUMBNAIL_PX, THUMBNAIL_PX, 3))
FACTS: np.dtype[Any] = np.dtype(_FIELDS)
_ROW: np.dtype[Any] = np.dtype([*_FIELDS, _THUMBNAIL])


@dataclass(frozen=True, eq=False)
class Scan:
    """What is known of the images of a source: some 200 bytes each."""

    indices: NDArray[np.int64]  # (n,) in the source, rising
    facts: NDArray[Any]  # (n,) of the fields of `FACTS`; the digest is of size and upright pixels
    coefficients: NDArray[np.float16]  # (n, 64), see `hashing`
    unreadable: list[tuple[int, str]]  # index and reason of the others


def scan_images(source: ImageFiles, count: int, *, workers: int | None = None) -> Scan:
    """Read and decode every image of a source, in parallel.

    Args:
        source: gives names and bytes.
        count: N.
        workers: threads; None: one for each core.
    """
    with track("scanning images", count) as advance:

        def counted() -> Iterator[Scan]:
            for part in scan_some(source, np.arange(count), workers=workers):
                yield part
                advance(len(part.indices) + len(part.unreadable))

        return join_scans(counted(), count)


def scan_some(
    source: ImageFiles, indices: NDArray[np.int64], *, workers: int | None = None
) -> Iterator[Scan]:
    """Scan some images, batch by batch, in order; arguments as for `scan_images`."""
    for part, flat, failures in decode_files(
        source, indices, _scan_image, batch_size=_BATCH, workers=workers
    ):
        rows = flat.reshape(len(part), _ROW.itemsize).view(_ROW)[:, 0]
        facts = np.zeros(len(part), dtype=FACTS)
        for name in FACTS.names or ():
            facts[name] = rows[name]
        yield Scan(part, facts, dct_coefficients(rows["thumbnail"]), failures)


def join_scans(scans: Iterable[Scan], count: int) -> Scan:
    """Return the scan of N images from those of its parts, in order."""
    facts = np.zeros(count, dtype=FACTS)
    coefficients = np.zeros((count, HASH_BITS), dtype=np.float16)
    indices = np.zeros(count, dtype=np.int64)
    unreadable: list[tuple[int, str]] = []
    filled = 0
    for scan in scans:
        end = filled + len(scan.indices)
        indices[filled:end] = scan.indices
        facts[filled:end] = scan.facts
        coefficients[filled:end] = scan.coefficients
        unreadable += scan.unreadable
        filled = end
    return Scan(indices[:filled], facts[:filled], coefficients[:filled], unreadable)


def _scan_image(data: bytes, name: str) -> NDArray[np.uint8]:
    """Return what is kept of one image, as the bytes of a `_ROW`."""
    try:
        stored = decode_unoriented(data, name)
    except UnreadableImage as error:
        if is_truncated(data):
            raise UnreadableImage(name, f"{CUT_OFF}: {error.reason}") from error
        raise
    pixels = apply_orientation(stored.pixels, stored.orientation)
    height, width = pixels.shape[:2]
    small = thumbnail(pixels)
    sample = pixels[:: -(-height // _SAMPLED_PX), :: -(-width // _SAMPLED_PX)]
    row = np.zeros(1, dtype=_ROW)
    row["width"], row["height"] = width, height
    row["format"] = (detect_format(data) or "unknown").encode()
    row["turned"], row["truncated"] = stored.orientation != 1, is_truncated(data)
    row["gray"], row["blank"] = _is_gray(sample), _is_blank(sample, small)
    row["digest"] = np.frombuffer(_digest(pixels), dtype=np.uint8)
    row["thumbnail"] = small
    return row.view(np.uint8)


def _digest(pixels: NDArray[np.uint8]) -> bytes:
    state = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    state.update(pixels.data)
    return state.digest()


def _is_gray(sample: NDArray[np.uint8]) -> bool:
    spread = sample.max(axis=2) - sample.min(axis=2)
    return int(np.count_nonzero(spread > _MAX_GRAY_SPREAD)) <= _MAX_COLORED_SHARE * spread.size


def _is_blank(sample: NDArray[np.uint8], small: NDArray[np.uint8]) -> bool:
    """Whether nothing is to be seen, neither in single pixels nor in larger parts."""
    flat = small.reshape(-1, 3)
    if int((flat.max(axis=0) - flat.min(axis=0)).max()) > _MAX_BLANK_RANGE:
        return False
    return float(sample.reshape(-1, 3).std(axis=0).max()) < _MAX_BLANK_STD
