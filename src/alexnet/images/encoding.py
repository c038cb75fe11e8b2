"""Pictures back into JPEG files, for packs that are to be small."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

try:  # the same kind of file, faster (extra: fast)
    import simplejpeg
except ImportError:
    simplejpeg = None

__all__ = ["encoded"]

_QUALITY = 90
"""With colours at half the resolution, a photograph of 256 pixels takes a tenth of its pixels."""


def encoded(picture: NDArray[np.uint8]) -> bytes:
    """Return a picture as a JPEG file of quality 90, colours at half the resolution.

    Args:
        picture: (H, W, 3) uint8, RGB.
    """
    if simplejpeg is not None:
        pixels = np.ascontiguousarray(picture)
        return simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorsubsampling="420")
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=_QUALITY, subsampling="4:2:0")
    return file.getvalue()
