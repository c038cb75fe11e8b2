"""The shards of a pack in a store: fetched whole into the cache, or parts of them by themselves.

Every image is held against its checksum before it is used: all of a shard before the cache keeps
it, each of a part when it arrives, and those of a shard that the cache held already when they are
first read. What does not match is fetched once more.

Legend: N images of the pack, n images asked for.
"""

from __future__ import annotations

import logging
import mmap
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.shards import ShardSet, checksum
from alexnet.data.remote.shard_cache import ShardCache
from alexnet.data.remote.store import AbsentError, ByteRange, RemoteFolder, ShortError
from alexnet.text import format_bytes

__all__ = ["CHUNK_BYTES", "ImagePlaces", "ShardFiles"]

_log = logging.getLogger(__name__)

CHUNK_BYTES = 8 << 20
"""Asked for at once: large enough that the way there and back costs little."""

_CHUNKS = 4  # at the same time
_GAP_BYTES = 64 << 10  # between two images that are still fetched as one part

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class ImagePlaces:
    """Where the stored images lie in their shards."""

    offsets: NDArray[np.int64]  # (N,) bytes before each in its shard
    lengths: NDArray[np.int64]  # (N,)
    shard_bytes: list[int]


class ShardFiles:
    """Gives the bytes of images, from the cache where their shard is there, else from the store.

    Args:
        folder: the pack in its store.
        shards: which image lies in which, and its checksum.
        places: where in it.
        cache: of the machine.
        require_same: raises SourceError where the pack in the store is another one by now.
    """

    def __init__(
        self,
        folder: RemoteFolder,
        shards: ShardSet,
        places: ImagePlaces,
        cache: ShardCache,
        require_same: Callable[[], None],
    ) -> None:
        self.shards, self.places, self.cache = shards, places, cache
        self._folder, self._require_same = folder, require_same
        self._maps: dict[int, tuple[mmap.mmap, Bytes]] = {}
        self._unverified = np.ones(len(shards), dtype=np.bool_)
        self._fetching = [threading.Lock() for _ in shards.shards]
        self._full = False

    @property
    def full(self) -> bool:
        """Whether the cache had no room for a shard."""
        return self._full

    def close(self) -> None:
        """Wait for the store no longer, and let others make room of what the cache holds."""
        self._folder.close()
        self.cache.close()

    @property
    def sends_parts(self) -> bool:
        """Whether the store gives parts of files; else single images cost their whole shard."""
        return self._folder.sends_parts

    def mapped(self, number: int) -> Bytes | None:
        """Return the bytes of a shard where the cache has it, mapped; None where it has not."""
        held = self._maps.get(number)
        size = self.places.shard_bytes[number]
        if held is not None:
            if held[0].size() == size:  # to touch a page behind a file's end kills the process
                return held[1]
            self._forget(number)
        name = self.shards.shards[number].name
        path = self.cache.find(name, size)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # another process made room, or emptied it
            return None
        self._maps[number] = mapping, np.frombuffer(mapping, dtype=np.uint8)
        return self._maps[number][1]

    def fetch(self, number: int, *, wait: bool) -> bool:
        """Bring a whole shard into the cache; return whether it is there.

        Args:
            number: of the shard.
            wait: while another process fetches it.

        Raises:
            BusyError: another process fetches it, and `wait` is false.
            SourceError: what arrives is twice not what was packed, or the store does not answer.
        """
        shard, size = self.shards.shards[number], self.places.shard_bytes[number]
        with self._fetching[number]:
            if self.mapped(number) is not None:
                return True
            fresh: list[bool] = []

            def write(file: BinaryIO) -> None:
                self._fill(number, file)
                fresh.append(True)

            if self.cache.add(shard.name, size, write, wait=wait) is None:
                self._say_full()
                return False
            if fresh:
                first, last = self.shards.starts[number : number + 2].tolist()
                self._unverified[first:last] = False
            return self.mapped(number) is not None

    def read_parts(self, indices: NDArray[np.int64]) -> list[Bytes]:
        """Return n images from the store, neighbors in one part, verified.

        Raises:
            SourceError: what arrives is twice not what was packed, or the store does not answer.
        """
        images = self._ask(indices)
        wrong = [i for i, image in enumerate(images) if self._is_wrong(int(indices[i]), image)]
        if wrong:
            for i, image in zip(wrong, self._read_again(indices[wrong]), strict=True):
                images[i] = image
        return images

    def _read_again(self, indices: NDArray[np.int64]) -> list[Bytes]:
        """Return n images that arrived damaged."""
        number = int(self.shards.locate(indices)[0][0])
        _log.warning(
            "%s/%s: what arrived is not what was packed. It is fetched once more.",
            self._folder.shown,
            self.shards.shards[number].name,
        )
        images = self._ask(indices)
        for index, image in zip(indices.tolist(), images, strict=True):
            if self._is_wrong(index, image):
                self._require_same()
                raise self.shards.damaged(index, "its images are not those that were packed")
        return images

    def _is_wrong(self, index: int, image: Bytes) -> bool:
        return checksum(image) != int(self.shards.checksums[index])

    def verified(self, number: int, indices: NDArray[np.int64]) -> Bytes | None:
        """Return a shard in which some images were held against their checksums, once.

        None where the cache does not hold it, or holds it damaged: then it is removed.

        Args:
            number: of the shard.
            indices: (n,) in the pack, all of this shard.
        """
        mapped = self.mapped(number)
        if mapped is None:
            return None
        fresh: list[int] = indices[self._unverified[indices]].tolist()
        if any(self._is_wrong(index, self.cut(mapped, index)) for index in fresh):
            name = self.shards.shards[number].name
            _log.warning("%s in %s is damaged; it is fetched again.", name, self.cache.folder)
            self._forget(number)
            self.cache.discard(name)
            return None
        self._unverified[fresh] = False
        return mapped

    def cut(self, shard: Bytes, index: int) -> Bytes:
        """Return the bytes of an image out of those of its shard."""
        start = int(self.places.offsets[index])
        return shard[start : start + int(self.places.lengths[index])]

    def _forget(self, number: int) -> None:
        """Let go of a mapped shard; images of it that somebody still uses stay where they are."""
        self._maps.pop(number, None)
        first, last = self.shards.starts[number : number + 2].tolist()
        self._unverified[first:last] = True

    def _fill(self, number: int, file: BinaryIO) -> None:
        """Write a shard into a file, and again those images that are not what was packed."""
        name, size = self.shards.shards[number].name, self.places.shard_bytes[number]
        starts = range(0, size, CHUNK_BYTES)
        chunks = [ByteRange(name, start, min(start + CHUNK_BYTES, size)) for start in starts]
        for first in range(0, len(chunks), _CHUNKS):
            if not self._folder.sends_parts:
                file.seek(0)
                file.write(self._folder.read(name))
                break
            for chunk in self._read_ranges(chunks[first : first + _CHUNKS]):
                file.write(chunk)
        file.truncate(size)
        file.flush()
        wrong = self._wrong_images(number, Path(file.name))
        if len(wrong):
            for index, data in zip(wrong.tolist(), self._read_again(wrong), strict=True):
                file.seek(int(self.places.offsets[index]))
                file.write(data.data)
            file.flush()

    def _wrong_images(self, number: int, path: Path) -> NDArray[np.int64]:
        first, last = self.shards.starts[number : number + 2].tolist()
        content = np.memmap(path, dtype=np.uint8, mode="r")
        offsets: list[int] = self.places.offsets[first:last].tolist()
        lengths: list[int] = self.places.lengths[first:last].tolist()
        sums = (
            checksum(np.asarray(content[start : start + length]))
            for start, length in zip(offsets, lengths, strict=True)
        )
        found = np.fromiter(sums, dtype=np.uint32, count=last - first)
        return first + np.flatnonzero(found != self.shards.checksums[first:last])

    def _read_ranges(self, ranges: Sequence[ByteRange]) -> list[bytes]:
        """Read parts of shards; of a pack that changed they may not be there any more."""
        try:
            return self._folder.read_ranges(ranges)
        except (AbsentError, ShortError):
            self._require_same()
            raise

    def _ask(self, indices: NDArray[np.int64]) -> list[Bytes]:
        """Return n images as they arrive, in the order asked for."""
        order = np.argsort(indices, kind="stable")
        numbers = self.shards.locate(indices)[0]
        spans = [
            (
                int(numbers[i]),
                int(self.places.offsets[indices[i]]),
                int(self.places.lengths[indices[i]]),
            )
            for i in order.tolist()
        ]
        parts = _join_neighbors(spans)
        names = [self.shards.shards[number].name for number, _, _ in parts]
        ranges = [
            ByteRange(name, start, end) for name, (_, start, end) in zip(names, parts, strict=True)
        ]
        answers = self._read_ranges(ranges)
        images: list[Bytes] = [np.empty(0, dtype=np.uint8)] * len(indices)
        part = 0
        for i, (number, start, length) in zip(order.tolist(), spans, strict=True):
            while parts[part][0] != number or not parts[part][1] <= start < parts[part][2]:
                part += 1
            begin = start - parts[part][1]
            # A copy, so that what lay between two images is not kept with them.
            images[i] = np.frombuffer(answers[part][begin : begin + length], dtype=np.uint8)
        return images

    def _say_full(self) -> None:
        """Say once that the cache is too small for the pack."""
        if self._full:
            return
        self._full = True
        total = sum(self.places.shard_bytes)
        _log.warning(
            "The cache has no room for all of %s (%s): images of the shards that it does not hold "
            "are read from the store again whenever they are needed. --cache-gb %.3g would keep "
            "them, where the disk has as much room (now: %.3g, for all packs).",
            self._folder.shown,
            format_bytes(total),
            np.ceil(total / 1e7) / 100,
            self.cache.limit / 1e9,
        )


def _join_neighbors(spans: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return parts to ask for: number of the shard, start and end.

    Args:
        spans: number, start and length of each image, in the order of the shards.
    """
    parts: list[tuple[int, int, int]] = []
    for number, start, length in spans:
        if parts:
            last, begin, end = parts[-1]
            small = max(end, start + length) - begin <= CHUNK_BYTES
            if last == number and start - end <= _GAP_BYTES and small:
                parts[-1] = number, begin, max(end, start + length)
                continue
        parts.append((number, start, start + length))
    return parts
