"""How fast numbers go from process to process: measured before a way of sharing is chosen."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch

from alexnet.distributed.collectives import add_up
from alexnet.distributed.world import world

__all__ = ["Link", "measure_link"]

_SHORT, _LONG = 1, 1 << 21  # numbers of float32: 4 bytes, 8 MB
_ROUNDS = 5


@dataclass(frozen=True)
class Link:
    """What sending takes.

    Attributes:
        bytes_per_s: that a process sends while sums are made.
        latency_s: of a sum of a single number.
    """

    bytes_per_s: float
    latency_s: float

    def seconds(self, sent_bytes: float, calls: int) -> float:
        """Return how long so many bytes take, in so many calls."""
        return sent_bytes / self.bytes_per_s + calls * self.latency_s


def measure_link() -> Link:
    """Measure the sums of all processes, which call this together; process 0's figures hold."""
    group = world()
    with group.naming_the_lost("measuring how fast they reach each other"):
        short, long = _seconds(_SHORT), _seconds(_LONG)
    sent = 2 * (group.size - 1) / group.size * 4 * _LONG
    figures = group.from_first([sent / max(long - short, 1e-9), short])
    return Link(*figures)


def _seconds(numbers: int) -> float:
    values = torch.zeros(numbers)
    times: list[float] = []
    for _ in range(_ROUNDS + 1):
        add_up(torch.zeros(1))  # all begin together
        started = time.perf_counter()
        add_up(values)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])  # the first one connects
