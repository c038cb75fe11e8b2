"""Reading and decoding many image files: several threads, in order, in bounded memory.

Decoders release Python's lock, so threads are enough: nothing is copied between processes, and
nothing has to be started.

Legend: n images of a batch that could be read, D numbers for each.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alexnet.devices import cores
from alexnet.errors import SourceError
from alexnet.images import UnreadableImage

__all__ = ["DecodedFiles", "ImageFiles", "decode_files"]

Row = NDArray[np.uint8] | tuple[NDArray[np.uint8], ...]
"""(D,) uint8, in one piece or in several that lie one behind the other."""

Decode = Callable[[bytes, str], Row]
"""`decode(data, name)`: from the bytes of a file to a row, always of the same D."""

Summarize = Callable[[list[bytes]], NDArray[np.uint8]]
"""`summarize(files)`: (n, d) uint8 of the bytes of n files, which takes less time for several."""

DecodedFiles = tuple[NDArray[np.int64], NDArray[np.uint8], list[tuple[int, str]]]
"""(n,) indices of a batch, (n, D) what was made of them, index and reason of the others."""

_TASK_IMAGES = 32  # at most, so that the threads end a batch at about the same time
_GROUP_IMAGES = 8  # that a thread reads before it decodes them, where they are summarized
_GROUP_BYTES = 2 << 20  # with which a group ends
_AHEAD = 2  # batches that are being decoded or wait to be used


class ImageFiles(Protocol):
    """Image files by number; several threads may read at once."""

    @property
    def paths(self) -> Sequence[str]:
        """Name of each file."""
        ...

    def read(self, index: int) -> bytes:
        """Return the bytes of a file; raise SourceError where it cannot be read."""
        ...


def decode_files(
    source: ImageFiles,
    indices: NDArray[np.int64],
    decode: Decode,
    *,
    batch_size: int,
    workers: int | None = None,
    summarize: Summarize | None = None,
) -> Iterator[DecodedFiles]:
    """Read and decode files, batch by batch, in the order of `indices`.

    While a batch is used the next one is decoded. A closed or dropped iterator ends its threads.

    Args:
        source: gives names and bytes.
        indices: (N,) which files.
        decode: makes (D,) uint8 of a file's bytes and name; called by several threads.
        batch_size: files in a batch, at least 1; the last one may be shorter.
        workers: threads; None: one for each core.
        summarize: makes what lies before the row of each file, of several files at once.

    Yields:
        Indices of the files that could be read, (n, D) what `decode` made of them, and index and
        reason of those for which reading or decoding raised SourceError.
    """
    threads = workers or cores()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    stopped = threading.Event()
    under_way: deque[_Batch] = deque()
    try:
        for start in range(0, len(indices), batch_size):
            part = np.asarray(indices[start : start + batch_size], dtype=np.int64)
            under_way.append(_Batch(source, part, decode, summarize, stopped, pool, threads))
            if len(under_way) == _AHEAD:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)


class _Batch:
    """One batch under way: tasks of some images each write into rows that they share."""

    def __init__(
        self,
        source: ImageFiles,
        indices: NDArray[np.int64],
        decode: Decode,
        summarize: Summarize | None,
        stopped: threading.Event,
        pool: ThreadPoolExecutor,
        threads: int,
    ) -> None:
        self._source, self._indices, self._decode = source, indices, decode
        self._summarize, self._stopped = summarize, stopped
        self._rows: NDArray[np.uint8] | None = None
        self._lock = threading.Lock()
        self._failures: dict[int, str] = {}
        step = max(1, min(_TASK_IMAGES, len(indices) // (2 * threads)))
        starts = range(0, len(indices), step)
        self._tasks: list[Future[None]] = [pool.submit(self._run, s, s + step) for s in starts]

    def result(self) -> DecodedFiles:
        """Wait for the batch; raise what is no image's fault."""
        for task in self._tasks:
            task.result()
        rows = np.empty((0, 0), dtype=np.uint8) if self._rows is None else self._rows
        if not self._failures:
            return self._indices, rows, []
        readable = np.ones(len(self._indices), dtype=np.bool_)
        readable[list(self._failures)] = False
        failures = [(int(self._indices[i]), why) for i, why in sorted(self._failures.items())]
        rows = rows if self._rows is None else rows[readable]
        return self._indices[readable], rows, failures

    def _run(self, start: int, end: int) -> None:
        """Decode the files of some rows; those that are summarized are read in groups."""
        end = min(end, len(self._indices))
        while start < end and not self._stopped.is_set():
            files: list[tuple[int, bytes]] = []
            size, most = 0, 1 if self._summarize is None else _GROUP_IMAGES
            while start < end and len(files) < most and size < _GROUP_BYTES:
                data = self._read(start)
                if data is not None:
                    files.append((start, data))
                    size += len(data)
                start += 1
            self._decode_group(files)

    def _read(self, row: int) -> bytes | None:
        """Read the file of a row; None: it cannot be read, which is noted."""
        index = int(self._indices[row])
        try:
            return self._source.read(index)
        except SourceError as error:
            self._failures[row] = _reason(error, self._source.paths[index])
            return None

    def _decode_group(self, files: list[tuple[int, bytes]]) -> None:
        before: list[tuple[NDArray[np.uint8], ...]] = [()] * len(files)
        if self._summarize is not None and files:
            before = [(row,) for row in self._summarize([data for _, data in files])]
        files.reverse()
        for first in before:
            if self._stopped.is_set():
                return
            row, data = files.pop()  # not held any longer than it takes to decode it
            name = self._source.paths[int(self._indices[row])]
            try:
                decoded = self._decode(data, name)
            except SourceError as error:
                self._failures[row] = _reason(error, name)
            else:
                rest = decoded if isinstance(decoded, tuple) else (decoded,)
                self._write(row, (*first, *rest))

    def _write(self, row: int, pieces: tuple[NDArray[np.uint8], ...]) -> None:
        """Write a row; the first one tells how long they all are."""
        if self._rows is None:
            with self._lock:
                if self._rows is None:
                    length = sum(len(piece) for piece in pieces)
                    self._rows = np.empty((len(self._indices), length), dtype=np.uint8)
        np.concatenate(pieces, out=self._rows[row])


def _reason(error: SourceError, name: str) -> str:
    """Return why an image cannot be read, without its name."""
    if isinstance(error, UnreadableImage):
        return error.reason
    return str(error).removeprefix(name).strip().removesuffix(".")
