"""Augmentation of whole batches: crops, mirror images and colour noise as pure functions.

Section 4.1 of the paper draws a random crop and a mirror image, and adds noise along the principal
colours of the training pictures. The authors' program differs in three points, all of them options
here: 32 pictures in a row share one crop and one flip, the noise is scaled by standard deviations,
and the noisy picture is divided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alexnet.data.loading.sampling import normals, uniforms
from alexnet.data.loading.statistics import PrincipalColours
from alexnet.errors import RecipeError
from alexnet.images import Preprocessing
from alexnet.recipe import Colour

__all__ = ["Augmentation", "Draw"]


@dataclass(frozen=True)
class Draw:
    """What happens to each of n pictures: where it is cut, whether it is mirrored, its colour."""

    top: NDArray[np.int64]  # (n,) first row of the crop
    left: NDArray[np.int64]  # (n,) first column of the crop
    mirror: NDArray[np.bool_]  # (n,)
    shift: NDArray[np.float32] | None  # (n, 3) grey levels added to R, G, B; None: no noise
    divide: float  # the picture is divided by it afterwards; 1: not at all
    boxes: NDArray[np.float64] | None = None  # (n, 4) what is resized to the crop; None: nothing is


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How pictures are changed while training; each draw depends on (seed, epoch, picture) alone.

    Raises:
        RecipeError: colour noise is asked for without principal colours.
    """

    flip: bool = True  # mirror half of the pictures
    area: float = 1.0  # below 1: smallest share of the picture's area that a crop shows
    crop_group: int = 1  # pictures in a row that share one crop and one flip; the program: 32
    colour: Colour = "paper"
    colour_noise: float = 0.0  # deviation of the draw along each principal colour; the paper: 0.1
    colour_until: int | None = None  # epoch, counted from 0, from which the noise is off
    seed: int = 0
    principal: PrincipalColours | None = None

    def __post_init__(self) -> None:
        if self.colour_noise and self.principal is None:
            raise RecipeError(
                f"colour_noise is {self.colour_noise} and there are no principal colours to draw "
                "it along. Pass principal=principal_colours(pack, indices), or set it to 0."
            )

    def draw(
        self,
        epoch: int,
        positions: NDArray[np.int64],
        indices: NDArray[np.int64],
        preprocessing: Preprocessing,
        *,
        repeats: NDArray[np.int64] | None = None,
    ) -> Draw:
        """Draw for a batch of n pictures, whatever pictures stand beside each in it.

        Args:
            epoch: counted from 0.
            positions: (n,) place of each picture in the epoch's order; only groups that share a
                crop look at it.
            indices: (n,) number of each picture in the pack.
            preprocessing: says the sides of stored picture and crop.
            repeats: (n,) how often the picture was shown before in this epoch (balanced sampling
                shows some more than once); None: never.

        Returns:
            Crop offsets, each uniform over 0 .. image_px - crop_px, ends included (the central one
            where boxes are drawn instead); fair coins for the mirror; and the colour shift.
        """
        pictures = indices if repeats is None else indices + (repeats << 32)
        places = pictures if self.crop_group == 1 else positions // self.crop_group
        choices = preprocessing.image_px - preprocessing.crop_px + 1
        corner = np.full((len(indices), 2), (choices - 1) // 2, dtype=np.int64)
        boxes = self._boxes(epoch, places, preprocessing.image_px) if self.area < 1 else None
        if choices > 1 and boxes is None:
            corner = (uniforms(self.seed, epoch, places, "crop", 2) * choices).astype(np.int64)
        mirror = np.zeros(len(indices), dtype=np.bool_)
        if self.flip:
            mirror = uniforms(self.seed, epoch, places, "flip")[:, 0] < 0.5
        shift = self._shift(epoch, pictures)
        noisy_program = shift is not None and self.colour == "program"
        divide = 1 + self.colour_noise if noisy_program else 1.0
        return Draw(corner[:, 0], corner[:, 1], mirror, shift, divide, boxes)

    def _boxes(self, epoch: int, places: NDArray[np.int64], side: int) -> NDArray[np.float64]:
        """Return (n, 4) boxes inside the picture, in pixels: top, left, height, width.

        Area even between `area` and all, the sides' ratio even in its logarithm between 3:4 and
        4:3 (Szegedy et al. 2015); a side that would be longer than the picture's is cut to it.
        """
        share, ratio, down, right = uniforms(self.seed, epoch, places, "box", 4).T
        pixels = side * side * (self.area + (1 - self.area) * share)
        stretch = np.exp((2 * ratio - 1) * np.log(4 / 3))
        height = np.sqrt(pixels / stretch).clip(max=side)
        width = np.sqrt(pixels * stretch).clip(max=side)
        return np.stack([down * (side - height), right * (side - width), height, width], axis=1)

    def _shift(self, epoch: int, pictures: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Return (n, 3) grey levels, or None where the noise is off.

        The paper multiplies each draw by the eigenvalue of the colours' covariance. That works on
        colours of 0..1, and the result times 255 is in grey levels; on 0..255 it would be 255 times
        as large. The program multiplies by the standard deviation on 0..255, about twice as much
        for the ImageNet pictures.
        """
        off = self.colour_until is not None and epoch >= self.colour_until
        if not self.colour_noise or off or self.principal is None:
            return None
        deviations = self.principal.deviations.astype(np.float64)
        levels = deviations if self.colour == "program" else deviations**2 / 255
        draws = self.colour_noise * normals(self.seed, epoch, pictures, "colour", 3)
        # Summed in a fixed order: a matrix product might round by the size of the batch.
        vectors = self.principal.vectors.astype(np.float64)
        scaled = draws * levels
        shift = sum(scaled[:, [i]] * vectors[:, i] for i in range(3))
        return np.asarray(shift, dtype=np.float32)
