"""Kinds of images of which Pillow loses something, and what decodes each of them instead."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alexnet.images.extra_formats import MissingPackage, decode_jpeg_xl, jpeg_xl_size
from alexnet.images.jpeg2000 import decode_jpeg2000, decode_palette, read_jpeg2000
from alexnet.images.png import decode_png, png_size
from alexnet.images.tiff import UnsupportedKind, decode_tiff
from alexnet.images.tiff_tags import read_tags

__all__ = ["DeepImage", "MissingPackage", "UnsupportedKind", "find_deep_image"]


class DeepImage(NamedTuple):
    """An image that is not decoded yet."""

    size: tuple[int, int]  # width and height, to be held against the limits first
    orientation: int | None  # as of EXIF; None: Pillow knows it
    decode: Callable[[], NDArray[np.uint8] | None]
    """Return (H, W, 3) uint8; None: a kind that Pillow reads right after all.

    Raises:
        UnsupportedKind, MissingPackage: it is not read; the text is the reason.
    """


def find_deep_image(data: bytes) -> DeepImage | None:
    """Return an image of such a kind; None: another one, or no image."""
    if (tags := read_tags(data)) is not None:
        size = tags.width, tags.height
        return DeepImage(size, tags.orientation, partial(decode_tiff, data, tags))
    if (size := png_size(data)) is not None:
        return DeepImage(size, None, partial(decode_png, data))
    if (header := read_jpeg2000(data)) is not None and (header.is_deep or header.has_palette):
        decode = (
            partial(decode_jpeg2000, data, header)
            if header.is_deep
            else partial(decode_palette, data)
        )
        return DeepImage(header.size, 1, decode)
    if (size := jpeg_xl_size(data)) is not None:
        return DeepImage(size, 1, partial(decode_jpeg_xl, data))  # turned upright already
    return None
