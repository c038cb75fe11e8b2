"""Pictures to measure with: JPEG files with the statistics of photographs, made here."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["photographs", "write_folder"]

_SIZE = (500, 375)  # pixels across and down, as most of ImageNet
_OCTAVES = 7
_QUALITY = 90


def photographs(count: int) -> list[bytes]:
    """Return JPEG files of 500 x 375: noise of all scales, each half as strong as the next."""
    rng = np.random.default_rng(0)
    return [_photograph(rng) for _ in range(count)]


def write_folder(folder: Path, files: list[bytes], count: int) -> Path:
    """Write `count` pictures of two classes, the same ones again where there are fewer."""
    for number in range(count):
        place = folder / f"class {number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.jpg").write_bytes(files[number % len(files)])
    return folder


def _photograph(rng: np.random.Generator) -> bytes:
    pixels = np.full((_SIZE[1], _SIZE[0], 3), 128.0)
    for octave in range(_OCTAVES):
        small = rng.normal(scale=60 / (octave + 1), size=(3 * 2**octave, 4 * 2**octave, 3))
        for channel in range(3):
            layer = Image.fromarray(small[..., channel].astype(np.float32))
            pixels[..., channel] += np.asarray(layer.resize(_SIZE, Image.Resampling.BICUBIC))
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
