"""Images as programs hold them: bytes, paths, open files, arrays, tensors, Pillow's images.

Legend: H and W sides of an image, S side of the stored image.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.data.sources.listing import MAX_FILE_BYTES
from alexnet.errors import SourceError
from alexnet.files import require_usable_path
from alexnet.images import Preprocessing, UnreadableImage, apply_orientation, resize_to_square
from alexnet.images.conversion import to_gray, to_rgb
from alexnet.images.pillow import PILLOW_ERRORS
from alexnet.reading import LimitExceeded, read_limited, read_to
from alexnet.text import shorten

__all__ = ["ImageValue", "as_one_image", "image_name", "load_image", "pixels_of_array", "store"]

ImageValue = bytes | NDArray[np.uint8]
"""The bytes of an image file, or (H, W, 3) uint8, RGB, upright."""

_ORIENTATION = 0x0112  # EXIF's tag
_WAYS = (
    "An image is a path, the bytes of a file, an open file, an array of uint8, a tensor or a "
    "Pillow image"
)


def as_one_image(images: Any) -> bool:
    """Whether a value is one image and not several of them.

    Arrays of four axes are several, as lists and everything else that can be gone through.

    Raises:
        SourceError: neither.
    """
    if isinstance(images, str | bytes | bytearray | memoryview | os.PathLike | Image.Image):
        return True
    if hasattr(images, "shape") and hasattr(images, "dtype"):
        return len(images.shape) < 4 and not (len(images.shape) == 1 and _holds_objects(images))
    if hasattr(images, "read"):
        return True
    if isinstance(images, Iterable) and not isinstance(images, Mapping):
        return False
    raise SourceError(f"{_WAYS}, or a list of such; got {_kind(images)}.")


def _holds_objects(array: Any) -> bool:
    """Whether it is an array of texts or objects, such as a column of paths."""
    return getattr(array.dtype, "kind", "") in ("U", "O", "S")


def image_name(image: Any, number: int) -> str:
    """Return the path of an image that has one, else "image 3", counted from 1."""
    if isinstance(image, str | os.PathLike):
        return str(os.fsdecode(cast("str | os.PathLike[str]", image)))  # NumPy has a str of its own
    named = getattr(image, "filename", None) or getattr(image, "name", None)
    return named if isinstance(named, str) else f"image {number}"


def load_image(image: Any, name: str) -> ImageValue:
    """Read what can be read of an image in memory or in a file.

    Args:
        image: a path; the bytes of a file, or a file open for reading them; (H, W), (H, W, 1),
            (H, W, 3) or (H, W, 4) uint8, upright, transparency over white; a torch tensor of
            (H, W), (1, H, W) or (3, H, W) uint8; a Pillow image, which is turned as its EXIF says.
        name: for errors.

    Raises:
        UnreadableImage: a file that is not there or cannot be read.
        SourceError: a value that is no image.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(cast("bytes", image))
    if isinstance(image, str | os.PathLike):
        return _read_path(Path(os.fsdecode(cast("str | os.PathLike[str]", image))))
    if isinstance(image, Image.Image):
        return _pillow_pixels(image, name)
    if hasattr(image, "shape") and hasattr(image, "dtype"):
        is_tensor = type(image).__module__.partition(".")[0] == "torch"
        return _tensor_pixels(image, name) if is_tensor else pixels_of_array(image, name)
    if hasattr(image, "read"):
        return _read_open_file(image, name)
    raise SourceError(f"{shorten(name)} is {_kind(image)}. {_WAYS}.")


def _read_path(path: Path) -> bytes:
    require_usable_path(path, SourceError)
    name = shorten(path)
    try:
        return read_limited(path, MAX_FILE_BYTES)
    except FileNotFoundError as cause:
        raise UnreadableImage(name, "there is no such file") from cause
    except IsADirectoryError as cause:
        raise UnreadableImage(name, "it is a folder, and alexnet.predict takes those") from cause
    except LimitExceeded as cause:
        raise UnreadableImage(name, str(cause)) from cause
    except (OSError, ValueError) as cause:
        reason = getattr(cause, "strerror", None) or cause
        raise UnreadableImage(name, str(reason).lower()) from cause


def _read_open_file(file: Any, name: str) -> bytes:
    try:
        data: Any = read_to(file, MAX_FILE_BYTES)
    except LimitExceeded as cause:
        raise UnreadableImage(shorten(name), str(cause)) from cause
    except (OSError, ValueError, TypeError) as cause:  # closed, of text, or asynchronous
        raise UnreadableImage(shorten(name), shorten(cause)) from cause
    return data


def _pillow_pixels(image: Image.Image, name: str) -> NDArray[np.uint8]:
    if not min(image.size):
        raise UnreadableImage(shorten(name), "it has no pixels")
    try:
        image.load()
        orientation = image.getexif().get(_ORIENTATION, 1)
        return apply_orientation(to_rgb(image), orientation)
    except PILLOW_ERRORS as cause:  # cut, or its file was closed before it was read
        raise UnreadableImage(shorten(name), shorten(cause)) from cause


def _tensor_pixels(tensor: Any, name: str) -> NDArray[np.uint8]:
    """Turn (C, H, W), torch's order of axes, into (H, W, C)."""
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    if array.ndim == 3 and array.shape[0] not in (1, 3):
        raise SourceError(
            f"{shorten(name)} is a tensor of {_shape(array)}: an image is (H, W), (1, H, W) or "
            "(3, H, W). Move its channels to the front."
        )
    return pixels_of_array(array.transpose(1, 2, 0) if array.ndim == 3 else array, name)


def pixels_of_array(array: Any, name: str) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 of an array: (H, W), (H, W, 1), (H, W, 3), or (H, W, 4) with alpha.

    Raises:
        SourceError: another type or shape, or no pixel.
    """
    array = np.asarray(array)
    if array.dtype != np.uint8:
        scale = (
            "Where white is 1, write (255 * image).round().astype('uint8')"
            if array.dtype.kind in "fb"
            else "Scale it to that"
        )
        raise SourceError(
            f"{shorten(name)} is an array of {array.dtype} of {_shape(array)}, and an image is "
            f"uint8 in 0..255: nothing else says which number is white. {scale}."
        )
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise SourceError(
            f"{shorten(name)} is an array of {_shape(array)}: an image is (H, W), (H, W, 1), "
            "(H, W, 3) or (H, W, 4). Several images are a list of such, or (N, H, W, 3)."
        )
    if not array.size:
        raise SourceError(f"{shorten(name)} is an array of {_shape(array)}: it has no pixels.")
    if channels == 4:
        return to_rgb(Image.fromarray(np.ascontiguousarray(array), "RGBA"))
    planes = array if array.ndim == 3 else array[..., None]
    return np.ascontiguousarray(np.broadcast_to(planes, (*array.shape[:2], 3)))


def store(image: ImageValue, rule: Preprocessing, name: str) -> NDArray[np.uint8]:
    """Return an image as a preprocessing stores it: (S, S, 3) uint8.

    Raises:
        UnreadableImage: the bytes are no image, or are damaged.
    """
    if isinstance(image, bytes):
        return rule.read(image, name)
    pixels = to_gray(image) if rule.gray else image
    return resize_to_square(pixels, rule.image_px, rule.resize_mode)


def _shape(array: Any) -> str:
    return f"shape {tuple(array.shape)}"


def _kind(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
