"""Which images of a whole batch a process holds.

The batch of a recipe is the whole one, whatever number of processes shares it. Process r of N takes
the images from B * r // N to B * (r + 1) // N. Where there are fewer images than processes, one
without an image computes on the first, which then counts nothing there: every process makes the
same calls, whatever the batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["BatchShare", "batch_share", "holding", "part_sizes", "share_of", "shares_of"]


@dataclass(frozen=True)
class BatchShare:
    """A run of images of a whole batch.

    Attributes:
        start, stop: positions in the whole batch.
        whole: B, images of the whole batch.
        counted: how many of them count here: stop - start, or 0.
    """

    start: int
    stop: int
    whole: int
    counted: int

    @property
    def held(self) -> int:
        """How many images the process computes on."""
        return self.stop - self.start

    @property
    def weight(self) -> float:
        """Part of the whole batch that counts here, in 0..1."""
        return self.counted / self.whole


def part_sizes(whole: int, size: int) -> list[int]:
    """Return how many of `whole` rows each of `size` processes holds, in order and evenly."""
    return [whole * (rank + 1) // size - whole * rank // size for rank in range(size)]


def share_of(whole: int, rank: int, size: int) -> BatchShare:
    """Return what one of `size` processes holds of `whole` images."""
    start, stop = whole * rank // size, whole * (rank + 1) // size
    if start == stop:
        return BatchShare(0, 1, whole, 0)
    return BatchShare(start, stop, whole, stop - start)


def shares_of(whole: int, size: int) -> list[BatchShare]:
    """Return what each of `size` processes holds of `whole` images."""
    return [share_of(whole, rank, size) for rank in range(size)]


_share: ContextVar[BatchShare | None] = ContextVar("batch_share", default=None)


def batch_share() -> BatchShare | None:
    """Return what this process holds of the batch under way; None: all of it."""
    return _share.get()


@contextlib.contextmanager
def holding(share: BatchShare | None) -> Generator[None]:
    """Let layers that need the whole batch know which part of it they are given."""
    token = _share.set(share)
    try:
        yield
    finally:
        _share.reset(token)
