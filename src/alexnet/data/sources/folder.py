"""Folders as sources of files: walked once, read by path."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.index import Paths
from alexnet.data.sources.names import passed_over
from alexnet.errors import SourceError
from alexnet.images import UnreadablePicture
from alexnet.text import bytes_in_words, shortened

__all__ = ["MOST_FILE_BYTES", "Contents", "Finds", "FolderContents", "Listing", "list_folder"]

MOST_FILE_BYTES = 1 << 30
"""Larger files are not read: no picture is so large, and a film may lie among pictures."""


class Contents(Protocol):
    """Gives the bytes of files; several threads may ask at once."""

    def read(self, path: str, place: int, size: int) -> bytes:
        """Return the bytes of one file.

        Args:
            path: relative to the folder or archive.
            place: what the scan noted for it.
            size: its bytes when it was scanned.

        Raises:
            UnreadablePicture: it is gone, or damaged inside its archive.
        """
        ...


@dataclass(frozen=True, eq=False)
class Listing:
    """Some files by relative path, with "/" between the parts."""

    where: Path  # the folder, archive or table
    paths: Paths  # (N,)
    sizes: NDArray[np.int64]  # (N,) bytes
    stamps: NDArray[np.int64]  # (N,) times or checksums: others where the content may be another
    places: NDArray[np.int64]  # (N,) for `contents`
    folders: tuple[str, ...]  # every folder in order, also without files; "" is the top
    folder_of: NDArray[np.int32]  # (N,) position of each file's folder in `folders`
    contents: Contents = field(repr=False)

    def __len__(self) -> int:
        return len(self.sizes)

    def read(self, index: int) -> bytes:
        """Return the bytes of a file.

        Raises:
            UnreadablePicture: it is gone, too large, or damaged inside its archive.
        """
        path, size = self.paths[index], int(self.sizes[index])
        if size > MOST_FILE_BYTES:
            limit = bytes_in_words(MOST_FILE_BYTES)
            raise UnreadablePicture(
                path, f"it has {bytes_in_words(size)}, and the limit is {limit}"
            )
        return self.contents.read(path, int(self.places[index]), size)

    def take(self, order: NDArray[np.int64]) -> Listing:
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
            places=self.places[order],
            folder_of=self.folder_of[order],
        )


class Finds:
    """What a scan has found so far, in few bytes for each file."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.sizes = array("q")
        self.stamps = array("q")
        self.places = array("q")
        self.folders: set[str] = set()

    def add(self, path: str, size: int, stamp: int, place: int = 0) -> None:
        """Note one file; the arguments are those of a `Listing`."""
        self.paths.append(path)
        self.sizes.append(size)
        self.stamps.append(stamp)
        self.places.append(place)

    def listing(self, where: Path, contents: Contents) -> Listing:
        """Return the files in the order of their paths; of two of one path the later counts."""
        order = sorted(range(len(self.paths)), key=self.paths.__getitem__)
        last = [
            i
            for i, after in zip_longest(order, order[1:])
            if after is None or self.paths[i] != self.paths[after]
        ]
        homes = [self.paths[i].rpartition("/")[0] for i in last]
        folders = sorted(_with_those_above({"", *homes, *self.folders}))
        position = {folder: number for number, folder in enumerate(folders)}
        return Listing(
            where,
            Paths.of(self.paths[i] for i in last),
            np.array(self.sizes, dtype=np.int64)[last],
            np.array(self.stamps, dtype=np.int64)[last],
            np.array(self.places, dtype=np.int64)[last],
            tuple(folders),
            np.array([position[home] for home in homes], dtype=np.int32),
            contents,
        )


def _with_those_above(folders: Iterable[str]) -> set[str]:
    every: set[str] = set()
    for folder in folders:
        while folder not in every:
            every.add(folder)
            folder = folder.rpartition("/")[0]
    return every


_MOST_WAYS = 1000
"""Ways to one folder through links. Links to links to links make as many as there is time for."""

_Identity = tuple[int, int]  # device and inode: what makes two names the same folder


class FolderContents:
    """Reads files by their path relative to a folder."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)

    def read(self, path: str, place: int, size: int) -> bytes:
        """Return the bytes of a file; see `Contents`."""
        del place, size
        try:
            with open(os.path.join(self._root, path), "rb") as file:  # noqa: PTH118, PTH123  # speed
                return file.read(MOST_FILE_BYTES)
        except FileNotFoundError as cause:
            raise UnreadablePicture(path, "it is gone") from cause
        except (OSError, ValueError) as cause:
            said = cause.strerror if isinstance(cause, OSError) else str(cause)
            raise UnreadablePicture(path, (said or str(cause)).lower()) from cause


def list_folder(where: Path) -> Listing:
    """Return the files below a folder, hidden and system files left out.

    Symbolic links are followed, but never into a folder that the way leads through already. Links
    that lead nowhere are listed: reading them says that the picture is gone.

    Raises:
        SourceError: a folder cannot be opened, or links lead to it on more than 1,000 ways.
    """
    finds = Finds()
    ways = Counter[_Identity]()
    waiting: list[tuple[str, tuple[_Identity, ...]]] = [("", ())]
    while waiting:
        folder, above = waiting.pop()
        full = os.path.join(where, folder) if folder else os.fspath(where)  # noqa: PTH118
        try:
            known = os.stat(full)  # noqa: PTH116
            identity = (known.st_dev, known.st_ino)
            if identity in above:
                continue
            ways[identity] += 1
            if ways[identity] > _MOST_WAYS:
                raise SourceError(
                    f"{where}: symbolic links lead to one folder, {shortened(folder)}, on more "
                    f"than {_MOST_WAYS:,} ways. Name a folder without such links."
                )
            finds.folders.add(folder)
            waiting += [(each, (*above, identity)) for each in _scan(full, folder, finds)]
        except OSError as cause:
            raise SourceError(
                f"The folder {full} cannot be opened: {(cause.strerror or str(cause)).lower()}. "
                "Give yourself the right to read it, or move it out of the way."
            ) from cause
    return finds.listing(where, FolderContents(where))


def _scan(full: str, folder: str, finds: Finds) -> list[str]:
    """Note the files of one folder; return the folders in it."""
    inner: list[str] = []
    start = f"{folder}/" if folder else ""
    with os.scandir(full) as entries:
        for entry in entries:
            if passed_over(entry.name):
                continue
            path = start + entry.name
            try:
                if entry.is_dir():
                    inner.append(path)
                elif entry.is_file():
                    known = entry.stat()
                    finds.add(path, known.st_size, known.st_mtime_ns)
                elif entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110
                    finds.add(path, 0, 0)
            except OSError:  # it vanished meanwhile, or links go round in a ring
                finds.add(path, 0, 0)
    return inner
