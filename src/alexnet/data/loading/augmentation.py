"""Augmentation of whole batches: crops, mirror images and color jitter as pure functions.

Section 4.1 of the paper draws a random crop and a mirror image, and adds noise along the principal
components of the training images' colors. The authors' program differs in three points, all of them
options here: 32 images in a row share one crop and one flip, the noise is scaled by standard
deviations, and the noisy image is divided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alexnet.data.loading.counter_random import normals, uniforms
from alexnet.data.loading.statistics import ColorPCA
from alexnet.errors import RecipeError
from alexnet.images import Preprocessing
from alexnet.recipe import ColorJitterForm

__all__ = ["Augmentation", "AugmentationParams"]


@dataclass(frozen=True)
class AugmentationParams:
    """What is done to each of n images: where it is cropped, whether it is mirrored, its color."""

    top: NDArray[np.int64]  # (n,) first row of the crop
    left: NDArray[np.int64]  # (n,) first column of the crop
    mirror: NDArray[np.bool_]  # (n,)
    shift: NDArray[np.float32] | None  # (n, 3) gray levels added to R, G, B; None: no noise
    divide: float  # the image is divided by it afterward; 1: not at all
    boxes: NDArray[np.float64] | None = None  # (n, 4) random resized crops; None: plain crops


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How training images are changed; each sample depends on (seed, epoch, image) alone.

    Raises:
        RecipeError: color jitter without the principal components of the colors.
    """

    flip: bool = True  # mirror half of the images
    random_resized_crop: float = 1.0  # below 1: smallest share of the image that a crop shows
    crop_group: int = 1  # images in a row that share one crop and one flip; the program: 32
    color_jitter_form: ColorJitterForm = "paper"
    color_jitter: float = 0.0  # deviation of the draw along each component; the paper: 0.1
    color_jitter_until: int | None = None  # epoch, counted from 0, from which there is none
    seed: int = 0
    color_pca: ColorPCA | None = None

    def __post_init__(self) -> None:
        if self.color_jitter and self.color_pca is None:
            raise RecipeError(
                f"color_jitter is {self.color_jitter} and there are no principal components to "
                "draw it along. Pass color_pca=color_pca(pack, indices), or set it to 0."
            )

    def sample(
        self,
        epoch: int,
        positions: NDArray[np.int64],
        indices: NDArray[np.int64],
        preprocessing: Preprocessing,
        *,
        repeats: NDArray[np.int64] | None = None,
    ) -> AugmentationParams:
        """Draw for a batch of n images; what an image gets does not depend on the others.

        Args:
            epoch: counted from 0.
            positions: (n,) of each image in the epoch's order; they matter only where groups share
                a crop.
            indices: (n,) number of each image in the pack.
            preprocessing: says the sides of stored image and crop.
            repeats: (n,) how often the image was shown before in this epoch (balanced sampling
                shows some more than once); None: never.

        Returns:
            Crop offsets, each uniform over 0 .. image_px - crop_px, ends included (the central one
            where boxes are drawn instead); mirrored with probability 1/2; and the color shift.
        """
        # A repeated image draws under a counter of its own: repeats in the upper 32 bits.
        images = indices if repeats is None else indices + (repeats << 32)
        counters = images if self.crop_group == 1 else positions // self.crop_group
        choices = preprocessing.image_px - preprocessing.crop_px + 1
        corner = np.full((len(indices), 2), (choices - 1) // 2, dtype=np.int64)
        boxes = None
        if self.random_resized_crop < 1:
            boxes = self._sample_boxes(epoch, counters, preprocessing.image_px)
        elif choices > 1:
            corner = (uniforms(self.seed, epoch, counters, "crop", 2) * choices).astype(np.int64)
        mirror = np.zeros(len(indices), dtype=np.bool_)
        if self.flip:
            mirror = uniforms(self.seed, epoch, counters, "flip")[:, 0] < 0.5
        shift = self._sample_shift(epoch, images)
        divides = shift is not None and self.color_jitter_form == "program"
        divide = 1 + self.color_jitter if divides else 1.0
        return AugmentationParams(corner[:, 0], corner[:, 1], mirror, shift, divide, boxes)

    def _sample_boxes(
        self, epoch: int, counters: NDArray[np.int64], side: int
    ) -> NDArray[np.float64]:
        """Return (n, 4) boxes inside the image, in pixels: top, left, height, width.

        Area even between `random_resized_crop` and all, the sides' ratio even in its logarithm
        between 3:4 and 4:3 (Szegedy et al. 2015); a side is at most the image's.
        """
        share, ratio, down, right = uniforms(self.seed, epoch, counters, "box", 4).T
        least = self.random_resized_crop
        pixels = side * side * (least + (1 - least) * share)
        stretch = np.exp((2 * ratio - 1) * np.log(4 / 3))
        height = np.sqrt(pixels / stretch).clip(max=side)
        width = np.sqrt(pixels * stretch).clip(max=side)
        return np.stack([down * (side - height), right * (side - width), height, width], axis=1)

    def _sample_shift(self, epoch: int, images: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Return (n, 3) gray levels, or None where there is no color jitter.

        The paper multiplies each draw by the eigenvalue of the colors' covariance. That works on
        colors of 0..1, and the result times 255 is in gray levels; on 0..255 it would be 255 times
        as large. The program multiplies by the standard deviation on 0..255, about twice as much
        for the ImageNet images.
        """
        is_over = self.color_jitter_until is not None and epoch >= self.color_jitter_until
        if not self.color_jitter or is_over or self.color_pca is None:
            return None
        stds = self.color_pca.stds.astype(np.float64)
        levels = stds if self.color_jitter_form == "program" else stds**2 / 255
        # The purpose is part of the generator's key: in another spelling the numbers are others.
        draws = self.color_jitter * normals(self.seed, epoch, images, "colour", 3)
        # Summed in a fixed order: a matrix product might round by the size of the batch.
        components = self.color_pca.components.astype(np.float64)
        scaled = draws * levels
        shift = sum(scaled[:, [i]] * components[:, i] for i in range(3))
        return np.asarray(shift, dtype=np.float32)
