"""The 1, 5 or 10 crops of an image whose predictions are averaged.

Legend: S side of the stored image, c side of the crop, both in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import RecipeError
from alexnet.images import Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CropView", "Crops", "crop_view_array", "crop_view_tensor", "crop_views"]

Crops = Literal[1, 5, 10]
"""1: the center; 5: the corners and the center; 10: these and their mirror images."""


@dataclass(frozen=True)
class CropView:
    """Where a crop lies in the stored image, and whether it is mirrored left to right."""

    top: int
    left: int
    mirror: bool = False


def crop_views(preprocessing: Preprocessing, crops: int = 1) -> tuple[CropView, ...]:
    """Return the views that stand for an image, in the order of the authors' program.

    For S = 256 and c = 224: (0, 0), (0, 32), (16, 16), (32, 0), (32, 32), then the five mirrored.
    Where the crop is the whole image (S = c) the five positions are one, and one view stands
    for them (two with the mirror image): the average is the same.

    Args:
        preprocessing: gives S and c.
        crops: 1, 5 or 10.

    Raises:
        RecipeError: another number of crops.
    """
    if crops not in get_args(Crops):
        raise RecipeError(
            f"crops must be 1 (center), 5 (corners and center) or 10 (also mirrored); got {crops}."
        )
    last = preprocessing.image_px - preprocessing.crop_px
    center = CropView(last // 2, last // 2)
    if crops == 1:
        return (center,)
    plain = [CropView(0, 0), CropView(0, last), center, CropView(last, 0), CropView(last, last)]
    if last == 0:
        plain = [center]
    mirrored = [CropView(view.top, view.left, mirror=True) for view in plain]
    return tuple(plain if crops == 5 else plain + mirrored)


def crop_view_tensor(
    images: NDArray[np.uint8], preprocessing: Preprocessing, view: CropView
) -> Tensor:
    """Cut one crop out of each image and turn it into the network's input.

    Args:
        images: (N, S, S, 3) uint8, RGB, as `Preprocessing.read` gives them.
        preprocessing: the rule.
        view: the crop, the same for all images.

    Returns:
        (N, 3, c, c) float32, channels last in memory.
    """
    cut, top, left, mirror = _cut(images, preprocessing, view)
    return preprocessing.normalize(cut, top, left, mirror)


def crop_view_array(
    images: NDArray[np.uint8], preprocessing: Preprocessing, view: CropView
) -> NDArray[np.float32]:
    """Do what `crop_view_tensor` does, without torch.

    Returns:
        (N, 3, c, c) float32, the same bits, channel by channel in memory.
    """
    cut, top, left, mirror = _cut(images, preprocessing, view)
    normalized = preprocessing.normalize_array(cut, top, left, mirror)
    return np.ascontiguousarray(normalized.transpose(0, 3, 1, 2))


def _cut(
    images: NDArray[np.uint8], preprocessing: Preprocessing, view: CropView
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the crops, and of each its first row, its first column and whether it is mirrored."""
    count = len(images)
    top = np.full(count, view.top, dtype=np.int64)
    left = np.full(count, view.left, dtype=np.int64)
    mirror = np.full(count, view.mirror, dtype=np.bool_)
    return preprocessing.crop(images, top, left, mirror), top, left, mirror
