"""The one rule from a picture file to a network's input, as a value that travels with the weights.

    bytes -> decode -> fit to S x S -> cut c x c, mirror -> less the mean, over the scale -> tensor

Legend: n pictures, S side of a stored picture, c side of a crop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, from_numpy  # pyright: ignore[reportUnknownVariableType]

from alexnet.errors import RecipeError
from alexnet.images.crops import cut_boxes, cut_squares, cut_to_numbers
from alexnet.images.decoding import decode_as_stored, turned
from alexnet.images.resize import fitted
from alexnet.images.stored import StoredPictures
from alexnet.recipe import LARGEST_PX, Fit

__all__ = ["MeanAt", "Order", "Preprocessing", "read_picture"]

Order = Literal["RGB", "BGR"]
MeanAt = Literal["crop", "centre"]


def read_picture(data: bytes, *, name: str, image_px: int, how: Fit) -> NDArray[np.uint8]:
    """Decode a picture file, make it square, and turn it upright.

    Args:
        data: the bytes of the file.
        name: for the error.
        image_px: S.
        how: "crop", "squash" or "pad".

    Returns:
        (S, S, 3) uint8, RGB.

    Raises:
        UnreadablePicture: not a picture, truncated, of too many pixels or too few.
    """
    found = decode_as_stored(data, name, least_px=image_px, passing=True)
    square = fitted(found.pixels, image_px, how, size=found.size, factor=found.factor)
    return turned(square, found.orientation)


@dataclass(frozen=True, kw_only=True, eq=False)
class Preprocessing:
    """How stored pictures are made of files, and a network's input of stored pictures.

    Means and scales are in R, G, B on 0..255, whatever `order` says.

    Raises:
        RecipeError: a value out of range, or a mean of another size than the picture.
    """

    image_px: int  # S, side of the stored picture
    crop_px: int  # c, side of what the network sees
    fit: Fit = "crop"
    order: Order = "RGB"  # of the channels that the network sees
    mean: NDArray[np.float32] | None = None  # (S, S, 3) image, (3,) colour, or nothing
    mean_at: MeanAt = "crop"  # the mean image is cut where the crop lies, or always in the centre
    scale: NDArray[np.float32] | None = None  # (3,) divides what is left after the mean

    def __post_init__(self) -> None:
        self._check_sizes()
        side = self.image_px
        _check_numbers("mean", self.mean, ((3,), (side, side, 3)))
        _check_numbers("scale", self.scale, ((3,),))
        if self.scale is not None and not (self.scale > 0).all():
            raise RecipeError(f"A preprocessing's scale must be above 0; got {self.scale}.")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Preprocessing):
            return NotImplemented
        return self.to_json() == other.to_json() and _same(self.mean, other.mean)

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # holds arrays

    def read(self, data: bytes, name: str) -> NDArray[np.uint8]:
        """Return a picture file as the stored picture: (S, S, 3) uint8, RGB.

        Raises:
            UnreadablePicture: not a picture, truncated, of too many pixels or too few.
        """
        return read_picture(data, name=name, image_px=self.image_px, how=self.fit)

    def cut(
        self,
        pictures: NDArray[np.uint8] | StoredPictures,
        top: NDArray[np.int64],
        left: NDArray[np.int64],
        mirror: NDArray[np.bool_],
        boxes: NDArray[np.float64] | None = None,
        *,
        into: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Cut one crop out of each picture, and mirror some.

        Args:
            pictures: (n, S, S, 3) uint8, or n pictures where they lie.
            top: (n,) first row of each crop, 0 .. S - c.
            left: (n,) first column of each crop, 0 .. S - c.
            mirror: (n,) whether left and right change places.
            boxes: (n, 4) top, left, height and width of what is resized to the crop, instead of
                a crop of fixed size at `top` and `left`; None: nothing is resized.
            into: (n, c, c, 3) uint8 to write to; None: memory of their own.

        Returns:
            (n, c, c, 3) uint8.
        """
        c, stored = self.crop_px, _stored(pictures)
        crops = np.empty((len(stored), c, c, 3), dtype=np.uint8) if into is None else into
        if boxes is not None:
            crops[...] = cut_boxes(_together(pictures), boxes, c)
            crops[mirror] = crops[mirror][:, :, ::-1]
            return crops
        if into is None and c == self.image_px and not mirror.any():
            return np.ascontiguousarray(_together(pictures))
        cut_squares(stored, top, left, mirror, crops)
        return crops

    def numbers(
        self,
        pictures: NDArray[np.uint8] | StoredPictures,
        top: NDArray[np.int64],
        left: NDArray[np.int64],
        mirror: NDArray[np.bool_],
        *,
        boxes: NDArray[np.float64] | None = None,
        shift: NDArray[np.float32] | None = None,
        divide: float = 1.0,
    ) -> Tensor:
        """Cut and turn into what the network takes: the bits of `to_tensor` of `cut`, in one pass.

        Args:
            pictures: as for `cut`.
            top: as for `cut`.
            left: as for `cut`.
            mirror: as for `cut`.
            boxes: as for `cut`.
            shift: as for `to_tensor`.
            divide: as for `to_tensor`.

        Returns:
            (n, 3, c, c) float32, channels last in memory.
        """
        if boxes is None and self.order == "RGB":
            found = cut_to_numbers(
                _stored(pictures),
                top,
                left,
                mirror,
                self.crop_px,
                mean=self.mean,
                mean_at_crop=self.mean_at == "crop",
                shift=shift,
                divisor=self.divisor(divide),
            )
            if found is not None:
                return from_numpy(found).permute(0, 3, 1, 2)
        crops = self.cut(pictures, top, left, mirror, boxes)
        return self.to_tensor(crops, top, left, mirror, shift=shift, divide=divide)

    def to_tensor(
        self,
        crops: NDArray[np.uint8],
        top: NDArray[np.int64],
        left: NDArray[np.int64],
        mirror: NDArray[np.bool_],
        *,
        shift: NDArray[np.float32] | None = None,
        divide: float = 1.0,
    ) -> Tensor:
        """Turn crops into the numbers that the network takes: (crop - mean + shift) / scale.

        A mean image that is cut where the crop lies (Caffe) is mirrored with it; the central cut
        (the authors' program) is the same for every crop.

        Args:
            crops: (n, c, c, 3) uint8, as `cut` gives them.
            top: (n,) as they were cut.
            left: (n,) as they were cut.
            mirror: (n,) as they were cut.
            shift: (n, 3) grey levels added to R, G, B; None: nothing.
            divide: what everything is divided by besides the scale.

        Returns:
            (n, 3, c, c) float32, channels last in memory.
        """
        numbers = crops.astype(np.float32)
        self._subtract_mean(numbers, top, left, mirror)
        if shift is not None:
            numbers += shift[:, None, None, :]
        divisor = self.divisor(divide)
        if divisor is not None:
            numbers /= divisor
        if self.order == "BGR":
            numbers = np.ascontiguousarray(numbers[..., ::-1])
        return from_numpy(numbers).permute(0, 3, 1, 2)

    @property
    def centre(self) -> int:
        """First row and column of the crop in the centre."""
        return (self.image_px - self.crop_px) // 2

    @property
    def central_mean(self) -> NDArray[np.float32] | None:
        """What is taken from the crop in the centre: (3,), (c, c, 3), or nothing."""
        if self.mean is None or self.mean.ndim == 1:
            return self.mean
        middle = slice(self.centre, self.centre + self.crop_px)
        return self.mean[middle, middle]

    @property
    def mean_beneath(self) -> NDArray[np.float32] | None:
        """What lies under the crops: one cut for all, or the mean image that each has a part of."""
        return self.central_mean if self.mean_at == "centre" else self.mean

    def divisor(self, divide: float = 1.0) -> NDArray[np.float32] | None:
        """Return what R, G and B are divided by, (3,) float32; None: nothing.

        Args:
            divide: what everything is divided by besides the scale.
        """
        if self.scale is not None:
            return self.scale * np.float32(divide)
        return None if divide == 1 else np.full(3, divide, dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; the mean's numbers are kept beside them, since they are many."""
        return {
            "image_px": self.image_px,
            "crop_px": self.crop_px,
            "fit": self.fit,
            "order": self.order,
            "mean": None if self.mean is None else "image" if self.mean.ndim == 3 else "channel",
            "mean_at": self.mean_at,
            "scale": None if self.scale is None else [float(each) for each in self.scale],
        }

    @classmethod
    def from_json(
        cls, values: Mapping[str, Any], mean: NDArray[np.float32] | None
    ) -> Preprocessing:
        """Read what `to_json` gave, with the mean that belongs to it.

        Raises:
            RecipeError: a value that makes no sense, or a mean that does not belong to it.
            KeyError, TypeError, ValueError, OverflowError: values of another kind.
        """
        scale = values["scale"]
        with np.errstate(over="ignore"):  # what is too large for float32 is told below
            divisors = None if scale is None else np.asarray(scale, dtype=np.float32)
        found = cls(
            image_px=values["image_px"],
            crop_px=values["crop_px"],
            fit=values["fit"],
            order=values["order"],
            mean=mean,
            mean_at=values["mean_at"],
            scale=divisors,
        )
        if found.to_json()["mean"] != values["mean"]:
            raise RecipeError(f'The mean should be "{values["mean"]}", and another kind is there.')
        return found

    def _check_sizes(self) -> None:
        for name in ("image_px", "crop_px"):
            value = cast("object", getattr(self, name))
            if not isinstance(value, int) or not 1 <= value <= LARGEST_PX:
                raise RecipeError(
                    f"{name} must be between 1 and {LARGEST_PX} pixels; got {value!r}."
                )
        if self.crop_px > self.image_px:
            raise RecipeError(
                f"A crop of {self.crop_px} pixels cannot be cut from a picture of {self.image_px}."
            )
        for name, choices in (("fit", Fit), ("order", Order), ("mean_at", MeanAt)):
            value = getattr(self, name)
            if value not in get_args(choices):
                named = " or ".join(f'"{each}"' for each in get_args(choices))
                raise RecipeError(f"{name} must be {named}; got {value!r}.")

    def _subtract_mean(
        self,
        numbers: NDArray[np.float32],
        top: NDArray[np.int64],
        left: NDArray[np.int64],
        mirror: NDArray[np.bool_],
    ) -> None:
        mean, c = self.mean_beneath, self.crop_px
        if mean is None:
            return
        if mean.ndim == 1 or self.mean_at == "centre":
            numbers -= mean
        else:
            places = zip(top.tolist(), left.tolist(), mirror.tolist(), strict=True)
            for image, (row, column, flip) in zip(numbers, places, strict=True):
                window = mean[row : row + c, column : column + c]
                image -= window[:, ::-1] if flip else window


def _stored(pictures: NDArray[np.uint8] | StoredPictures) -> StoredPictures:
    return pictures if isinstance(pictures, StoredPictures) else StoredPictures.of(pictures)


def _together(pictures: NDArray[np.uint8] | StoredPictures) -> NDArray[np.uint8]:
    return pictures.together() if isinstance(pictures, StoredPictures) else pictures


def _check_numbers(
    name: str, numbers: NDArray[np.float32] | None, shapes: tuple[tuple[int, ...], ...]
) -> None:
    if numbers is None:
        return
    wanted = " or ".join(str(shape) for shape in shapes)
    if numbers.dtype != np.float32 or numbers.shape not in shapes:
        raise RecipeError(
            f"A preprocessing's {name} must be float32 of shape {wanted}; got {numbers.dtype} of "
            f"{numbers.shape}."
        )
    if not np.isfinite(numbers).all():
        raise RecipeError(f"A preprocessing's {name} holds numbers that are not finite.")


def _same(one: NDArray[np.float32] | None, other: NDArray[np.float32] | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)
