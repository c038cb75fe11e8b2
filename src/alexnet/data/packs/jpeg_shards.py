"""Shards of JPEG files: plain tar archives as WebDataset reads them, decoded on the way.

Each picture is two members: `train/00000012.jpg`, and `train/00000012.cls` with the number of its
class. Nothing else lies in them, so the lengths of the files say where each one is.

Legend: N pictures of the pack, n pictures asked for, S side of a picture.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.shards import Shard, damaged_shard, opened_shard
from alexnet.data.sources.names import SPLITS
from alexnet.data.sources.tar import RandomAccess
from alexnet.devices import cores
from alexnet.errors import SourceError
from alexnet.images import StoredPictures, UnreadablePicture, decode

__all__ = ["END", "JpegShards", "two_members"]

_BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * _BLOCK)
"""What a tar archive ends with."""

_FEW = 8  # pictures that are not worth threads


def two_members(number: int, split: int, label: int, data: bytes) -> bytes:
    """Return the part of a shard that holds one picture and its class.

    Args:
        number: of the picture in its source.
        split: position in `SPLITS`; the split is a folder in the archive.
        label: position of its class.
        data: the JPEG file.
    """
    key = f"{SPLITS[split]}/{number:08}" if SPLITS[split] else f"{number:08}"
    return _member(f"{key}.jpg", data) + _member(f"{key}.cls", str(label).encode())


def _member(name: str, data: bytes) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    return entry.tobuf(tarfile.USTAR_FORMAT) + data.ljust(-(-len(data) // _BLOCK) * _BLOCK, b"\0")


class JpegShards:
    """Pictures in tar archives; each is held against its checksum whenever it is read.

    Args:
        folder: of the pack.
        shards: the archives in order.
        image_px: side of a picture.
        lengths: (N,) bytes of each JPEG file.
        checksums: (N,) CRC-32 of each JPEG file.

    Raises:
        SourceError: a shard is missing or has another length than its pictures.
    """

    def __init__(
        self,
        folder: Path,
        shards: Sequence[Shard],
        *,
        image_px: int,
        lengths: NDArray[np.uint32],
        checksums: NDArray[np.uint32],
    ) -> None:
        self._folder, self._shards = folder, tuple(shards)
        self._image_px, self._lengths, self._checksums = image_px, lengths, checksums
        self._starts = np.cumsum([0, *(shard.pictures for shard in shards)])
        # header, file in whole blocks, header of the class, its number
        taken = (3 + -(-lengths.astype(np.int64) // _BLOCK)) * _BLOCK
        ends = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(taken)])
        firsts = ends[self._starts]
        self._places = ends[:-1] - np.repeat(firsts[:-1], np.diff(self._starts)) + _BLOCK
        sizes: list[int] = (np.diff(firsts) + len(END)).tolist()
        self._files = [
            opened_shard(folder, each, size, RandomAccess.open)
            for each, size in zip(shards, sizes, strict=True)
        ]

    def stored(self, indices: NDArray[np.int64]) -> StoredPictures:
        """Return n pictures, decoded by all cores.

        Raises:
            SourceError: a file differs from what was packed; the shard is named.
        """
        if len(indices) and not 0 <= indices.min() <= indices.max() < len(self._checksums):
            raise IndexError(f"the pack holds pictures 0 to {len(self._checksums) - 1}")
        found = np.empty((len(indices), self._image_px, self._image_px, 3), dtype=np.uint8)
        threads = cores()

        def decode_some(first: int) -> None:
            for place in range(first, len(indices), threads):
                found[place] = self._picture(int(indices[place]))

        if len(indices) < _FEW or threads == 1:
            threads = 1
            decode_some(0)
        else:
            with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
                list(pool.map(decode_some, range(threads)))
        return StoredPictures.of(found)

    def verify(self) -> None:
        """Hold every file against its checksum.

        Raises:
            SourceError: one differs from what was packed; the shard is named.
        """
        for index in range(len(self._checksums)):
            self._file(index)

    def _picture(self, index: int) -> NDArray[np.uint8]:
        try:
            picture = decode(self._file(index), "")
        except UnreadablePicture as cause:
            raise self._damaged(index, f"a picture is {cause.reason}") from cause
        if picture.shape != (self._image_px, self._image_px, 3):
            raise self._damaged(index, f"a picture has {picture.shape[1]} x {picture.shape[0]}")
        return picture

    def _file(self, index: int) -> bytes:
        """Return one JPEG file."""
        file = self._files[self._home(index)]
        try:
            data = file.read(int(self._places[index]), int(self._lengths[index]))
        except OSError as cause:
            raise self._damaged(index, f"{cause.strerror or cause}".lower()) from cause
        if zlib.crc32(data) != self._checksums[index]:
            raise self._damaged(index, "its pictures are not those that were packed")
        return data

    def _home(self, index: int) -> int:
        """Return which shard holds a picture."""
        return int(np.searchsorted(self._starts, index, side="right")) - 1

    def _damaged(self, index: int, what: str) -> SourceError:
        return damaged_shard(self._folder, self._shards[self._home(index)], what)
