"""Boxes of any size, cut out of stored pictures and brought to one size.

Legend: S side of the stored picture, c side of the crop, n pictures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cut_boxes"]


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
