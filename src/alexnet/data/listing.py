"""Listings: the files of a folder or an archive, before anybody says what they show.

Legend: N files.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alexnet.data.pack_index import Paths
from alexnet.images import UnreadablePicture
from alexnet.words import bytes_in_words

__all__ = ["MOST_FILE_BYTES", "Contents", "Finds", "Listing"]

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
