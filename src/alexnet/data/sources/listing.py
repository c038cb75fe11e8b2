"""Listings: many files by relative path, in few bytes for each, and what reads them."""

from __future__ import annotations

import os
import threading
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

from alexnet.images import UnreadableImage
from alexnet.text import format_bytes

__all__ = [
    "MAX_FILE_BYTES",
    "FileListing",
    "FileReader",
    "ListingBuilder",
    "Paths",
    "RandomAccessFile",
]

MAX_FILE_BYTES = 1 << 30
"""Larger files are not read: no image is so large, and a film may lie among images."""


class Paths(Sequence[str]):
    """Many texts in two arrays: a million paths take the room of their letters.

    Args:
        letters: all texts in UTF-8, one after another.
        ends: (N,) where each text ends in `letters`.
    """

    def __init__(self, letters: bytes, ends: NDArray[np.int64]) -> None:
        self.letters = letters
        self.ends = ends

    @classmethod
    def of(cls, texts: Iterable[str]) -> Paths:
        """Store some texts; those that are no valid Unicode keep their bytes."""
        encoded = [text.encode("utf-8", "surrogateescape") for text in texts]
        lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
        return cls(b"".join(encoded), np.cumsum(lengths))

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        start = int(self.ends[place - 1]) if place else 0
        return self.letters[start : int(self.ends[place])].decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        start = 0
        for end in self.ends.tolist():
            yield self.letters[start:end].decode("utf-8", "surrogateescape")
            start = end

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Paths):
            return NotImplemented
        return self.letters == other.letters and np.array_equal(self.ends, other.ends)

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # holds arrays


class FileReader(Protocol):
    """Reads files of a folder or an archive; several threads may read at once."""

    def read(self, path: str, position: int, size: int) -> bytes:
        """Return the bytes of one file.

        Args:
            path: relative to the folder or archive.
            position: as the listing has it.
            size: its bytes when it was listed.

        Raises:
            UnreadableImage: it is gone, or damaged inside its archive.
        """
        ...

    def read_start(self, path: str, position: int, count: int) -> bytes:
        """Return at most `count` first bytes of one file; the rest is as for `read`."""
        ...


@dataclass(frozen=True, eq=False)
class FileListing:
    """Some files by relative path, with "/" between the parts."""

    where: Path  # the folder, archive or table
    paths: Paths  # (N,)
    sizes: NDArray[np.int64]  # (N,) bytes
    stamps: NDArray[np.int64]  # (N,) times or checksums: others where the content may be another
    positions: NDArray[np.int64]  # (N,) of the files in an archive
    folders: tuple[str, ...]  # every folder in order, also without files; "" is the top
    folder_of: NDArray[np.int32]  # (N,) position of each file's folder in `folders`
    reader: FileReader = field(repr=False)
    times: NDArray[np.int64] | None = field(default=None, repr=False)
    """(N,) milliseconds since 1970 when each was last written; 0: unknown."""

    def __len__(self) -> int:
        return len(self.sizes)

    def read(self, index: int) -> bytes:
        """Return the bytes of a file.

        Raises:
            UnreadableImage: it is gone, too large, or damaged inside its archive.
        """
        path, size = self.paths[index], int(self.sizes[index])
        if size > MAX_FILE_BYTES:
            limit = format_bytes(MAX_FILE_BYTES)
            raise UnreadableImage(path, f"it has {format_bytes(size)}, and the limit is {limit}")
        return self.reader.read(path, int(self.positions[index]), size)

    def read_start(self, index: int, count: int) -> bytes:
        """Return at most `count` first bytes of a file.

        Raises:
            UnreadableImage: it is gone, or damaged inside its archive.
        """
        return self.reader.read_start(self.paths[index], int(self.positions[index]), count)

    def take(self, order: NDArray[np.int64]) -> FileListing:
        """Return some of the files in another order.

        Args:
            order: (n,) positions in this listing.
        """
        chosen: list[int] = order.tolist()
        return replace(
            self,
            paths=Paths.of(self.paths[i] for i in chosen),
            sizes=self.sizes[order],
            stamps=self.stamps[order],
            positions=self.positions[order],
            folder_of=self.folder_of[order],
            times=None if self.times is None else self.times[order],
        )


class ListingBuilder:
    """The files that were found so far, in few bytes for each."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.sizes = array("q")
        self.stamps = array("q")
        self.positions = array("q")
        self.times = array("q")
        self.folders: set[str] = set()

    def add(self, path: str, size: int, stamp: int, position: int = 0, time_ms: int = 0) -> None:
        """Add one file; the arguments are those of a `FileListing`."""
        self.paths.append(path)
        self.sizes.append(size)
        self.stamps.append(stamp)
        self.positions.append(position)
        self.times.append(time_ms)

    def build(self, where: Path, reader: FileReader) -> FileListing:
        """Return the files in the order of their paths; of two of one path the later counts."""
        order = sorted(range(len(self.paths)), key=self.paths.__getitem__)
        last = [
            i
            for i, after in zip_longest(order, order[1:])
            if after is None or self.paths[i] != self.paths[after]
        ]
        parents = [self.paths[i].rpartition("/")[0] for i in last]
        folders = sorted(_with_ancestors({"", *parents, *self.folders}))
        position = {folder: number for number, folder in enumerate(folders)}
        return FileListing(
            where,
            Paths.of(self.paths[i] for i in last),
            np.array(self.sizes, dtype=np.int64)[last],
            np.array(self.stamps, dtype=np.int64)[last],
            np.array(self.positions, dtype=np.int64)[last],
            tuple(folders),
            np.array([position[parent] for parent in parents], dtype=np.int32),
            reader,
            np.array(self.times, dtype=np.int64)[last],
        )


def _with_ancestors(folders: Iterable[str]) -> set[str]:
    ancestors: set[str] = set()
    for folder in folders:
        while folder not in ancestors:
            ancestors.add(folder)
            folder = folder.rpartition("/")[0]
    return ancestors


class RandomAccessFile:
    """An open file without a position of its own; it is closed when nobody holds it any more.

    Pickled, it is opened again by its path.

    Args:
        descriptor: of a file that is open for reading; it belongs to this object now.
        path: where it lies; None: it has no name, and cannot be pickled.
    """

    def __init__(self, descriptor: int, path: Path | None = None) -> None:
        self._descriptor, self._path = descriptor, path
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def open(cls, path: Path) -> RandomAccessFile:
        """Open a file; raise OSError where that cannot be."""
        return cls(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), path)

    def __reduce__(self) -> tuple[Callable[[Path], RandomAccessFile], tuple[Path]]:
        """Open the file again in the other process."""
        if self._path is None:
            raise TypeError("a file without a name is of one process alone")
        return RandomAccessFile.open, (self._path,)

    def length(self) -> int:
        """Return the bytes that the file has now."""
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset` on; fewer where the file ends before."""
        data = self._read(offset, count)
        while 0 < len(data) < count:  # a system call may return less than there is
            more = self._read(offset + len(data), count - len(data))
            if not more:
                break
            data += more
        return data

    def _read(self, offset: int, count: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, count, offset)
        with self._lock:  # Windows has no read at a position: seek and read, one thread at a time
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, count)
