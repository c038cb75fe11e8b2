"""Reading ahead: the images of batches that are still to come are fetched before they are read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.shards import PixelStore, SubsetPixels
from alexnet.data.remote.remote_images import Announced, RemoteImages

__all__ = ["AHEAD_BYTES", "read_ahead"]

AHEAD_BYTES = 256 << 20
"""Of images that were fetched by themselves and not read yet."""

_MOST_ITEMS = 64
_ITEMS_IN_USE = 4  # that were taken, and whose images may still be read by a thread

Item = TypeVar("Item")


def read_ahead(
    pixels: PixelStore, items: Iterable[Item], indices_of: Callable[[Item], NDArray[np.int64]]
) -> Iterator[Item]:
    """Yield items in their order; images that those to come read in a store are fetched meanwhile.

    Args:
        pixels: where the images lie; on this machine nothing is fetched, and no item taken early.
        items: parts of a reading, such as the plans of batches.
        indices_of: gives the (n,) images that an item will read.
    """
    remote, kept = _remote(pixels)
    if remote is None:
        yield from items
        return
    ahead: _Ahead[Any] = _Ahead(remote)
    try:
        for item in items:
            indices = indices_of(item)
            ahead.add(item, indices if kept is None else kept[indices])
            while ahead.is_enough:
                yield ahead.take()
        while ahead.waiting:
            yield ahead.take()
    finally:
        ahead.close()


class _Ahead(Generic[Item]):
    """Items that wait to be read, and what was announced for them."""

    def __init__(self, remote: RemoteImages) -> None:
        self._remote = remote
        self._bytes = 0
        self.waiting: deque[tuple[Item, Announced | None]] = deque()
        self._taken: deque[Announced] = deque()

    @property
    def is_enough(self) -> bool:
        return bool(self.waiting) and (self._bytes > AHEAD_BYTES or len(self.waiting) > _MOST_ITEMS)

    def add(self, item: Item, indices: NDArray[np.int64]) -> None:
        announced = self._remote.announce(indices)
        self._bytes += self._size(announced)
        self.waiting.append((item, announced))

    def take(self) -> Item:
        """Return the next item; what was announced for those long taken is let go."""
        item, announced = self.waiting.popleft()
        self._bytes -= self._size(announced)
        if announced is not None:
            self._taken.append(announced)
        while len(self._taken) > _ITEMS_IN_USE:
            self._remote.forget(self._taken.popleft())
        return item

    def close(self) -> None:
        for announced in (*self._taken, *(each for _, each in self.waiting)):
            if announced is not None:
                self._remote.forget(announced)

    def _size(self, announced: Announced | None) -> int:
        return 0 if announced is None else len(announced.indices) * self._remote.image_bytes


def _remote(pixels: PixelStore) -> tuple[RemoteImages | None, NDArray[np.int64] | None]:
    """Return the store below a part of a pack, and which of its images the part has."""
    kept: NDArray[np.int64] | None = None
    while isinstance(pixels, SubsetPixels):
        kept = pixels.kept if kept is None else pixels.kept[kept]
        pixels = pixels.pixels
    return (pixels if isinstance(pixels, RemoteImages) else None), kept
