"""Shards: the stored pixels of a pack, raw bytes in a few files that are mapped into memory.

A shard of pixels has no header: image i begins at byte i * S * S * 3, so that a crop is a slice of
the mapped file. What is in it stands in `pack.json` and `index.npz`.

Legend: N images of the pack, n images asked for, S side of an image.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import SourceError
from alexnet.images import PlacedImages, StoredImages
from alexnet.kernels.late import LateKernels

__all__ = [
    "MappedShards",
    "MemoryPixels",
    "PixelStore",
    "Shard",
    "ShardSet",
    "SubsetPixels",
    "checksum",
    "pixel_checksums",
]

OpenFile = TypeVar("OpenFile")

_VERIFY_BYTES = 16 << 20  # read at once
_kernels = LateKernels("checksum")


@dataclass(frozen=True)
class Shard:
    """One file of stored images."""

    name: str
    images: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"name": self.name, "images": self.images}


class PixelStore(Protocol):
    """Where the stored images of a pack lie."""

    def stored(self, indices: NDArray[np.int64]) -> StoredImages:
        """Return n images where they lie."""
        ...


@dataclass(frozen=True)
class MemoryPixels:
    """Images in memory: (N, S, S, 3) uint8."""

    images: NDArray[np.uint8]

    def stored(self, indices: NDArray[np.int64]) -> StoredImages:
        """Return n images where they lie."""
        return StoredImages.select(self.images, indices)


@dataclass(frozen=True)
class SubsetPixels:
    """Some of the images of a pack, under numbers of their own."""

    pixels: PixelStore
    kept: NDArray[np.int64]  # (N,) indices in `pixels`

    def stored(self, indices: NDArray[np.int64]) -> StoredImages:
        """Return n images where they lie."""
        return self.pixels.stored(self.kept[indices])


class ShardSet:
    """The shards of a pack in a folder: which image lies in which, and what it must be.

    Args:
        folder: of the pack, or its address.
        shards: the files in order; each holds whole images.
        image_px: side of an image.
        checksums: (N,) CRC-32 of each image's pixels, or of its JPEG file.
    """

    def __init__(
        self,
        folder: Path | str,
        shards: Sequence[Shard],
        *,
        image_px: int,
        checksums: NDArray[np.uint32],
    ) -> None:
        self.folder, self.shards = folder, tuple(shards)
        self.image_px, self.checksums = image_px, checksums
        self.starts = np.cumsum([0, *(shard.images for shard in shards)])

    def __len__(self) -> int:
        return len(self.checksums)

    def locate(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for n images, the number of the shard and the position in it.

        Raises:
            IndexError: an index is not in 0 .. N - 1.
        """
        if len(indices) and not 0 <= indices.min() <= indices.max() < len(self):
            raise IndexError(f"the pack holds images 0 to {len(self) - 1}")
        numbers = np.searchsorted(self.starts, indices, side="right") - 1
        return numbers, indices - self.starts[numbers]

    def open(self, shard: Shard, size: int, open_file: Callable[[Path], OpenFile]) -> OpenFile:
        """Open the file of a shard, which must have `size` bytes.

        Raises:
            SourceError: it is missing, of another length, or the disk refuses.
        """
        path = Path(self.folder) / shard.name
        try:
            self.require_length(shard, path.stat().st_size, size)
            return open_file(path)
        except (OSError, ValueError) as cause:  # ValueError: emptied before it could be mapped
            raise self.unreadable(shard, cause) from cause

    def unreadable(self, shard: Shard, cause: Exception) -> SourceError:
        """Return the error for a shard that the system does not let be read."""
        return self._damaged(shard, f"{getattr(cause, 'strerror', None) or cause}".lower())

    def require_length(self, shard: Shard, length: int, size: int) -> None:
        """Raise SourceError for a shard that has another length than `size` bytes."""
        if length != size:
            raise self._damaged(shard, f"it has {length:,} bytes instead of {size:,}")

    def damaged(self, index: int, what: str) -> SourceError:
        """Return the error for an image that is not what was packed; it names the shard."""
        return self._damaged(self.shards[int(self.locate(np.array([index]))[0][0])], what)

    def _damaged(self, shard: Shard, what: str) -> SourceError:
        remedy = "Remove the folder and pack the source again."
        if isinstance(self.folder, str):
            remedy = "Copy the pack there again, or pack the source again."
        return SourceError(
            f"The pack {self.folder} is damaged: shard {shard.name}: {what}. {remedy}"
        )


