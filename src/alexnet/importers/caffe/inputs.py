"""What a network takes: from its inputs, its data layers, and what training did to the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alexnet.errors import WeightsError
from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.generations import DATA_TYPES
from alexnet.importers.caffe.message import Message

__all__ = ["ImageInput", "data_inputs", "declared_inputs", "makes_images"]

_MOST_SIDE = 4096
_NO_DATA = frozenset(("Parameter", "Silence"))
_TRANSFORMING = ("data_param", "image_data_param", "window_data_param", "transform_param")


@dataclass(frozen=True, kw_only=True)
class ImageInput:
    """What a network takes, as far as its description says."""

    blob: str
    batch_size: int = 1
    channels: int | None = None
    height: int | None = None
    width: int | None = None
    image_px: int | None = None  # side of the image of which the input is a crop
    scale: float | None = None  # what is left after the mean is multiplied by this
    mean_values: tuple[float, ...] = ()
    mean_file: str | None = None
    maker: CaffeLayer | None = None  # a layer of somebody's own that makes the images
    shape: tuple[int, ...] | None = None  # where it is none of images

    @property
    def side(self) -> int | None:
        """The longer side, in pixels."""
        if self.height is None or self.width is None:
            return None
        return max(self.height, self.width)

    def require_image(self, where: Path) -> None:
        """Raise where the description names sizes that are none of an image's.

        Raises:
            WeightsError: says the sizes.
        """
        if self.shape is not None:
            sizes = " x ".join(map(str, self.shape))
            raise WeightsError(
                f'The input "{self.blob}" of {where} has the sizes {sizes}; images have four: how '
                "many, channels, height and width."
            )

    @property
    def is_square(self) -> bool:
        """Whether height and width are equal, or unknown."""
        return self.height == self.width

    @property
    def is_prepared(self) -> bool:
        """Whether the description says what is done to the numbers of an image."""
        return bool(self.scale is not None or self.mean_values or self.mean_file)


def makes_images(layer: CaffeLayer) -> bool:
    """Whether a layer makes the images: Caffe's own data layers, and any other without input."""
    if layer.type in DATA_TYPES:
        return True
    return not layer.bottoms and bool(layer.tops) and layer.type not in _NO_DATA


def declared_inputs(top: Message) -> list[ImageInput]:
    """Read the inputs that stand beside the layers."""
    names, flat = top.texts("input"), top.wholes("input_dim", 1)
    shapes = [each.wholes("dim", 1) for each in top.messages("input_shape")]
    shapes = shapes or [flat[i : i + 4] for i in range(0, len(flat), 4)]
    if len(shapes) not in (0, len(names)):
        raise top.error(f"{len(names)} inputs have {len(shapes)} shapes.")
    padded = shapes or [[] for _ in names]
    return [
        _shaped(ImageInput(blob=name), shape, top)
        for name, shape in zip(names, padded, strict=True)
    ]


def data_inputs(layer: CaffeLayer) -> list[ImageInput]:
    """Read the inputs that a data layer makes; the first is the image, the rest are labels."""
    message = layer.message
    about = _prepared(message)
    if layer.type not in DATA_TYPES:
        about = replace(about, maker=layer)
    shapes = [each.wholes("dim", 1) for each in message.message("input_param").messages("shape")]
    memory, dummy = message.message("memory_data_param"), message.message("dummy_data_param")
    if memory.has("height"):
        sizes = [memory.whole(each, low=1) for each in ("channels", "height", "width")]
        shapes = [[memory.whole("batch_size", 1, 1), *sizes]]
    if layer.type == "DummyData":
        shapes = [each.wholes("dim", 1) for each in dummy.messages("shape")] or _dummy_shapes(dummy)
    found: list[ImageInput] = []
    for place, blob in enumerate(layer.tops):
        shape = shapes[min(place, len(shapes) - 1)] if shapes else []
        found.append(_shaped(replace(about, blob=blob), shape, message))
    return found


def _dummy_shapes(dummy: Message) -> list[list[int]]:
    sizes = [dummy.wholes(each, 1) for each in ("num", "channels", "height", "width")]
    count = max(map(len, sizes))
    if not all(sizes):
        return []
    return [[each[min(place, len(each) - 1)] for each in sizes] for place in range(count)]


def _prepared(message: Message) -> ImageInput:
    """Read what a data layer does to an image, in today's place and in V1's."""
    about = ImageInput(blob="")
    for group in _TRANSFORMING:
        inner = message.message(group)
        crop = inner.whole("crop_size", 0) or None
        about = replace(
            about,
            scale=inner.number("scale", 1) if inner.has("scale") else about.scale,
            mean_values=tuple(inner.numbers("mean_value")) or about.mean_values,
            mean_file=inner.text("mean_file") or about.mean_file,
            height=inner.whole("crop_h", 0) or crop or about.height,
            width=inner.whole("crop_w", 0) or crop or about.width,
        )
    if message.message("transform_param").flag("force_gray", False):
        about = replace(about, channels=1)
    images = message.message("image_data_param")
    if not images.flag("is_color", True):
        about = replace(about, channels=1)
    tall, wide = (images.whole(f"new_{axis}", 0) or None for axis in ("height", "width"))
    if about.height is None:
        return replace(about, height=tall, width=wide)
    return replace(about, image_px=tall if tall == wide else None)


def _shaped(image: ImageInput, shape: Sequence[int], message: Message) -> ImageInput:
    """Note the sizes of an input where they are those of images."""
    if not shape:
        return image
    if len(shape) != 4:
        return replace(image, shape=tuple(shape))
    batch, channels, height, width = shape
    if max(height, width) > _MOST_SIDE:
        raise message.error(
            f'the input "{image.blob}" is {height} x {width}; images of up to {_MOST_SIDE} '
            "pixels a side are taken here."
        )
    return replace(image, batch_size=batch, channels=channels, height=height, width=width)
