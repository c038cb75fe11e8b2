"""HEIC and JPEG XL, read by packages that are optional (extra: formats)."""

from __future__ import annotations

import importlib
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.images.boxes import iter_boxes
from alexnet.images.content import is_heif, is_jpeg_xl

__all__ = [
    "MissingPackage",
    "decode_jpeg_xl",
    "decode_with_imagecodecs",
    "jpeg_xl_size",
    "register_heif",
    "samples_to_rgb",
]

INSTALL = 'pip install "alexnet[formats]"'
"""What brings the packages."""

_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_lock = threading.Lock()
_registered: set[str] = set()


class MissingPackage(Exception):
    """A package that a format needs is not installed; the text is a phrase."""


def register_heif(data: bytes) -> None:
    """Have Pillow read HEIF, if that is what the bytes are.

    Raises:
        MissingPackage: pillow-heif is not installed.
    """
    if not is_heif(data):
        return
    with _lock:
        if "HEIF" in _registered:
            return
        try:
            plugin: Any = importlib.import_module("pillow_heif")
        except ImportError:
            raise MissingPackage(
                f"it is a HEIC image, and reading it needs pillow-heif: {INSTALL}, or convert it "
                "to JPEG"
            ) from None
        plugin.register_heif_opener(thumbnails=False)
        _registered.add("HEIF")


def jpeg_xl_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG XL image; None: it is none, or its head is damaged.

    Source: ISO/IEC 18181-1, section D.2 (size header), and 18181-2, section 9 (boxes).
    """
    if not is_jpeg_xl(data):
        return None
    stream = data if data[:2] == b"\xff\x0a" else _first_stream(data)
    if stream[:2] != b"\xff\x0a" or len(stream) < 12:
        return None
    bits = _Bits(int.from_bytes(stream[2:12], "little"))
    small = bits.take(1)
    height = 8 * (1 + bits.take(5)) if small else bits.size()
    ratio = bits.take(3)
    if ratio:
        numerator, denominator = _RATIOS[ratio]
        return height * numerator // denominator, height
    return (8 * (1 + bits.take(5)) if small else bits.size()), height


class _Bits:
    """Bits of a number, the lowest first."""

    def __init__(self, number: int) -> None:
        self._number = number

    def take(self, count: int) -> int:
        taken = self._number & ((1 << count) - 1)
        self._number >>= count
        return taken

    def size(self) -> int:
        return 1 + self.take((9, 13, 18, 30)[self.take(2)])


def _first_stream(data: bytes) -> bytes:
    """Return the start of the code stream inside boxes."""
    for kind, start, _ in iter_boxes(data, 0, len(data)):
        if kind in (b"jxlc", b"jxlp"):
            start += 4 if kind == b"jxlp" else 0
            return data[start : start + 64]
    return b""


def decode_with_imagecodecs(function: str, data: bytes, what: str, **options: Any) -> NDArray[Any]:
    """Decode a file by a function of imagecodecs.

    Args:
        function: its name.
        data: the file; its size is allowed.
        what: begins the sentence where the package is missing.
        options: of the function.

    Raises:
        MissingPackage: imagecodecs is not installed.
        ValueError: a damaged file.
    """
    try:
        codecs: Any = importlib.import_module("imagecodecs")
    except ImportError:
        raise MissingPackage(f"{what} needs imagecodecs: {INSTALL}, or convert it to PNG") from None
    try:
        return getattr(codecs, function)(data, **options)
    except Exception as error:  # imagecodecs (2026.3) raises a RuntimeError of its own
        raise ValueError(str(error)) from error


def decode_jpeg_xl(data: bytes) -> NDArray[np.uint8]:
    """Return the first frame of a JPEG XL image, upright, over white.

    Args:
        data: the file; its size is allowed.

    Returns:
        (H, W, 3) uint8.

    Raises:
        MissingPackage: imagecodecs is not installed.
        ValueError: a damaged file.
    """
    what = "it is a JPEG XL image, and reading it"
    samples = decode_with_imagecodecs("jpegxl_decode", data, what, index=0, numthreads=1)
    if samples.ndim == 2:
        samples = samples[:, :, None]
    if samples.ndim != 3 or samples.shape[2] > 4:
        raise ValueError(f"an image of shape {' x '.join(map(str, samples.shape))}")
    white = 1.0 if samples.dtype.kind == "f" else float(np.iinfo(samples.dtype).max)
    return samples_to_rgb(samples, white)


def samples_to_rgb(samples: NDArray[Any], white: float) -> NDArray[np.uint8]:
    """Bring (H, W, 1 to 4) samples to (H, W, 3) of 8 bits; the last one of 2 and 4 is alpha."""
    colors = 3 if samples.shape[2] > 2 else 1
    if samples.dtype == np.uint8 and samples.shape[2] == colors:
        return np.repeat(samples, 3, axis=2) if colors == 1 else np.ascontiguousarray(samples)
    pixels = np.empty((*samples.shape[:2], 3), dtype=np.uint8)
    for row, line in enumerate(samples):  # one by one: floating point of all would take much memory
        levels = np.clip(np.nan_to_num(line.astype(np.float64)) / white, 0, 1)
        shown = levels[:, :colors]
        if samples.shape[2] > colors:
            shown = shown * levels[:, -1:] + 1 - levels[:, -1:]
        pixels[row] = np.rint(shown * 255)
    return pixels
