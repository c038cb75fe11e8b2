"""Images as programs hand them over, names of files or arrays, as a preprocessing stores them.

Legend: N images, n of a batch, H and W sides of an image, S side of the stored image.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import SourceError
from alexnet.evaluation import stored_images
from alexnet.images import Preprocessing, UnreadableImage, resize_to_square

__all__ = ["is_images", "stored_batches"]


def is_images(images: Any) -> bool:
    """Whether an estimator's input is images and not a table of numbers.

    Names of files: a list, an array or a column of texts or paths. Arrays: (N, H, W),
    (N, H, W, 1) or (N, H, W, 3), or a list of such without N.
    """
    if _is_plain_array(images):
        return images.ndim >= 3 or images.dtype.kind in "US"
    if isinstance(images, np.ndarray) or hasattr(images, "to_numpy"):  # objects; a table or column
        images = np.asarray(cast("Any", images)).ravel().tolist()
    if not isinstance(images, list | tuple) or not images:
        return False
    first = cast("Any", images[0])
    return isinstance(first, str | os.PathLike) or np.ndim(first) >= 2


def stored_batches(
    images: Any, rule: Preprocessing, *, batch_size: int
) -> Iterator[NDArray[np.uint8]]:
    """Yield images as a preprocessing stores them, in order.

    Args:
        images: see `is_images`; arrays are uint8, gray or RGB, upright.
        rule: of the network.
        batch_size: images of a batch.

    Yields:
        (n, S, S, 3) uint8.

    Raises:
        SourceError: a file cannot be read; it is named.
        ValueError: arrays that are no images.
    """
    rows: Any = images
    if not isinstance(images, list | tuple) and not (_is_plain_array(images) and images.ndim >= 3):
        rows = np.asarray(images).ravel().tolist()
    if isinstance(rows[0], str | os.PathLike):
        yield from _batches_of_files(_Files(rows), rule, batch_size)
        return
    for start in range(0, len(rows), batch_size):
        arrays = [_as_rgb(row) for row in rows[start : start + batch_size]]
        yield np.stack([resize_to_square(x, rule.image_px, rule.resize_mode) for x in arrays])


def _is_plain_array(images: Any) -> bool:
    """Whether it is an array of numbers or texts."""
    return isinstance(images, np.ndarray) and cast("NDArray[Any]", images).dtype.kind != "O"


class _Files:
    """Image files by number."""

    def __init__(self, paths: Sequence[Any]) -> None:
        self.paths: list[str] = [os.fspath(path) for path in paths]

    def read(self, index: int) -> bytes:
        path = self.paths[index]
        try:
            return Path(path).read_bytes()
        except (OSError, ValueError) as cause:
            reason = getattr(cause, "strerror", None) or cause
            raise UnreadableImage(path, str(reason).lower()) from cause


def _batches_of_files(
    files: _Files, rule: Preprocessing, batch_size: int
) -> Iterator[NDArray[np.uint8]]:
    """Read every file: the caller counts on a row for each, so that none may be left out."""
    indices = np.arange(len(files.paths))
    for batch in stored_images([rule], files, indices, batch_size=batch_size):
        if batch.failures:
            index, reason = batch.failures[0]
            raise SourceError(
                f"{files.paths[index]} cannot be read: {reason}. Leave it out; alexnet check names "
                "all such files of a folder."
            )
        yield batch.images[0]


def _as_rgb(image: Any) -> NDArray[np.uint8]:
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[..., None]
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3):
        raise ValueError(
            "An image is an array of uint8 in 0..255 of shape (H, W), (H, W, 1) or (H, W, 3); got "
            f"{array.dtype} of {np.shape(image)}."
        )
    if not array.size:
        raise ValueError(f"An image has at least one pixel; got the shape {np.shape(image)}.")
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))
