"""Sums and exchanges between processes, with the bytes that each of them sends.

gloo takes tensors by their memory and not by their shape: a strided view, or channels last on one
process alone, would be added up wrongly without a word (torch 2.13). So everything here is made
contiguous first. Sums of three and more numbers are made in the same order in every run.

Legend: N processes, B images of the whole batch, n of them here, D numbers of an image.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from alexnet.distributed.world import world

__all__ = [
    "Traffic",
    "add_in_order",
    "add_up",
    "any_of",
    "broadcast",
    "exchange",
    "gather_parts",
    "slices",
    "start_gathering",
    "traffic",
]


@dataclass
class Traffic:
    """What this process sent to others, and how long it waited for them.

    Bytes are those of the numbers, as a ring sends them; what the network adds is not counted.
    """

    sent_bytes: float = 0.0
    waited_s: float = 0.0

    def count(self, sent_bytes: float) -> None:
        """Add what a call sends."""
        self.sent_bytes += sent_bytes

    @contextlib.contextmanager
    def waiting(self) -> Generator[None]:
        """Count the time of a block that waits for others, and say who is gone where it fails."""
        started = time.perf_counter()
        try:
            with world().naming_the_lost("exchanging numbers"):
                yield
        finally:
            self.waited_s += time.perf_counter() - started

    def taken(self) -> tuple[float, float]:
        """Return bytes and seconds since this was last asked."""
        taken = self.sent_bytes, self.waited_s
        self.sent_bytes = self.waited_s = 0.0
        return taken


traffic = Traffic()
"""Of this process."""


def add_up(tensor: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes; in place where it is contiguous."""
    group = world()
    if group.alone:
        return tensor
    whole = tensor.contiguous()
    traffic.count(2 * (group.size - 1) / group.size * _bytes(whole))
    with traffic.waiting():
        _dist().all_reduce(whole)
    return whole


def any_of(*flags: bool) -> tuple[bool, ...]:
    """Return of each flag whether any process has it set: so that all do the same."""
    if world().alone:
        return flags
    counts = add_up(torch.tensor(flags, dtype=torch.int32))
    return tuple(bool(count) for count in counts)


def broadcast(tensor: Tensor, source: int = 0) -> Tensor:
    """Fill a contiguous tensor with what process `source` has in it."""
    group = world()
    if not group.alone:
        assert tensor.is_contiguous()
        if group.rank == source:
            traffic.count((group.size - 1) * _bytes(tensor))
        with traffic.waiting():
            _dist().broadcast(tensor, source)
    return tensor


def start_gathering(mine: Tensor, sizes: Sequence[int]) -> tuple[list[Tensor], list[Any]]:
    """Begin to send one's rows to all; return every process's, and what to wait for in turn.

    There is nothing to wait for where a process has no rows (None).

    Args:
        mine: (n, D), contiguous.
        sizes: rows of each process.
    """
    group = world()
    parts = [
        mine if rank == group.rank else mine.new_empty((count, *mine.shape[1:]))
        for rank, count in enumerate(sizes)
    ]
    traffic.count((group.size - 1) * _bytes(mine))
    works = [
        _dist().broadcast(part, rank, async_op=True) if part.numel() else None
        for rank, part in enumerate(parts)
    ]
    return parts, works


def gather_parts(mine: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """Return the rows of every process, in each of them; see `start_gathering`."""
    mine = mine.contiguous()
    if world().alone:
        return [mine]
    if len(set(sizes)) == 1 and mine.numel():  # both ways at once, as a ring goes
        traffic.count((world().size - 1) * _bytes(mine))
        parts = [torch.empty_like(mine) for _ in sizes]
        with traffic.waiting():
            _dist().all_gather(parts, mine)
        return parts
    parts, works = start_gathering(mine, sizes)
    with traffic.waiting():
        for work in filter(None, works):
            work.wait()
    return parts


def exchange(parts: Sequence[Tensor], sizes: Sequence[Sequence[int]]) -> list[Tensor]:
    """Send a part to each process, and return what each of them sent here.

    Args:
        parts: by process that gets them; the own one included.
        sizes: the shape of what comes from each process.
    """
    group = world()
    flat = torch.cat([part.reshape(-1) for part in parts])
    counts = [torch.Size(size).numel() for size in sizes]
    received = flat.new_empty(sum(counts))
    traffic.count(_bytes(flat) - _bytes(parts[group.rank]))
    with traffic.waiting():
        _dist().all_to_all_single(received, flat, counts, [part.numel() for part in parts])
    return [
        received[part].view(tuple(size)) for part, size in zip(slices(counts), sizes, strict=True)
    ]


def slices(counts: Sequence[int]) -> list[slice]:
    """Return the parts of a row that lie one after the other, by their lengths."""
    ends = list(itertools.accumulate(counts))
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]


def add_in_order(parts: Sequence[Tensor]) -> Tensor:
    """Return the sum of what came from each process, made in their order."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _dist() -> Any:
    import torch.distributed

    return torch.distributed
