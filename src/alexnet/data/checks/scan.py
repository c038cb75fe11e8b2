"""Looking at every picture of a source: each is read and decoded in full, and little is kept of it.

Legend: N files of the source, n of them that can be read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.data.checks.hashing import HASH_BITS, THUMBNAIL_PX, waves
from alexnet.data.loading.decoding import Readable, decoded
from alexnet.images import UnreadablePicture, decode_as_stored, ends_early, format_of, turned
from alexnet.progress import track

__all__ = ["CUT_OFF", "Seen", "look_at"]

CUT_OFF = "it is cut off"
"""How the reason of an unreadable file begins whose end is missing."""

_BATCH = 128
_SAMPLED_PX = 64  # grey and blank are asked of about so many pixels down and across
_COLOURFUL = 8  # levels between the channels of a pixel that is not grey
_COLOURED_SHARE = 0.01  # of the sampled pixels; more make a picture coloured
_PLAIN_DEVIATION = 3.0  # levels; a picture of one colour has less, even after compression
_PLAIN_RANGE = 12  # levels between the parts of its thumbnail

_ABOUT = [
    ("width", "<u4"),
    ("height", "<u4"),
    ("format", "S12"),
    ("turned", "?"),
    ("cut_off", "?"),
    ("grey", "?"),
    ("blank", "?"),
    ("digest", "u1", 16),
]
_THUMBNAIL = ("thumbnail", "u1", (THUMBNAIL_PX, THUMBNAIL_PX, 3))
ABOUT: np.dtype[Any] = np.dtype(_ABOUT)
_ROW: np.dtype[Any] = np.dtype([*_ABOUT, _THUMBNAIL])


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of the pictures of a source after each was looked at: some 200 bytes each."""

    indices: NDArray[np.int64]  # (n,) in the source, rising
    about: NDArray[Any]  # (n,) of the fields of `ABOUT`; the digest is of size and upright pixels
    waves: NDArray[np.float16]  # (n, 64), see perceptual_hash
    unreadable: list[tuple[int, str]]  # index and reason of the others


def look_at(source: Readable, count: int, *, workers: int | None = None) -> Seen:
    """Read and decode every picture of a source, in parallel.

    Args:
        source: gives names and bytes.
        count: N.
        workers: threads; None: one for each core.
    """
    about = np.zeros(count, dtype=ABOUT)
    found = np.zeros((count, HASH_BITS), dtype=np.float16)
    indices = np.zeros(count, dtype=np.int64)
    unreadable: list[tuple[int, str]] = []
    filled = 0
    with track("looking at pictures", count) as advance:
        for part, flat, failures in decoded(
            source, np.arange(count), _look, batch=_BATCH, workers=workers
        ):
            rows = flat.reshape(len(part), _ROW.itemsize).view(_ROW)[:, 0]
            end = filled + len(part)
            indices[filled:end] = part
            for name in ABOUT.names or ():
                about[name][filled:end] = rows[name]
            found[filled:end] = waves(rows["thumbnail"])
            unreadable += failures
            filled = end
            advance(len(part) + len(failures))
    return Seen(indices[:filled], about[:filled], found[:filled], unreadable)


def _look(data: bytes, name: str) -> NDArray[np.uint8]:
    """Return what is kept of one picture, as the bytes of a `_ROW`."""
    try:
        stored = decode_as_stored(data, name)
    except UnreadablePicture as error:
        if ends_early(data):
            raise UnreadablePicture(name, f"{CUT_OFF}: {error.reason}") from error
        raise
    pixels = turned(stored.pixels, stored.orientation)
    height, width = pixels.shape[:2]
    small = _thumbnail(pixels)
    sample = pixels[:: -(-height // _SAMPLED_PX), :: -(-width // _SAMPLED_PX)]
    row = np.zeros(1, dtype=_ROW)
    row["width"], row["height"] = width, height
    row["format"] = (format_of(data) or "unknown").encode()
    row["turned"], row["cut_off"] = stored.orientation != 1, ends_early(data)
    row["grey"], row["blank"] = _is_grey(sample), _is_blank(sample, small)
    row["digest"] = np.frombuffer(_digest(pixels), dtype=np.uint8)
    row["thumbnail"] = small
    return row.view(np.uint8)


def _digest(pixels: NDArray[np.uint8]) -> bytes:
    found = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    found.update(pixels.data)
    return found.digest()


def _thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Squash a picture to a small square, by a filter that hardly cares what size it had."""
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def _is_grey(sample: NDArray[np.uint8]) -> bool:
    spread = sample.max(axis=2) - sample.min(axis=2)
    return int(np.count_nonzero(spread > _COLOURFUL)) <= _COLOURED_SHARE * spread.size


def _is_blank(sample: NDArray[np.uint8], small: NDArray[np.uint8]) -> bool:
    """Whether nothing is to be seen, neither in single pixels nor in larger parts."""
    flat = small.reshape(-1, 3)
    if int((flat.max(axis=0) - flat.min(axis=0)).max()) > _PLAIN_RANGE:
        return False
    return float(sample.reshape(-1, 3).std(axis=0).max()) < _PLAIN_DEVIATION
