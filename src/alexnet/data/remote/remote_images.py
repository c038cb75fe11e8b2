"""The stored images of a pack in a store, as a loader asks for them.

An image whose shard the cache holds is read there. Where much of a shard is asked for, as by who
reads a pack from its beginning to its end, the whole shard is fetched and waited for. In a shuffled
order a batch takes one image of each of many shards: those are fetched by themselves, while a
thread brings the shards one after the other. What is not in the cache when it is full is fetched
whenever it is read. The order and the bytes are those of a pack on this machine.

Legend: N images of the pack, n images asked for, S side of an image.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.jpeg_shards import decode_squares
from alexnet.data.remote.shard_cache import BusyError
from alexnet.data.remote.shard_files import Bytes, ShardFiles
from alexnet.data.remote.workers import Workers
from alexnet.errors import SourceError
from alexnet.images import PlacedImages, StoredImages

__all__ = ["RemoteImages"]

_log = logging.getLogger(__name__)

_WHOLE_SHARE = 8  # a shard of which an eighth is asked for is fetched whole
_FEWEST_NEIGHBORS = 4  # images that lie close together are the beginning of all that follow
_BATCHES_AHEAD = 4  # fetched at the same time
_BUSY_WAIT_S = 0.2


class Announced(NamedTuple):
    """Images that are fetched ahead."""

    images: Future[dict[int, Bytes]]
    indices: list[int]


class RemoteImages:
    """Images in a store or the cache; each is held against its checksum before it is used.

    Args:
        files: the shards.
        jpeg: whether they hold JPEG files instead of pixels.
    """

    def __init__(self, files: ShardFiles, *, jpeg: bool) -> None:
        self._files, self._jpeg = files, jpeg
        self._announced: dict[int, deque[Future[dict[int, Bytes]]]] = {}
        self._lock = threading.Lock()
        self._ahead = Workers(_BATCHES_AHEAD, "images ahead")
        self._shards = _ShardQueue(files)
        weakref.finalize(self, _close, files, self._ahead, self._shards)

    @property
    def image_bytes(self) -> int:
        """Bytes of a typical image, as it is stored."""
        lengths = self._files.places.lengths
        return int(lengths.sum() // max(1, len(lengths)))

    def stored(self, indices: NDArray[np.int64]) -> StoredImages:
        """Return n images: where they lie in mapped shards, or fetched.

        Raises:
            SourceError: what the store has is not what was packed, or it does not answer.
        """
        numbers = self._files.shards.locate(indices)[0]
        for number in self._wanted_whole(indices, numbers):
            self._files.fetch(number, wait=True)
        if self._jpeg:
            return self._decoded(indices, numbers)
        return self._placed(indices, numbers)

    def announce(self, indices: NDArray[np.int64]) -> Announced | None:
        """Begin to fetch n images that are going to be read; None: all of them are there."""
        numbers = self._files.shards.locate(indices)[0]
        for number in self._wanted_whole(indices, numbers):
            self._shards.add(number, awaited=True)
        single = indices[[not self._shards.is_coming(number) for number in numbers.tolist()]]
        single = np.unique(self._elsewhere(single))
        if not len(single):
            return None
        listed: list[int] = np.unique(numbers).tolist()
        for number in listed:
            self._shards.add(number)
        fetched = self._ahead.submit(partial(_read_all, self._files, single))
        announced = Announced(fetched, single.tolist())
        with self._lock:
            for index in announced.indices:
                self._announced.setdefault(index, deque()).append(announced.images)
        return announced

    def forget(self, announced: Announced) -> None:
        """Let go of what was announced and not read."""
        announced.images.cancel()
        with self._lock:
            for index in announced.indices:
                futures = self._announced.get(index, deque())
                if announced.images in futures:
                    futures.remove(announced.images)
                if not futures:
                    self._announced.pop(index, None)

    def _wanted_whole(self, indices: NDArray[np.int64], numbers: NDArray[np.int64]) -> list[int]:
        """Return the shards that are not there and of which enough is asked for to fetch them."""
        if self._files.full:
            return []
        wanted: list[int] = []
        listed: list[int] = np.unique(numbers).tolist()
        for number in listed:
            if self._files.mapped(number) is not None:
                continue
            asked = np.unique(indices[numbers == number])
            images = self._files.shards.shards[number].images
            near = len(asked) >= _FEWEST_NEIGHBORS and (
                int(asked[-1] - asked[0]) < _WHOLE_SHARE * len(asked)
            )
            if near or len(asked) * _WHOLE_SHARE >= images or not self._files.sends_parts:
                wanted.append(number)
        return wanted

    def _elsewhere(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those images whose shard the cache does not hold."""
        numbers = self._files.shards.locate(indices)[0]
        held = {n for n in np.unique(numbers).tolist() if self._files.mapped(n) is not None}
        return indices[[number not in held for number in numbers.tolist()]]

    def _placed(self, indices: NDArray[np.int64], numbers: NDArray[np.int64]) -> StoredImages:
        side, starts = self._files.shards.image_px, self._files.shards.starts
        parts: list[PlacedImages] = []
        single: list[NDArray[np.int64]] = []
        for number in np.unique(numbers).tolist():
            rows = np.flatnonzero(numbers == number)
            mapped = self._files.verified(number, indices[rows])
            if mapped is None:
                single.append(rows)
                continue
            positions = indices[rows] - starts[number]
            parts.append(PlacedImages(mapped.reshape(-1, side, side, 3), positions, rows))
        if single:
            rows = np.concatenate(single)
            data = np.stack(self._fetched(indices[rows])).reshape(-1, side, side, 3)
            parts.append(PlacedImages(data, np.arange(len(rows)), rows))
        return StoredImages(tuple(parts), side)

    def _decoded(self, indices: NDArray[np.int64], numbers: NDArray[np.int64]) -> StoredImages:
        files: dict[int, Bytes] = {}
        single: list[int] = []
        for number in np.unique(numbers).tolist():
            asked = np.unique(indices[numbers == number])
            mapped = self._files.verified(number, asked)
            if mapped is None:
                single += asked.tolist()
            else:
                files |= {index: self._files.cut(mapped, index) for index in asked.tolist()}
        files |= dict(zip(single, self._fetched(np.array(single, dtype=np.int64)), strict=True))

        def read(i: int) -> bytes:
            return files[int(indices[i])].tobytes()

        return StoredImages.of(decode_squares(self._files.shards, indices, read))

    def _fetched(self, indices: NDArray[np.int64]) -> list[Bytes]:
        """Return n images that the cache does not hold: announced ones, and others read now."""
        found: dict[int, Bytes] = {}
        for index in indices.tolist():
            with self._lock:
                futures = self._announced.get(index)
                future = futures.popleft() if futures else None
                if futures is not None and not futures:
                    del self._announced[index]
            if future is not None:
                found[index] = future.result()[index]
        rest = np.array([i for i in np.unique(indices).tolist() if i not in found], dtype=np.int64)
        if len(rest):
            found |= _read_all(self._files, rest)
            for number in np.unique(self._files.shards.locate(rest)[0]).tolist():
                self._shards.add(number)
        return [found[index] for index in indices.tolist()]