class MappedShards:
    """Images in files that the system pages in and out; nothing is held in memory by us.

    Each image is held against its checksum the first time it is read in this process. The lengths
    of the files are held against the pack's before each read: to touch a page behind the end of a
    file that somebody shortened would kill the process.

    Raises:
        SourceError: a shard is missing or has another length than its images.
    """

    def __init__(self, shards: ShardSet) -> None:
        self._shards = shards
        self._unverified = np.ones(len(shards), dtype=np.bool_)
        self._files = [self._open(shard) for shard in shards.shards]
        side = shards.image_px
        # A plain array over the mapped pages: slicing np.memmap takes several times as long.
        self._maps = [
            np.frombuffer(file, dtype=np.uint8).reshape(shard.images, side, side, 3)
            for file, shard in zip(self._files, shards.shards, strict=True)
        ]

    def __reduce__(self) -> tuple[type[MappedShards], tuple[ShardSet]]:
        """Map the files again in the other process."""
        return MappedShards, (self._shards,)

    def stored(self, indices: NDArray[np.int64]) -> StoredImages:
        """Return n images where they lie.

        Raises:
            SourceError: the pixels differ from what was packed; the shard is named.
        """
        numbers, positions = self._shards.locate(indices)
        used: list[int] = sorted(set(numbers.tolist()))
        for number in used:
            self._require_whole(number)
        fresh = np.flatnonzero(self._unverified[indices])
        if len(fresh):
            lying: list[tuple[int, int]] = np.stack([numbers, positions], axis=1)[fresh].tolist()
            images = [self._maps[number][position] for number, position in lying]
            self._verify(indices[fresh], images)
        parts: list[PlacedImages] = []
        for number in used:
            rows = np.flatnonzero(numbers == number)
            parts.append(PlacedImages(self._maps[number], positions[rows], rows))
        return StoredImages(tuple(parts), self._shards.image_px)

    def verify(self) -> None:
        """Hold every image that was not read yet against its checksum.

        Raises:
            SourceError: the pixels differ from what was packed; the shard is named.
        """
        for start, images in self._chunks():
            self._verify(np.arange(start, start + len(images)), images)

    def _chunks(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        step = max(1, _VERIFY_BYTES // (3 * self._shards.image_px**2))
        for number, mapped in enumerate(self._maps):
            first = self._shards.starts[number]
            for start in range(0, len(mapped), step):
                self._require_whole(number)
                yield int(first) + start, mapped[start : start + step]

    def _verify(
        self, indices: NDArray[np.int64], images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
    ) -> None:
        wrong = indices[pixel_checksums(images) != self._shards.checksums[indices]]
        if len(wrong):
            raise self._shards.damaged(int(wrong[0]), "its pixels are not those that were packed")
        self._unverified[indices] = False

    def _require_whole(self, number: int) -> None:
        """Raise SourceError where a shard was shortened since it was mapped."""
        shard = self._shards.shards[number]
        try:
            length = self._files[number].size()
        except OSError as cause:
            raise self._shards.unreadable(shard, cause) from cause
        self._shards.require_length(shard, length, self._size(shard))

    def _size(self, shard: Shard) -> int:
        return shard.images * 3 * self._shards.image_px**2

    def _open(self, shard: Shard) -> mmap.mmap:
        def map_file(path: Path) -> mmap.mmap:
            with path.open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

        return self._shards.open(shard, self._size(shard), map_file)


def checksum(content: NDArray[np.uint8]) -> int:
    """Return the CRC-32 of the (n,) bytes of an image as it is stored, without gaps."""
    if (kernels := _kernels.get()) is not None:
        return kernels.crc32(content)
    return zlib.crc32(content.data)


def pixel_checksums(
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
) -> NDArray[np.uint32]:
    """Return the CRC-32 of each of n (S, S, 3) images: (n,) uint32."""
    checksums = (checksum(np.ascontiguousarray(image).reshape(-1)) for image in images)
    return np.fromiter(checksums, dtype=np.uint32, count=len(images))
