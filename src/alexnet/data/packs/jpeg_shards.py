"""Shards of JPEG files: plain tar archives as WebDataset reads them, decoded on the way.

Each image is two members: `train/00000012.jpg`, and `train/00000012.cls` with the number of its
class. Nothing else lies in them, and a member is a header of one block and its data in whole
blocks: so the lengths of the files alone say where each one is, and no header is ever read.

Legend: N images of the pack, n images asked for, S side of an image.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.shards import ShardSet
from alexnet.data.sources.listing import RandomAccessFile
from alexnet.data.sources.names import SPLITS
from alexnet.devices import cores
from alexnet.images import StoredImages, UnreadableImage, decode

__all__ = ["TAR_END", "JpegShards", "decode_squares", "jpeg_places", "tar_members"]

_BLOCK = tarfile.BLOCKSIZE

TAR_END = bytes(2 * _BLOCK)
"""What a tar archive ends with."""

_FEWEST_IN_THREADS = 8  # images; starting threads takes as long as decoding some


def tar_members(number: int, split: int, label: int, data: bytes) -> bytes:
    """Return the part of a shard that holds one image and its class.

    Args:
        number: of the image in its source.
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
    """Images in tar archives; each is held against its checksum whenever it is read.

    Args:
        shards: the archives.
        lengths: (N,) bytes of each JPEG file.

    Raises:
        SourceError: a shard is missing or has another length than its images.
    """

    def __init__(self, shards: ShardSet, lengths: NDArray[np.uint32]) -> None:
        self._shards, self._lengths = shards, lengths
        self._offsets, shard_sizes = jpeg_places(shards, lengths)
        self._files = [
            shards.open(shard, size, RandomAccessFile.open)
            for shard, size in zip(shards.shards, shard_sizes, strict=True)
        ]

    def __reduce__(self) -> tuple[type[JpegShards], tuple[ShardSet, NDArray[np.uint32]]]:
        """Open the files again in the other process."""
        return JpegShards, (self._shards, self._lengths)

    def stored(self, indices: NDArray[np.int64]) -> StoredImages:
        """Return n images, decoded by all cores.

        Raises:
            SourceError: a file differs from what was packed; the shard is named.
        """
        numbers: list[int] = self._shards.locate(indices)[0].tolist()

        def read(i: int) -> bytes:
            return self._read(numbers[i], int(indices[i]))

        return StoredImages.of(decode_squares(self._shards, indices, read))

    def verify(self) -> None:
        """Hold every file against its checksum.

        Raises:
            SourceError: one differs from what was packed; the shard is named.
        """
        indices = np.arange(len(self._shards))
        for index, number in enumerate(self._shards.locate(indices)[0].tolist()):
            self._read(number, index)

    def _read(self, number: int, index: int) -> bytes:
        """Return one JPEG file out of the shard of this number."""
        try:
            data = self._files[number].read(int(self._offsets[index]), int(self._lengths[index]))
        except OSError as cause:
            raise self._shards.damaged(index, f"{cause.strerror or cause}".lower()) from cause
        if zlib.crc32(data) != self._shards.checksums[index]:
            raise self._shards.damaged(index, "its images are not those that were packed")
        return data


def jpeg_places(
    shards: ShardSet, lengths: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], list[int]]:
    """Return where each JPEG file begins in its shard, and the bytes of each shard.

    Args:
        shards: the archives.
        lengths: (N,) bytes of each JPEG file.
    """
    # An image takes a header, its file in whole blocks, the header of its class, its number.
    sizes = (3 + -(-lengths.astype(np.int64) // _BLOCK)) * _BLOCK
    ends = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
    shard_starts = ends[shards.starts]
    starts = ends[:-1] - np.repeat(shard_starts[:-1], np.diff(shards.starts))
    # Each file lies in its shard behind the header.
    return starts + _BLOCK, (np.diff(shard_starts) + len(TAR_END)).tolist()


def decode_squares(
    shards: ShardSet, indices: NDArray[np.int64], read: Callable[[int], bytes]
) -> NDArray[np.uint8]:
    """Return n JPEG files as images, (n, S, S, 3), decoded by all cores.

    Args:
        shards: the archives.
        indices: (n,) of the images in the pack.
        read: gives the file of the image at a position in `indices`; several threads call it.

    Raises:
        SourceError: a file is none, or of another size; the shard is named.
    """
    side, threads = shards.image_px, cores()
    images = np.empty((len(indices), side, side, 3), dtype=np.uint8)

    def decode_every(step: int, first: int) -> None:
        for i in range(first, len(indices), step):
            images[i] = _decode(shards, int(indices[i]), read(i))

    if len(indices) < _FEWEST_IN_THREADS or threads == 1:
        decode_every(1, 0)
    else:
        with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
            list(pool.map(decode_every, [threads] * threads, range(threads)))
    return images


def _decode(shards: ShardSet, index: int, data: bytes) -> NDArray[np.uint8]:
    side = shards.image_px
    try:
        image = decode(data, "")
    except UnreadableImage as cause:
        raise shards.damaged(index, f"an image is {cause.reason}") from cause
    if image.shape != (side, side, 3):
        size = f"{image.shape[1]} x {image.shape[0]}"
        raise shards.damaged(index, f"an image has {size}")
    return image