def _read_all(files: ShardFiles, indices: NDArray[np.int64]) -> dict[int, Bytes]:
    return dict(zip(indices.tolist(), files.read_parts(indices), strict=True))


def _close(files: ShardFiles, ahead: Workers, shards: _ShardQueue) -> None:
    files.close()
    shards.close()
    ahead.close()


class _ShardQueue:
    """A thread that fetches the shards which were asked for, one after the other."""

    def __init__(self, files: ShardFiles) -> None:
        self._files = files
        self._awaited: deque[int] = deque()  # somebody is going to wait for these
        self._useful: deque[int] = deque()
        self._known: set[int] = set()
        self._whole: set[int] = set()
        self._lock = threading.Lock()
        self._thread = Workers(1, "shards")
        self._working = self._closed = False

    def close(self) -> None:
        """Fetch no other shard."""
        self._closed = True
        self._thread.close()

    def is_coming(self, number: int) -> bool:
        """Whether a shard is going to be read as a whole."""
        return number in self._whole and not self._files.full

    def add(self, number: int, *, awaited: bool = False) -> None:
        """Ask for a shard, once; before all others where it is going to be waited for."""
        with self._lock:
            if awaited:
                self._whole.add(number)
            if number in self._known or self._files.full:
                return
            self._known.add(number)
            (self._awaited if awaited else self._useful).append(number)
            if not self._working:
                self._working = True
                self._thread.submit(self._work)

    def _work(self) -> None:
        postponed = 0
        while (number := self._next()) is not None:
            try:
                self._files.fetch(number, wait=False)
                postponed = 0
            except BusyError:  # another process fetches it: the next one meanwhile
                with self._lock:
                    self._useful.append(number)
                    postponed += 1
                if postponed >= len(self._useful):
                    time.sleep(_BUSY_WAIT_S)
            except SourceError as error:  # who reads the images meets it, and raises it
                _log.debug("%s", error)

    def _next(self) -> int | None:
        with self._lock:
            waiting = self._awaited or self._useful
            if waiting and not self._files.full and not self._closed:
                return waiting.popleft()
            self._working = False
            return None
