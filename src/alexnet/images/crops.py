"""Crops out of stored pictures: compiled where numba is there, the same bits by numpy elsewhere.

Legend: n pictures, S side of a stored picture, c side of a crop.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.images.stored import StoredPictures

__all__ = ["cut_boxes", "cut_squares", "cut_to_numbers"]

_WORTH_IT = 16
"""Pictures from which on kernels are fetched: loading numba takes as long as a thousand crops."""


def cut_squares(
    stored: StoredPictures,
    top: NDArray[np.int64],
    left: NDArray[np.int64],
    mirror: NDArray[np.bool_],
    crops: NDArray[np.uint8],
) -> None:
    """Copy one square of each picture, mirrored where that is asked for.

    Args:
        stored: n pictures of S x S pixels.
        top: (n,) first row of each crop.
        left: (n,) first column of each crop.
        mirror: (n,) whether left and right change places.
        crops: (n, c, c, 3) uint8, written.
    """
    n, c = crops.shape[:2]
    if n >= _WORTH_IT and (compiled := _kernels()) is not None:
        for part in stored.parts:
            lying = _lines(part.pictures), part.places, part.rows
            compiled.cut_bytes(*lying, top, left, mirror, crops.reshape(n, c, 3 * c))
        return
    for pictures, places, rows in stored.parts:
        for place, i in zip(places.tolist(), rows.tolist(), strict=True):
            window = pictures[place, top[i] : top[i] + c, left[i] : left[i] + c]
            crops[i] = window[:, ::-1] if mirror[i] else window


def cut_to_numbers(
    stored: StoredPictures,
    top: NDArray[np.int64],
    left: NDArray[np.int64],
    mirror: NDArray[np.bool_],
    crop_px: int,
    *,
    mean: NDArray[np.float32] | None,
    mean_at_crop: bool,
    shift: NDArray[np.float32] | None,
    divisor: NDArray[np.float32] | None,
) -> NDArray[np.float32] | None:
    """Give (crop - mean + shift) / divisor in one pass; None where that must be done by numpy.

    Args:
        stored: n pictures of S x S pixels.
        top: (n,) first row of each crop.
        left: (n,) first column of each crop.
        mirror: (n,) whether left and right change places.
        crop_px: c.
        mean: (S, S, 3), (3,) or nothing.
        mean_at_crop: whether a mean image is cut and mirrored with the crop, or always central.
        shift: (n, 3) or nothing.
        divisor: (3,) or nothing.

    Returns:
        (n, c, c, 3) float32.
    """
    n, c = len(stored), crop_px
    if n < _WORTH_IT or (compiled := _kernels()) is None:
        return None
    beneath, mean_top, mean_left = _beneath(stored, top, left, mirror, c, mean, mean_at_crop)
    numbers = np.empty((n, c, c, 3), dtype=np.float32)
    for part in stored.parts:
        compiled.cut_numbers(
            _lines(part.pictures),
            part.places,
            part.rows,
            top,
            left,
            mirror,
            beneath,
            mean_top,
            mean_left,
            int(beneath.shape[1] > 1),
            np.zeros((n, 3), dtype=np.float32) if shift is None else np.ascontiguousarray(shift),
            np.ones(3, dtype=np.float32) if divisor is None else divisor,
            divisor is not None,
            numbers.reshape(n, c, 3 * c),
        )
    return numbers


def _beneath(
    stored: StoredPictures,
    top: NDArray[np.int64],
    left: NDArray[np.int64],
    mirror: NDArray[np.bool_],
    crop_px: int,
    mean: NDArray[np.float32] | None,
    mean_at_crop: bool,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Return what lies beneath crops, and where in it.

    Returns:
        (1, rows, numbers a row): one row for all, or the mean image; or (2, ...), the second one
        mirrored, for mirrored crops; and (n,) the first row and the first pixel of it that count.
    """
    n, side, c = len(stored), stored.side, crop_px
    if mean is None or mean.ndim == 1:
        colour = np.zeros(3, dtype=np.float32) if mean is None else mean
        nowhere = np.zeros(n, dtype=np.int64)
        return np.tile(colour, (1, 1, c)), nowhere, nowhere
    if not mean_at_crop:
        middle = np.full(n, (side - c) // 2, dtype=np.int64)
        return np.ascontiguousarray(mean).reshape(1, side, 3 * side), middle, middle
    both = np.stack([mean, mean[:, ::-1]]).reshape(2, side, 3 * side)
    return both, top, np.where(mirror, side - c - left, left)


def _lines(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (m, S, 3 S), never to be written: kernels are compiled for one kind of array."""
    m, side = pictures.shape[:2]
    lines = np.ascontiguousarray(pictures).reshape(m, side, 3 * side)
    lines.flags.writeable = False
    return lines


@functools.cache
def _kernels() -> Any:
    """Return the module of compiled kernels, or None where numba is not installed."""
    try:
        from alexnet.kernels import crops as cutting_kernels
    except ImportError:
        return None
    return cutting_kernels


def cut_boxes(
    pictures: NDArray[np.uint8], boxes: NDArray[np.float64], crop_px: int
) -> NDArray[np.uint8]:
    """Resample one box of each picture to c x c by linear interpolation, rows first.

    Between two pixels nothing is averaged away, so a box should have at most about 2 c pixels a
    side; what lies beyond the border is its last row or column.

    Args:
        pictures: (n, S, S, 3) uint8.
        boxes: (n, 4) top, left, height and width, in stored pixels, not only whole ones.
        crop_px: c.

    Returns:
        (n, c, c, 3) uint8. What a picture becomes does not depend on the others.
    """
    side = pictures.shape[1]
    first, second, share = _between(boxes[:, 0], boxes[:, 2], crop_px, side)
    each = np.arange(len(pictures))[:, None]
    rows = _mixed(pictures[each, first], pictures[each, second], share[:, :, None, None])
    first, second, share = _between(boxes[:, 1], boxes[:, 3], crop_px, side)
    columns = rows.transpose(0, 2, 1, 3)
    crops = _mixed(columns[each, first], columns[each, second], share[:, :, None, None])
    return np.rint(crops).astype(np.uint8).transpose(0, 2, 1, 3)


def _between(
    start: NDArray[np.float64], length: NDArray[np.float64], count: int, side: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return, for `count` places a box, the two pixels around each and the second one's share."""
    steps = (np.arange(count) + 0.5) / count
    places = (start[:, None] + steps * length[:, None] - 0.5).clip(0, side - 1)
    first = np.floor(places).astype(np.int64)
    return first, np.minimum(first + 1, side - 1), (places - first).astype(np.float32)


def _mixed(
    first: NDArray[np.uint8] | NDArray[np.float32],
    second: NDArray[np.uint8] | NDArray[np.float32],
    share: NDArray[np.float32],
) -> NDArray[np.float32]:
    mixed = second.astype(np.float32)
    mixed -= first
    mixed *= share
    mixed += first
    return mixed
