"""What a loader gives: batches as a network takes them, or crops before they are normalized.

Legend: n images of a batch, c side of a crop.
"""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from alexnet.data.loading.augmentation import AugmentationParams
    from alexnet.distributed import BatchShare

__all__ = ["Batch", "BatchPlan", "CropBatch", "prefetch"]

BatchPlan: TypeAlias = "tuple[NDArray[np.int64], AugmentationParams]"
"""(n,) indices of a batch's images in the pack, and what is done to each."""


@dataclass(frozen=True)
class Batch:
    """Images as the network takes them."""

    images: Tensor  # (n, 3, c, c) float32, channels last
    labels: Tensor  # (n,) int64
    indices: NDArray[np.int64]  # (n,) of the images in the pack
    share: BatchShare | None = None  # where a process holds a part of a whole batch; None: all


@dataclass(frozen=True)
class CropBatch:
    """Crops of images, not normalized yet."""

    crops: Tensor  # (n, c, c, 3) uint8, RGB, mirrored where they should be
    params: AugmentationParams
    labels: NDArray[np.int64]  # (n,)
    indices: NDArray[np.int64]  # (n,) of the images in the pack


T = TypeVar("T")


def prefetch(items: Iterable[T], ahead: int = 2) -> Generator[T]:
    """Yield `items` in order, prepared by a thread that is up to `ahead` of them in front.

    The thread starts with the first item that is asked for, and ends with the last one, when the
    generator is closed or dropped, or when the program ends. What `items` raises is raised here,
    in its place.
    """
    worker = _Worker(items, ahead)
    try:
        while (result := worker.get()) is not None:
            if result.error is not None:
                raise result.error
            yield from result.items
    finally:
        worker.close()


class _Result(Generic[T]):
    """One item, or the error that came instead."""

    def __init__(self, items: tuple[T, ...], error: BaseException | None = None) -> None:
        self.items = items
        self.error = error


class _Worker(Generic[T]):
    """The thread, the finished items and the slots for them."""

    def __init__(self, items: Iterable[T], ahead: int) -> None:
        self._items = items
        self._slots = threading.Semaphore(ahead)
        self._results: queue.SimpleQueue[_Result[T] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="prefetch", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # a daemon thread must not meet the interpreter's end

    def get(self) -> _Result[T] | None:
        """Wait for the next item; None after the last one."""
        result = self._results.get()
        self._slots.release()
        return result

    def close(self) -> None:
        """Stop the thread and wait for it."""
        atexit.unregister(self.close)
        self._stopped.set()
        self._slots.release()  # it may wait for a slot
        if threading.current_thread() is not self._thread:  # a generator may be collected there
            self._thread.join()

    def _work(self) -> None:
        try:
            iterator = iter(self._items)
            while self._slots.acquire() and not self._stopped.is_set():
                self._results.put(_Result((next(iterator),)))
        except StopIteration:
            self._results.put(None)
        except BaseException as error:  # handed to the consumer, who raises it
            self._results.put(_Result((), error))
