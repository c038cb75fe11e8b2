"""The 1, 5 or 10 crops of a picture whose answers are averaged.

Legend: S side of the stored picture, c side of the crop, both in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from alexnet.errors import RecipeError
from alexnet.images import Preprocessing

__all__ = ["Crops", "View", "crop_views", "view_tensor"]

Crops = Literal[1, 5, 10]
"""1: the centre; 5: the corners and the centre; 10: these and their mirror images."""


@dataclass(frozen=True)
class View:
    """Where a crop lies in the stored picture, and whether it is mirrored left to right."""

    top: int
    left: int
    mirror: bool = False


def crop_views(preprocessing: Preprocessing, crops: int = 1) -> tuple[View, ...]:
    """Return the views that stand for a picture, in the order of the authors' program.

    For S = 256 and c = 224: (0, 0), (0, 32), (16, 16), (32, 0), (32, 32), then the five mirrored.
    Where the crop is the whole picture (S = c) the five positions are one, and one view stands
    for them (two with the mirror image): the average is the same.

    Args:
        preprocessing: gives S and c.
        crops: 1, 5 or 10.

    Raises:
        RecipeError: another number of crops.
    """
    if crops not in get_args(Crops):
        raise RecipeError(
            f"crops must be 1 (centre), 5 (corners and centre) or 10 (also mirrored); got {crops}."
        )
    room = preprocessing.image_px - preprocessing.crop_px
    centre = View(room // 2, room // 2)
    if crops == 1:
        return (centre,)
    plain = [View(0, 0), View(0, room), centre, View(room, 0), View(room, room)]
    if room == 0:
        plain = [centre]
    mirrored = [View(each.top, each.left, mirror=True) for each in plain]
    return tuple(plain if crops == 5 else plain + mirrored)


def view_tensor(pictures: NDArray[np.uint8], preprocessing: Preprocessing, view: View) -> Tensor:
    """Cut one view out of each picture and turn it into the numbers that a network takes.

    Args:
        pictures: (N, S, S, 3) uint8, RGB, as `Preprocessing.read` gives them.
        preprocessing: the rule.
        view: the crop, the same for all pictures.

    Returns:
        (N, 3, c, c) float32, channels last in memory.
    """
    count = len(pictures)
    top = np.full(count, view.top, dtype=np.int64)
    left = np.full(count, view.left, dtype=np.int64)
    mirror = np.full(count, view.mirror, dtype=np.bool_)
    cut = preprocessing.cut(pictures, top, left, mirror)
    return preprocessing.to_tensor(cut, top, left, mirror)
