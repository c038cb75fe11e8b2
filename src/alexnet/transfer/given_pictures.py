"""Pictures as programs hand them over, arrays or names of files, brought to a network's squares.

Legend: N pictures, n of a batch, S side of the stored picture.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import SourceError
from alexnet.evaluation import stored_pictures
from alexnet.images import Preprocessing, UnreadablePicture, fitted

__all__ = ["given_squares", "is_pictures"]


def is_pictures(given: Any) -> bool:
    """Whether what a program hands over are pictures and not a table of numbers.

    Names of files: a list, an array or a column of texts or paths. Arrays: (N, H, W),
    (N, H, W, 1) or (N, H, W, 3), or a list of such without N.
    """
    if _is_plain_array(given):
        return given.ndim >= 3 or given.dtype.kind in "US"
    if isinstance(given, np.ndarray) or hasattr(given, "to_numpy"):  # objects; a table or column
        given = np.asarray(cast("Any", given)).ravel().tolist()
    if not isinstance(given, list | tuple) or not given:
        return False
    first = cast("Any", given[0])
    return isinstance(first, str | os.PathLike) or np.ndim(first) >= 2


def given_squares(given: Any, rule: Preprocessing, *, batch: int) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures as a preprocessing stores them, in order.

    Args:
        given: see `is_pictures`; arrays are uint8, grey or RGB, upright.
        rule: of the network.
        batch: pictures at once.

    Yields:
        (n, S, S, 3) uint8.

    Raises:
        SourceError: a file cannot be read; it is named.
        ValueError: arrays that are no pictures.
    """
    rows: Any = given
    if not isinstance(given, list | tuple) and not (_is_plain_array(given) and given.ndim >= 3):
        rows = np.asarray(given).ravel().tolist()
    if isinstance(rows[0], str | os.PathLike):
        yield from _of_files(_Files(rows), rule, batch)
        return
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        yield np.stack([fitted(_as_rgb(each), rule.image_px, rule.fit) for each in part])


def _is_plain_array(given: Any) -> bool:
    """Whether it is an array of numbers or texts."""
    return isinstance(given, np.ndarray) and cast("NDArray[Any]", given).dtype.kind != "O"


class _Files:
    """Picture files by number."""

    def __init__(self, places: Sequence[Any]) -> None:
        self.paths: list[str] = [os.fspath(each) for each in places]

    def read(self, index: int) -> bytes:
        path = self.paths[index]
        try:
            return Path(path).read_bytes()
        except (OSError, ValueError) as cause:
            reason = getattr(cause, "strerror", None) or cause
            raise UnreadablePicture(path, str(reason).lower()) from cause


def _of_files(files: _Files, rule: Preprocessing, batch: int) -> Iterator[NDArray[np.uint8]]:
    """Read every file: a row for each is what the caller counts on, so that none is left out."""
    for part in stored_pictures([rule], files, np.arange(len(files.paths)), batch=batch):
        if part.failures:
            index, reason = part.failures[0]
            raise SourceError(
                f"{files.paths[index]} cannot be read: {reason}. Leave it out; alexnet check names "
                "all such files of a folder."
            )
        yield part.pictures[0]


def _as_rgb(picture: Any) -> NDArray[np.uint8]:
    array = np.asarray(picture)
    if array.ndim == 2:
        array = array[..., None]
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3):
        raise ValueError(
            "A picture is an array of uint8 in 0..255 of shape (H, W), (H, W, 1) or (H, W, 3); got "
            f"{array.dtype} of {np.shape(picture)}."
        )
    if not array.size:
        raise ValueError(f"A picture has at least one pixel; got the shape {np.shape(picture)}.")
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))
