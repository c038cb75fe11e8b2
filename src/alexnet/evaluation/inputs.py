"""Pictures as a user names them: files, folders, archives, standard input, in the order given."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.data import Listing, list_archive, list_folder, looks_like_picture, natural_key
from alexnet.errors import SourceError
from alexnet.files import refuse_long
from alexnet.images import UnreadablePicture

__all__ = ["NamedPictures"]

_Read = Callable[[], bytes]


class NamedPictures:
    """Picture files by number; what is missing or empty is a picture that cannot be read.

    Folders and archives are gone through with all that is below them, numbers in names as numbers,
    hidden files and those that are plainly something else passed over.

    Args:
        places: files, folders, archives; "-" is standard input.
    """

    def __init__(self, places: Sequence[Path | str]) -> None:
        self.paths: list[str] = []
        self._reads: list[_Read] = []
        standard_input = _StandardInput()
        for place in map(str, places):
            for path, read in standard_input.rows() if place == "-" else _rows(place):
                self.paths.append(path)
                self._reads.append(read)

    @property
    def indices(self) -> NDArray[np.int64]:
        """(N,) of all pictures, in order."""
        return np.arange(len(self.paths), dtype=np.int64)

    def read(self, index: int) -> bytes:
        """Return the bytes of a picture file.

        Raises:
            SourceError: it is missing, or cannot be read.
        """
        return self._reads[index]()


class _StandardInput:
    """One picture from standard input, read once however often it is named."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._data: bytes | None = None

    def rows(self) -> Iterator[tuple[str, _Read]]:
        yield "-", self.read

    def read(self) -> bytes:
        with self._lock:
            if self._data is not None:
                return self._data
            if sys.stdin.isatty():
                raise UnreadablePicture("-", "standard input is a keyboard; pipe a picture in")
            self._data = data = sys.stdin.buffer.read()
            return data


def _rows(place: str) -> Iterator[tuple[str, _Read]]:
    """Yield name and reading of each picture that a path stands for."""
    path = Path(place)
    try:
        refuse_long(path, SourceError)
        found = list_folder(path) if path.is_dir() else list_archive(path)
    except SourceError as error:
        yield place, partial(_refuse, error)
        return
    if found is None:
        yield place, partial(_read_file, path, place)
        return
    order = _picture_order(found)
    if not order:
        yield place, partial(_refuse, UnreadablePicture(place, "it holds no pictures"))
    above = place.rstrip("/\\") or place
    yield from ((f"{above}/{found.paths[i]}", partial(found.read, i)) for i in order)


def _picture_order(found: Listing) -> list[int]:
    """Return the positions of what may be pictures, folder by folder, numbers as numbers."""
    paths = list(found.paths)
    likely = [i for i, path in enumerate(paths) if looks_like_picture(path)]
    return sorted(likely, key=lambda i: [natural_key(part) for part in paths[i].split("/")])


def _read_file(path: Path, shown: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as cause:
        raise UnreadablePicture(shown, "there is no such file or folder") from cause
    except (OSError, ValueError) as cause:
        raise UnreadablePicture(shown, _said(cause)) from cause


def _said(cause: Any) -> str:
    return str(getattr(cause, "strerror", None) or cause).lower()


def _refuse(error: SourceError) -> bytes:
    raise error
