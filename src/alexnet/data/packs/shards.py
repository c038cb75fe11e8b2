"""Shards: the stored pixels of a pack, raw bytes in a few files that are mapped into memory.

Legend: N pictures of the pack, n pictures asked for, S side of a picture.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import SourceError
from alexnet.images import PlacedPictures, StoredPictures

__all__ = [
    "ChosenPixels",
    "MappedShards",
    "MemoryPixels",
    "Pixels",
    "Shard",
    "damaged_shard",
    "opened_shard",
    "pixel_checksums",
]

Opened = TypeVar("Opened")


@dataclass(frozen=True)
class Shard:
    """One file of stored pictures."""

    name: str
    pictures: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"name": self.name, "pictures": self.pictures}


class Pixels(Protocol):
    """Where the stored pictures of a pack lie."""

    def stored(self, indices: NDArray[np.int64]) -> StoredPictures:
        """Return n pictures where they lie."""
        ...


@dataclass(frozen=True)
class MemoryPixels:
    """Pictures in memory: (N, S, S, 3) uint8."""

    pictures: NDArray[np.uint8]

    def stored(self, indices: NDArray[np.int64]) -> StoredPictures:
        """Return n pictures where they lie."""
        return StoredPictures.some_of(self.pictures, indices)


@dataclass(frozen=True)
class ChosenPixels:
    """Some of the pictures of a pack, under numbers of their own."""

    pixels: Pixels
    chosen: NDArray[np.int64]  # (N,) positions in `pixels`

    def stored(self, indices: NDArray[np.int64]) -> StoredPictures:
        """Return n pictures where they lie."""
        return self.pixels.stored(self.chosen[indices])


class MappedShards:
    """Pictures in files that the system pages in and out; nothing is held in memory by us.

    Each picture is held against its checksum the first time it is read in this process.

    Args:
        folder: of the pack.
        shards: the files in order; each holds whole pictures.
        image_px: side of a picture.
        checksums: (N,) CRC-32 of each picture.

    Raises:
        SourceError: a shard is missing or has another length than its pictures.
    """

    def __init__(
        self,
        folder: Path,
        shards: Sequence[Shard],
        *,
        image_px: int,
        checksums: NDArray[np.uint32],
    ) -> None:
        self._folder, self._shards = folder, tuple(shards)
        self._checksums = checksums
        self._image_px = image_px
        self._unseen = np.ones(len(checksums), dtype=np.bool_)
        self._starts = np.cumsum([0, *(shard.pictures for shard in shards)])
        self._maps = [self._map(shard) for shard in self._shards]

    def stored(self, indices: NDArray[np.int64]) -> StoredPictures:
        """Return n pictures where they lie.

        Raises:
            SourceError: the pixels differ from what was packed; the shard is named.
        """
        if len(indices) and not 0 <= indices.min() <= indices.max() < len(self._checksums):
            raise IndexError(f"the pack holds pictures 0 to {len(self._checksums) - 1}")
        homes = np.searchsorted(self._starts, indices, side="right") - 1
        places = indices - self._starts[homes]
        fresh = np.flatnonzero(self._unseen[indices])
        if len(fresh):
            lying: list[tuple[int, int]] = np.stack([homes, places], axis=1)[fresh].tolist()
            self._verify(indices[fresh], [self._maps[home][place] for home, place in lying])
        parts: list[PlacedPictures] = []
        for home in np.unique(homes).tolist():
            rows = np.flatnonzero(homes == home)
            parts.append(PlacedPictures(self._maps[home], places[rows], rows))
        return StoredPictures(tuple(parts), self._image_px)

    def verify(self) -> None:
        """Hold every picture that was not read yet against its checksum.

        Raises:
            SourceError: the pixels differ from what was packed; the shard is named.
        """
        for start, pictures in self._portions():
            self._verify(np.arange(start, start + len(pictures)), pictures)

    def _portions(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        step = max(1, (16 << 20) // (3 * self._image_px**2))
        for first, mapped in zip(self._starts, self._maps, strict=False):
            for start in range(0, len(mapped), step):
                yield int(first) + start, mapped[start : start + step]

    def _verify(
        self, indices: NDArray[np.int64], pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
    ) -> None:
        wrong = indices[pixel_checksums(pictures) != self._checksums[indices]]
        if len(wrong):
            homes: list[int] = np.searchsorted(self._starts, wrong[:1], side="right").tolist()
            shard = self._shards[homes[0] - 1]
            raise damaged_shard(self._folder, shard, "its pixels are not those that were packed")
        self._unseen[indices] = False

    def _map(self, shard: Shard) -> NDArray[np.uint8]:
        shape = (shard.pictures, self._image_px, self._image_px, 3)

        def mapped(path: Path) -> NDArray[np.uint8]:
            return np.memmap(path, dtype=np.uint8, mode="r", shape=shape).view(np.ndarray)

        return opened_shard(self._folder, shard, shard.pictures * 3 * self._image_px**2, mapped)


def opened_shard(
    folder: Path, shard: Shard, wanted: int, opened: Callable[[Path], Opened]
) -> Opened:
    """Open the file of a shard, which must have as many bytes as its pictures take.

    Raises:
        SourceError: it is missing, of another length, or the disk refuses.
    """
    path = folder / shard.name
    try:
        found = path.stat().st_size
        if found != wanted:
            raise damaged_shard(folder, shard, f"it has {found:,} bytes instead of {wanted:,}")
        return opened(path)
    except OSError as cause:
        raise damaged_shard(folder, shard, f"{cause.strerror or cause}".lower()) from cause


def damaged_shard(folder: Path, shard: Shard, what: str) -> SourceError:
    """Return the error for a shard that is not what was packed."""
    return SourceError(
        f"The pack {folder} is damaged: shard {shard.name}: {what}. Remove the folder and pack the "
        "source again."
    )


def pixel_checksums(
    pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
) -> NDArray[np.uint32]:
    """Return the CRC-32 of each of n (S, S, 3) pictures: (n,) uint32."""
    found = (zlib.crc32(np.ascontiguousarray(each).data) for each in pictures)
    return np.fromiter(found, dtype=np.uint32, count=len(pictures))
