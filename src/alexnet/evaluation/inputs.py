"""Images as a user names them: files, folders, archives, standard input, in the order given."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.data import FileListing, image_mask, list_files, natural_key
from alexnet.data.sources.listing import MAX_FILE_BYTES
from alexnet.errors import SourceError
from alexnet.evaluation.image_values import image_name, load_image
from alexnet.files import require_usable_path
from alexnet.images import UnreadableImage
from alexnet.reading import LimitExceeded, read_limited, read_to

__all__ = ["NamedImages"]

_Read = Callable[[], bytes]


class NamedImages:
    """Image files by number; what is missing or empty is an image that cannot be read.

    Folders and archives are gone through with all that is below them, numbers in names as numbers,
    hidden files and those that are plainly something else passed over.

    Args:
        images: files, folders, archives; "-" is standard input. Also images in memory, of every
            kind that `load_image` knows: they are called "image 3" by their place, from 1.
    """

    def __init__(self, images: Sequence[Any]) -> None:
        self.paths: list[str] = []
        self._reads: list[_Read] = []
        standard_input = _StandardInput()
        for number, image in enumerate(images, 1):
            if not isinstance(image, str | os.PathLike):
                rows = iter([_row_in_memory(image, number)])
            else:
                path = str(cast("str | Path", image))
                rows = standard_input.rows() if path == "-" else _rows(path)
            for name, read in rows:
                self.paths.append(name)
                self._reads.append(read)

    @property
    def indices(self) -> NDArray[np.int64]:
        """(N,) of all images, in order."""
        return np.arange(len(self.paths), dtype=np.int64)

    @property
    def signature(self) -> str:
        """Stands for names, sizes and times of the files, and for the images in memory."""
        state = hashlib.blake2b(digest_size=32)
        for name, read in zip(self.paths, self._reads, strict=True):
            state.update(f"{name}\n{_stamp(name, read)}\n".encode("utf-8", "surrogateescape"))
        return state.hexdigest()

    def read(self, index: int) -> bytes:
        """Return the bytes of an image file.

        Raises:
            SourceError: it is missing, or cannot be read.
        """
        return self._reads[index]()


class _StandardInput:
    """One image from standard input, read once however often it is named."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._data: bytes | None = None

    def __reduce__(self) -> tuple[type[_StandardInput], tuple[()], bytes]:
        """Take what was read along: another process has another standard input."""
        with contextlib.suppress(SourceError):
            return _StandardInput, (), self.read()
        return _StandardInput, (), b""

    def __setstate__(self, data: bytes) -> None:
        self._data = data

    def rows(self) -> Iterator[tuple[str, _Read]]:
        yield "-", self.read

    def read(self) -> bytes:
        with self._lock:
            if self._data is None:
                self._data = _read_standard_input()
            return self._data


def _read_standard_input() -> bytes:
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]  # it was closed
        raise UnreadableImage("-", "standard input is closed; pipe an image in")
    if sys.stdin.isatty():
        raise UnreadableImage("-", "standard input is a keyboard; pipe an image in")
    try:
        return read_to(sys.stdin.buffer, MAX_FILE_BYTES)
    except LimitExceeded as cause:
        raise UnreadableImage("-", str(cause)) from cause
    except (OSError, ValueError) as cause:  # it is a folder, or was closed
        raise UnreadableImage("-", _reason(cause)) from cause


def _stamp(name: str, read: _Read) -> str:
    """Return what is another text where the content of an image may be another."""
    listing: Any = getattr(getattr(read, "func", None), "__self__", None)
    if isinstance(read, partial) and isinstance(listing, FileListing):
        index = read.args[0]
        time = 0 if listing.times is None else int(listing.times[index])
        return f"{listing.sizes[index]} {listing.stamps[index]} {time}"
    if isinstance(read, partial) and read.func is _read_file:
        with contextlib.suppress(OSError, ValueError):
            status = Path(name).stat()
            return f"{status.st_size} {status.st_mtime_ns}"
        return "missing"
    try:
        return hashlib.blake2b(bytes(cast("bytes", read())), digest_size=16).hexdigest()
    except SourceError as error:
        return str(error)


def _row_in_memory(image: Any, number: int) -> tuple[str, _Read]:
    """Return name and reading of an image that is no path: its file, or a PNG of its pixels.

    Raises:
        SourceError: the value is no image.
    """
    name = image_name(image, number)
    try:
        loaded = load_image(image, name)
    except UnreadableImage as error:
        return name, partial(_raise, error)
    if isinstance(loaded, bytes):
        return name, partial(bytes, loaded)
    buffer = io.BytesIO()
    Image.fromarray(loaded).save(buffer, "PNG", compress_level=1)
    return name, buffer.getvalue


def _rows(name: str) -> Iterator[tuple[str, _Read]]:
    """Yield name and reading of each image that a path stands for."""
    path = Path(name)
    try:
        require_usable_path(path, SourceError)
        listing = list_files(path)
    except SourceError as error:
        yield name, partial(_raise, error)
        return
    if listing is None:
        yield name, partial(_read_file, path, name)
        return
    order = _image_order(listing)
    if not order:
        yield name, partial(_raise, UnreadableImage(name, "it holds no images"))
    above = name.rstrip("/\\") or name
    yield from ((f"{above}/{listing.paths[i]}", partial(listing.read, i)) for i in order)


def _image_order(listing: FileListing) -> list[int]:
    """Return the positions of what may be images, folder by folder, numbers as numbers."""
    paths = list(listing.paths)
    likely: list[int] = np.flatnonzero(image_mask(listing)).tolist()
    return sorted(likely, key=lambda i: [natural_key(part) for part in paths[i].split("/")])


def _read_file(path: Path, name: str) -> bytes:
    try:
        return read_limited(path, MAX_FILE_BYTES)
    except FileNotFoundError as cause:
        raise UnreadableImage(name, "there is no such file or folder") from cause
    except LimitExceeded as cause:
        raise UnreadableImage(name, str(cause)) from cause
    except (OSError, ValueError) as cause:
        raise UnreadableImage(name, _reason(cause)) from cause


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def _raise(error: SourceError) -> bytes:
    raise error
