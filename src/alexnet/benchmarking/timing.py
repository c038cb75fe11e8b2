"""Measurements in turns: machines change their speed within minutes, and so it hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from alexnet.progress import track

__all__ = ["Turns", "take_turns"]


def _nothing() -> None:
    """Make no preparation."""


@dataclass
class Turns:
    """Something that is done again and again, and how fast it was in each turn."""

    name: str
    step: Callable[[], float]  # does some of it, to its end, and returns how much
    prepare: Callable[[], None] = _nothing  # called before each turn, whose time does not count
    rates: list[float] = field(default_factory=list[float])  # a second

    @property
    def median(self) -> float:
        """The rate of the middle turn."""
        return statistics.median(self.rates)

    @property
    def most(self) -> float:
        """The rate of the best turn."""
        return max(self.rates)

    @property
    def least(self) -> float:
        """The rate of the worst turn."""
        return min(self.rates)

    def take(self, seconds: float) -> None:
        """Do it for about so long, one step at least."""
        self.prepare()
        done, start = 0.0, time.perf_counter()
        while (took := time.perf_counter() - start) < seconds or not done:
            done += self.step()
        self.rates.append(done / took)


def take_turns(all_turns: Sequence[Turns], *, rounds: int, seconds: float) -> None:
    """Let each do a step, which counts for nothing, then take `rounds` turns of some seconds."""
    with track("measuring", len(all_turns) * (rounds + 1)) as advance:
        for each in all_turns:
            each.prepare()
            each.step()
            advance(note=each.name)
        for _ in range(rounds):
            for each in all_turns:
                each.take(seconds)
                advance(note=each.name)
