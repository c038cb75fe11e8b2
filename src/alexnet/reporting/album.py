"""The pictures that a report carries inside itself, small enough for a page: encoded once."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.reporting.evidence import PictureOf

__all__ = ["Album", "as_data_uri", "as_png", "make_album"]

_MOST_PX = 128  # longest side of a picture in the page
_SMALL_PX = 64  # up to this side a lossless form is tried: it is often the smaller one
_BUDGET = (
    1_200_000  # bytes of encoded pictures; base64 adds a third, and a page shows one twice at most
)
_PNG = b"\x89PNG"


@dataclass(frozen=True)
class Album:
    """Encoded pictures by item; those that did not fit the budget are not there."""

    encoded: Mapping[int, bytes]

    def __contains__(self, item: int) -> bool:
        """Tell whether the item's picture is here."""
        return item in self.encoded

    def picture(self, item: int) -> NDArray[np.uint8] | None:
        """Return the picture as (H, W, 3) uint8 RGB, or None where it is not here."""
        data = self.encoded.get(item)
        if data is None:
            return None
        with Image.open(io.BytesIO(data)) as image:
            return np.array(image.convert("RGB"))

    @property
    def side_px(self) -> int:
        """The longest side among the pictures; 0 in an empty album."""
        sizes = (Image.open(io.BytesIO(each)).size for each in self.encoded.values())
        return max(map(max, sizes), default=0)


def make_album(picture: PictureOf, items: Iterable[int], *, budget: int = _BUDGET) -> Album:
    """Encode items in their order, as many as the budget of bytes holds.

    Args:
        picture: gives the stored (S, S, 3) uint8 RGB picture of an item, or None.
        items: the most wanted first.
        budget: most bytes of all encoded pictures together.
    """
    encoded: dict[int, bytes] = {}
    room = budget
    for item in items:
        pixels = picture(item)
        if pixels is None:
            continue
        data = _encode(pixels)
        if len(data) > room:
            break
        encoded[item] = data
        room -= len(data)
    return Album(encoded)


def as_data_uri(data: bytes) -> str:
    """Return an encoded PNG or JPEG as the address of an `<img>`."""
    kind = "png" if data.startswith(_PNG) else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def as_png(pixels: NDArray[np.uint8]) -> bytes:
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
