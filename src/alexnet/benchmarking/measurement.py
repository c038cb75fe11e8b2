"""Measurements in rounds: a machine's speed changes within minutes, and so it affects all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from alexnet.progress import track

__all__ = ["Measurement", "measure"]


def _no_setup() -> None:
    """Do nothing."""


@dataclass
class Measurement:
    """Work that is repeated, and its rate in each round.

    Args:
        name: of the work.
        step: does some of it, to its end, and returns how much.
        setup: called before each round, untimed.
    """

    name: str
    step: Callable[[], float]
    setup: Callable[[], None] = _no_setup
    rates: list[float] = field(default_factory=list[float])  # a second, by round

    @property
    def median(self) -> float:
        """The median rate."""
        return statistics.median(self.rates)

    @property
    def max(self) -> float:
        """The rate of the best round."""
        return max(self.rates)

    @property
    def min(self) -> float:
        """The rate of the worst round."""
        return min(self.rates)

    def run(self, seconds: float) -> None:
        """Repeat the step for about so long, once at least."""
        self.setup()
        done, start = 0.0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds or not done:
            done += self.step()
        self.rates.append(done / elapsed)


def measure(measurements: Sequence[Measurement], *, rounds: int, seconds: float) -> None:
    """Warm each up by one step, then measure all in turns.

    Args:
        measurements: what to measure.
        rounds: how often each is measured.
        seconds: how long, each time.
    """
    with track("measuring", len(measurements) * (rounds + 1)) as advance:
        for measurement in measurements:
            measurement.setup()
            measurement.step()
            advance(note=measurement.name)
        for _ in range(rounds):
            for measurement in measurements:
                measurement.run(seconds)
                advance(note=measurement.name)
