"""Crops out of stored images: compiled where numba is there, the same bits by numpy elsewhere.

Legend: n images, S side of a stored image, c side of a crop.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.images.stored import StoredImages

__all__ = ["crop_and_resize", "crop_images", "normalize_crops"]

_FEWEST_COMPILED = 16
"""Images from which on kernels are used: importing numba takes as long as a thousand crops."""

_NUMBERS_PER_THREAD = 1 << 20
"""Of a batch, from which on another thread is worth its start."""


def crop_images(
    stored: StoredImages,
    top: NDArray[np.int64],
    left: NDArray[np.int64],
    mirror: NDArray[np.bool_],
    crops: NDArray[np.uint8],
) -> None:
    """Copy one crop of each image, some of them mirrored.

    Args:
        stored: n images of S x S pixels.
        top: (n,) first row of each crop.
        left: (n,) first column of each crop.
        mirror: (n,) whether left and right change places.
        crops: (n, c, c, 3) uint8, written.
    """
    n, c = crops.shape[:2]
    if n >= _FEWEST_COMPILED and (compiled := _kernels()) is not None:
        for part in stored.parts:
            stored_rows = _as_rows(part.images), part.positions, part.rows
            compiled.crop_bytes(*stored_rows, top, left, mirror, crops.reshape(n, c, 3 * c))
        return
    for images, positions, rows in stored.parts:
        for position, i in zip(positions.tolist(), rows.tolist(), strict=True):
            window = images[position, top[i] : top[i] + c, left[i] : left[i] + c]
            crops[i] = window[:, ::-1] if mirror[i] else window


def normalize_crops(
    crops: NDArray[np.uint8],
    top: NDArray[np.int64],
    left: NDArray[np.int64],
    mirror: NDArray[np.bool_],
    *,
    mean: NDArray[np.float32] | None,
    mean_at_crop: bool,
    shift: NDArray[np.float32] | None,
    divisor: NDArray[np.float32] | None,
    threads: int = 1,
) -> NDArray[np.float32] | None:
    """Return (crop - mean + shift) / divisor in one pass; None where numpy must do it.

    Args:
        crops: (n, c, c, 3) uint8, mirrored where they should be.
        top: (n,) first row of each crop in its image.
        left: (n,) first column likewise.
        mirror: (n,) whether it is mirrored.
        mean: (S, S, 3), (3,) or nothing.
        mean_at_crop: whether a mean image is cropped and mirrored as the image is; else its center.
        shift: (n, 3) or nothing.
        divisor: (3,) or nothing.
        threads: that share the work; fewer where there is little.

    Returns:
        (n, c, c, 3) float32.
    """
    n, c = crops.shape[:2]
    if n < _FEWEST_COMPILED or (compiled := _kernels()) is None:
        return None
    rows, number, mean_top, mean_left = _mean_rows(top, left, mirror, c, mean, mean_at_crop)
    shift = np.zeros((n, 3), dtype=np.float32) if shift is None else np.ascontiguousarray(shift)
    normalized = np.empty((n, c, c, 3), dtype=np.float32)

    def part(first: int, last: int) -> None:
        compiled.normalize_crops(
            np.ascontiguousarray(crops).reshape(n, c, 3 * c),
            rows,
            number,
            mean_top,
            mean_left,
            int(rows.shape[1] > 1),
            shift,
            np.ones(3, dtype=np.float32) if divisor is None else divisor,
            divisor is not None,
            first,
            last,
            normalized.reshape(n, c, 3 * c),
        )

    parts = min(threads, n, 1 + crops.size // _NUMBERS_PER_THREAD)
    if parts == 1:
        part(0, n)
        return normalized
    ends = [n * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(parts, thread_name_prefix="normalize") as pool:
        list(pool.map(part, ends[:-1], ends[1:]))
    return normalized


def _mean_rows(
    top: NDArray[np.int64],
    left: NDArray[np.int64],
    mirror: NDArray[np.bool_],
    crop_px: int,
    mean: NDArray[np.float32] | None,
    mean_at_crop: bool,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the mean as rows of numbers, and where in it each crop lies.

    Returns:
        (1, rows, numbers a row): one row for all, or the mean image; or (2, ...), the second one
        mirrored, for mirrored crops; and (n,) which of them, first row and first pixel for each.
    """
    n, c = len(top), crop_px
    zeros = np.zeros(n, dtype=np.int64)
    if mean is None or mean.ndim == 1:
        color = np.zeros(3, dtype=np.float32) if mean is None else mean
        return np.tile(color, (1, 1, c)), zeros, zeros, zeros
    side = len(mean)
    if not mean_at_crop:
        center = np.full(n, (side - c) // 2, dtype=np.int64)
        return np.ascontiguousarray(mean).reshape(1, side, 3 * side), zeros, center, center
    both = np.stack([mean, mean[:, ::-1]]).reshape(2, side, 3 * side)
    return both, mirror.astype(np.int64), top, np.where(mirror, side - c - left, left)


def _as_rows(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (m, S, 3 S), read-only."""
    m, side = images.shape[:2]
    rows = np.ascontiguousarray(images).reshape(m, side, 3 * side)
    # To numba a writable array is of another type, and mapped files are read-only: one type, so
    # that kernels are compiled once.
    rows.flags.writeable = False
    return rows


@functools.cache
def _kernels() -> Any:
    """Return the module of compiled kernels, or None where numba is not installed."""
    try:
        from alexnet.kernels import crops as kernels
    except ImportError:
        return None
    return kernels


def crop_and_resize(
    images: NDArray[np.uint8], boxes: NDArray[np.float64], crop_px: int
) -> NDArray[np.uint8]:
    """Resize one box of each image to c x c by bilinear interpolation, rows first.

    Between two pixels nothing is averaged away, so a box should have at most about 2 c pixels a
    side; what lies beyond the border is its last row or column.

    Args:
        images: (n, S, S, 3) uint8.
        boxes: (n, 4) top, left, height and width, in stored pixels, not only whole ones.
        crop_px: c.

    Returns:
        (n, c, c, 3) uint8. What an image becomes does not depend on the others.
    """
    side = images.shape[1]
    first, second, weight = _sample_points(boxes[:, 0], boxes[:, 2], crop_px, side)
    image = np.arange(len(images))[:, None]
    rows = _interpolate(images[image, first], images[image, second], weight[:, :, None, None])
    first, second, weight = _sample_points(boxes[:, 1], boxes[:, 3], crop_px, side)
    columns = rows.transpose(0, 2, 1, 3)
    crops = _interpolate(columns[image, first], columns[image, second], weight[:, :, None, None])
    return np.rint(crops).astype(np.uint8).transpose(0, 2, 1, 3)


def _sample_points(
    start: NDArray[np.float64], length: NDArray[np.float64], count: int, side: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return, for `count` points a box, the two pixels around each and the second one's weight."""
    steps = (np.arange(count) + 0.5) / count
    points = (start[:, None] + steps * length[:, None] - 0.5).clip(0, side - 1)
    first = np.floor(points).astype(np.int64)
    return first, np.minimum(first + 1, side - 1), (points - first).astype(np.float32)


def _interpolate(
    first: NDArray[np.uint8] | NDArray[np.float32],
    second: NDArray[np.uint8] | NDArray[np.float32],
    weight: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return first + weight * (second - first), with one temporary array."""
    mixed = second.astype(np.float32)
    mixed -= first
    mixed *= weight
    mixed += first
    return mixed
