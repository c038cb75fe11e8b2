"""A preprocessing told in words: what happens between the file and the numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alexnet.images import Preprocessing

__all__ = ["preprocessing_in_words"]


def preprocessing_in_words(preprocessing: Preprocessing) -> dict[str, str]:
    """Return a phrase for each step by its name, in the order in which they are done."""
    side, cut = preprocessing.image_px, preprocessing.crop_px
    square = {
        "crop": f"the shorter side becomes {side} pixels, the central square is kept",
        "squash": f"both sides become {side} pixels, whatever their proportions",
        "pad": f"the longer side becomes {side} pixels, the rest is mid-grey",
    }
    whole = "the whole square" if cut == side else f"{cut} × {cut} pixels, the centre or as drawn"
    channels = {"RGB": "red, green, blue", "BGR": "blue, green, red"}
    return {
        "decoded": "to 8 bits in red, green and blue, upright as the camera noted",
        "made square": square[preprocessing.fit],
        "cut": whole,
        "subtracted": _subtracted(preprocessing),
        "divided": (
            "by nothing"
            if preprocessing.scale is None
            else f"by the deviation of each channel: {_levels(preprocessing.scale)}"
        ),
        "channels": channels[preprocessing.order],
    }


def _subtracted(preprocessing: Preprocessing) -> str:
    mean = preprocessing.mean
    if mean is None:
        return "nothing"
    if mean.ndim == 1:
        return f"the mean colour of the training pictures: {_levels(mean)}"
    where = "its central cut" if preprocessing.mean_at == "centre" else "cut where the crop lies"
    return f"the mean image of the training pictures, {where}"


def _levels(values: NDArray[np.float32]) -> str:
    return ", ".join(f"{float(value):.1f}" for value in values)
