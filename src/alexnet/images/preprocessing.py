"""The one rule from an image file to a network's input, as a value that travels with the weights.

    bytes -> decode -> resize to S x S -> crop c x c, mirror -> (x - mean) / std -> tensor

Legend: n images, S side of a stored image, c side of a crop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import RecipeError
from alexnet.images.conversion import to_gray
from alexnet.images.crops import crop_and_resize, crop_images, normalize_crops
from alexnet.images.decoding import apply_orientation, decode_unoriented
from alexnet.images.resize import resize_to_square
from alexnet.images.stored import StoredImages
from alexnet.recipe import LARGEST_PX, ResizeMode

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ChannelOrder", "MeanPosition", "Preprocessing", "read_image"]

ChannelOrder = Literal["RGB", "BGR"]
MeanPosition = Literal["crop", "center"]


def read_image(
    data: bytes, *, name: str, image_px: int, resize_mode: ResizeMode, gray: bool = False
) -> NDArray[np.uint8]:
    """Decode an image file, make it square, and turn it upright.

    Args:
        data: the bytes of the file.
        name: for the error.
        image_px: S.
        resize_mode: "crop", "squash" or "pad".
        gray: whether colors become gray before the image is resized.

    Returns:
        (S, S, 3) uint8, RGB.

    Raises:
        UnreadableImage: not an image, truncated, of too many pixels or too few.
    """
    decoded = decode_unoriented(data, name, least_px=image_px, reuse_buffer=True)
    # The small square is turned, not the full image: that takes a fraction of the time.
    square = resize_to_square(
        to_gray(decoded.pixels) if gray else decoded.pixels,
        image_px,
        resize_mode,
        full_size=decoded.full_size,
        reduction=decoded.reduction,
    )
    return apply_orientation(square, decoded.orientation)


@dataclass(frozen=True, kw_only=True, eq=False)
class Preprocessing:
    """How stored images are made of files, and a network's input of stored images.

    Mean and std are in R, G, B on 0..255, whatever `order` says.

    Raises:
        RecipeError: a value out of range, or a mean of another size than the image.
    """

    image_px: int  # S, side of the stored image
    crop_px: int  # c, side of what the network sees
    resize_mode: ResizeMode = "crop"
    order: ChannelOrder = "RGB"  # of the channels that the network sees
    mean: NDArray[np.float32] | None = None  # (S, S, 3) image, (3,) color, or nothing
    mean_at: MeanPosition = "crop"  # the mean image is cropped as the image is, or in its center
    std: NDArray[np.float32] | None = None  # (3,) divides what is left after the mean
    gray: bool = False  # colors become gray of 8 bits first: for networks of one channel

    def __post_init__(self) -> None:
        self._check_sizes()
        side = self.image_px
        _check_numbers("mean", self.mean, ((3,), (side, side, 3)))
        _check_numbers("std", self.std, ((3,),))
        if self.std is not None and not (self.std > 0).all():
            numbers = ", ".join(f"{number:g}" for number in self.std.tolist())
            raise RecipeError(f"A preprocessing's std must be above 0; got {numbers}.")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Preprocessing):
            return NotImplemented
        return self.to_json() == other.to_json() and _equal(self.mean, other.mean)

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # holds arrays

    def read(self, data: bytes, name: str) -> NDArray[np.uint8]:
        """Return an image file as the stored image: (S, S, 3) uint8, RGB.

        Raises:
            UnreadableImage: not an image, truncated, of too many pixels or too few.
        """
        return read_image(
            data,
            name=name,
            image_px=self.image_px,
            resize_mode=self.resize_mode,
            gray=self.gray,
        )

    def as_stored(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return (n, S, S, 3) images of a pack as `read` would store them: gray, where it does."""
        return np.stack([to_gray(image) for image in images]) if self.gray else images

    def crop(
        self,
        images: NDArray[np.uint8] | StoredImages,
        top: NDArray[np.int64],
        left: NDArray[np.int64],
        mirror: NDArray[np.bool_],
        boxes: NDArray[np.float64] | None = None,
        *,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Take one crop of each image, and mirror some.

        Args:
            images: (n, S, S, 3) uint8, or n images where they lie.
            top: (n,) first row of each crop, 0 .. S - c.
            left: (n,) first column of each crop, 0 .. S - c.
            mirror: (n,) whether left and right change places.
            boxes: (n, 4) top, left, height and width of what is resized to the crop (random
                resized crops), instead of `top` and `left`; None: nothing is resized.
            out: (n, c, c, 3) uint8 to write to; None: memory of their own.

        Returns:
            (n, c, c, 3) uint8.
        """
        c, stored = self.crop_px, _as_stored(images)
        crops = np.empty((len(stored), c, c, 3), dtype=np.uint8) if out is None else out
        if boxes is not None:
            crops[...] = crop_and_resize(_as_array(images), boxes, c)
            crops[mirror] = crops[mirror][:, :, ::-1]
            return crops
        if out is None and c == self.image_px and not mirror.any():
            return np.ascontiguousarray(_as_array(images))
        crop_images(stored, top, left, mirror, crops)
        return crops

    def normalize(
        self,
        crops: NDArray[np.uint8],
        top: NDArray[np.int64],
        left: NDArray[np.int64],
        mirror: NDArray[np.bool_],
        *,
        shift: NDArray[np.float32] | None = None,
        divide: float = 1.0,
        threads: int = 1,
    ) -> Tensor:
        """Turn crops into what the network takes: (crop - mean + shift) / (std * divide).

        A mean image that is cropped as the image is (Caffe) is mirrored with it; its center (the
        authors' program) is the same for every crop.

        Args:
            crops: (n, c, c, 3) uint8, as `crop` gives them.
            top: (n,) as for `crop`.
            left: (n,) as for `crop`.
            mirror: (n,) as for `crop`.
            shift: (n, 3) gray levels added to R, G, B; None: nothing.
            divide: what everything is divided by besides std.
            threads: that share the work, where compiled kernels do it.

        Returns:
            (n, 3, c, c) float32, channels last in memory.
        """
        normalized = None
        if self.order == "RGB":
            normalized = normalize_crops(
                crops,
                top,
                left,
                mirror,
                mean=self.mean,
                mean_at_crop=self.mean_at == "crop",
                shift=shift,
                divisor=self.divisor(divide),
                threads=threads,
            )
        if normalized is None:
            normalized = self.normalize_array(crops, top, left, mirror, shift=shift, divide=divide)
        return _as_tensor(normalized)

    def normalize_array(
        self,
        crops: NDArray[np.uint8],
        top: NDArray[np.int64],
        left: NDArray[np.int64],
        mirror: NDArray[np.bool_],
        *,
        shift: NDArray[np.float32] | None = None,
        divide: float = 1.0,
    ) -> NDArray[np.float32]:
        """Do what `normalize` does, without torch.

        Returns:
            (n, c, c, 3) float32, in the order of the channels that the network sees.
        """
        x = crops.astype(np.float32)
        self._subtract_mean(x, top, left, mirror)
        if shift is not None:
            x += shift[:, None, None, :]
        divisor = self.divisor(divide)
        if divisor is not None:
            x /= divisor
        if self.order == "BGR":
            x = np.ascontiguousarray(x[..., ::-1])
        return x

    @property
    def center_offset(self) -> int:
        """First row and column of the crop in the center."""
        return (self.image_px - self.crop_px) // 2

    @property
    def center_mean(self) -> NDArray[np.float32] | None:
        """The mean of the crop in the center: (3,), (c, c, 3), or nothing."""
        if self.mean is None or self.mean.ndim == 1:
            return self.mean
        center = slice(self.center_offset, self.center_offset + self.crop_px)
        return self.mean[center, center]

    @property
    def crop_mean(self) -> NDArray[np.float32] | None:
        """The mean for crops anywhere: one for all, or the mean image that is cropped like them."""
        return self.center_mean if self.mean_at == "center" else self.mean

    def divisor(self, divide: float = 1.0) -> NDArray[np.float32] | None:
        """Return what R, G and B are divided by, (3,) float32; None: nothing.

        Args:
            divide: what everything is divided by besides std.
        """
        if self.std is not None:
            return self.std * np.float32(divide)
        return None if divide == 1 else np.full(3, divide, dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; the mean's numbers are kept beside them, since they are many."""
        return {
            "image_px": self.image_px,
            "crop_px": self.crop_px,
            "resize_mode": self.resize_mode,
            "order": self.order,
            "mean": None if self.mean is None else "image" if self.mean.ndim == 3 else "channel",
            "mean_at": self.mean_at,
            "std": None if self.std is None else [float(each) for each in self.std],
        } | ({"gray": True} if self.gray else {})  # older weights have no such field

    @classmethod
    def from_json(
        cls, values: Mapping[str, Any], mean: NDArray[np.float32] | None
    ) -> Preprocessing:
        """Read what `to_json` gave, with the mean that belongs to it.

        Raises:
            RecipeError: a value that makes no sense, or a mean that does not belong to it.
            KeyError, TypeError, ValueError, OverflowError: values of another kind.
        """
        std = values["std"]
        with np.errstate(over="ignore"):  # what is too large for float32 is told by the check
            divisors = None if std is None else np.asarray(std, dtype=np.float32)
        rule = cls(
            image_px=values["image_px"],
            crop_px=values["crop_px"],
            resize_mode=values["resize_mode"],
            order=values["order"],
            mean=mean,
            mean_at=values["mean_at"],
            std=divisors,
            gray=values.get("gray", False) is True,
        )
        if rule.to_json()["mean"] != values["mean"]:
            raise RecipeError(f'The mean should be "{values["mean"]}", and another kind is there.')
        return rule

    def _check_sizes(self) -> None:
        for name in ("image_px", "crop_px"):
            value = cast("object", getattr(self, name))
            if not isinstance(value, int) or not 1 <= value <= LARGEST_PX:
                raise RecipeError(
                    f"{name} must be between 1 and {LARGEST_PX} pixels; got {value!r}."
                )
        if self.crop_px > self.image_px:
            raise RecipeError(
                f"A crop of {self.crop_px} pixels cannot be cut from an image of {self.image_px}."
            )
        options = {"resize_mode": ResizeMode, "order": ChannelOrder, "mean_at": MeanPosition}
        for name, kind in options.items():
            value = getattr(self, name)
            if value not in get_args(kind):
                choices = " or ".join(f'"{choice}"' for choice in get_args(kind))
                raise RecipeError(f"{name} must be {choices}; got {value!r}.")

    def _subtract_mean(
        self,
        x: NDArray[np.float32],
        top: NDArray[np.int64],
        left: NDArray[np.int64],
        mirror: NDArray[np.bool_],
    ) -> None:
        mean, c = self.crop_mean, self.crop_px
        if mean is None:
            return
        if mean.ndim == 1 or self.mean_at == "center":
            x -= mean
        else:
            corners = zip(top.tolist(), left.tolist(), mirror.tolist(), strict=True)
            for image, (row, column, flip) in zip(x, corners, strict=True):
                window = mean[row : row + c, column : column + c]
                image -= window[:, ::-1] if flip else window


def _as_tensor(normalized: NDArray[np.float32]) -> Tensor:
    """Return (n, c, c, 3) as (n, 3, c, c), channels last in memory."""
    from torch import from_numpy  # pyright: ignore[reportUnknownVariableType]

    return from_numpy(normalized).permute(0, 3, 1, 2)


def _as_stored(images: NDArray[np.uint8] | StoredImages) -> StoredImages:
    return images if isinstance(images, StoredImages) else StoredImages.of(images)


def _as_array(images: NDArray[np.uint8] | StoredImages) -> NDArray[np.uint8]:
    return images.to_array() if isinstance(images, StoredImages) else images


def _check_numbers(
    name: str, numbers: NDArray[np.float32] | None, shapes: tuple[tuple[int, ...], ...]
) -> None:
    if numbers is None:
        return
    if numbers.dtype != np.float32 or numbers.shape not in shapes:
        expected = " or ".join(str(shape) for shape in shapes)
        raise RecipeError(
            f"A preprocessing's {name} must be float32 of shape {expected}; got {numbers.dtype} of "
            f"{numbers.shape}."
        )
    if not np.isfinite(numbers).all():
        raise RecipeError(f"A preprocessing's {name} holds numbers that are not finite.")


def _equal(one: NDArray[np.float32] | None, other: NDArray[np.float32] | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)
