"""Small images for a page: encoded once, within a budget of bytes, the most important first."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.reporting.run.data import ReadImage

__all__ = ["Thumbnails", "data_uri", "encode_png", "make_thumbnails"]

_MOST_PX = 128  # longest side
_SMALL_PX = 64  # up to this side PNG is tried beside JPEG: it is often the smaller one
_BUDGET = 1_200_000  # bytes of a report; base64 adds a third, and a page shows one twice at most
_PNG = b"\x89PNG"


@dataclass(frozen=True)
class Thumbnails:
    """Encoded images by item; those that did not fit the budget are not there."""

    encoded: Mapping[int, bytes]

    def __contains__(self, item: int) -> bool:
        """Tell whether the item's image is here."""
        return item in self.encoded

    def image(self, item: int) -> NDArray[np.uint8] | None:
        """Return the image as (H, W, 3) uint8 RGB, or None where it is not here."""
        data = self.encoded.get(item)
        if data is None:
            return None
        with Image.open(io.BytesIO(data)) as image:
            return np.array(image.convert("RGB"))

    def uri(self, item: int) -> str | None:
        """Return the address of an `<img>`, or None where the image is not here."""
        data = self.encoded.get(item)
        return None if data is None else data_uri(data)

    @property
    def side_px(self) -> int:
        """The longest side among the images; 0 where there are none."""
        sizes = (Image.open(io.BytesIO(data)).size for data in self.encoded.values())
        return max(map(max, sizes), default=0)


def make_thumbnails(image: ReadImage, items: Iterable[int], *, budget: int = _BUDGET) -> Thumbnails:
    """Encode items in their order, as many as the budget of bytes holds.

    Args:
        image: gives the stored (S, S, 3) uint8 RGB image of an item, or None.
        items: the most important first.
        budget: most bytes of all encoded images together.
    """
    encoded: dict[int, bytes] = {}
    left = budget
    for item in items:
        pixels = image(item)
        if pixels is None:
            continue
        data = _encode(pixels)
        if len(data) > left:
            break
        encoded[item] = data
        left -= len(data)
    return Thumbnails(encoded)


def data_uri(data: bytes) -> str:
    """Return an encoded PNG or JPEG as the address of an `<img>`."""
    kind = "png" if data.startswith(_PNG) else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode (H, W, 3) RGB or (H, W, 4) RGBA pixels as PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()


def _encode(pixels: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(pixels)
    if (pixels == pixels[:, :, :1]).all():
        image = image.convert("L")
    if max(image.size) > _MOST_PX:
        image.thumbnail((_MOST_PX, _MOST_PX), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88, subsampling=0, optimize=True)
    jpeg = file.getvalue()
    if max(image.size) > _SMALL_PX:
        return jpeg
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return min(file.getvalue(), jpeg, key=len)
