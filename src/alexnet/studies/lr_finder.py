"""The learning-rate range test: the rate rises over one short pass, and the loss says where to be.

Smith 2015. As fastai's users know it, the loss is smoothed, the test ends where it explodes, and
the suggestion is the middle of the valley. Where that begins is read otherwise: fastai takes the
longest falling subsequence, which noise begins long before the loss has left its start.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from alexnet.errors import Diverged
from alexnet.runs.job import Job
from alexnet.training import BatchLike, Rates

__all__ = ["RangeTest", "fall_of", "noise_of", "range_test", "smooth"]

_FIRST, _LAST = 1e-7, 10.0
_STEPS = 100
_MEMORY = 0.9  # of the smoothed loss, from step to step
_EXPLODED = 1.25  # times the loss at the start: there is nothing more to see
_EARLY = 20  # steps at the start: up to a rate of 3e-6, where nothing is learnt yet
_BEGUN = 0.1  # of the whole fall: it has left its start
_NOTHING = 0.003  # of the loss at the start: a fall that is none
_BEYOND = 2.0  # times the noise: likewise, where that is more
_HIDDEN = 4.0  # times the noise: the least of a hundred numbers of noise is hardly ever lower
_OF_DIFFERENCES = 0.6745 * math.sqrt(2)  # median size of the difference of two normal numbers


@dataclass(frozen=True)
class RangeTest:
    """What was seen, step by step, and what follows from it."""

    rates: list[float]
    losses: list[float]  # nats
    smoothed: list[float]
    fall: tuple[int, int]  # steps at which the smoothed loss leaves its start and is lowest
    exploded: bool

    @property
    def lr(self) -> float:
        """The suggestion, to two figures: the middle of the fall, in powers of ten."""
        first, last = (self.rates[i] for i in self.fall)
        return float(f"{math.sqrt(first * last):.1e}")

    @property
    def reason(self) -> str:
        """Why this number, as a sentence."""
        first, last = self.fall
        words = (
            f"The smoothed loss leaves its start at the rate {self.rates[first]:.1e} and is lowest "
            f"at {self.rates[last]:.1e} ({self.smoothed[last]:.3g}); {self.lr:.1e} is the middle "
            "between them, in powers of ten: large enough to learn fast, with room above it."
        )
        if self.exploded:
            return f"{words} At {self.rates[-1]:.1e} the loss exploded."
        return f"{words} It did not explode up to {self.rates[-1]:.1e}."


def range_test(job: Job, on_step: Callable[[float, float], None] | None = None) -> RangeTest:
    """Take 100 steps while the rate rises evenly, in powers of ten, from 1e-7 to 10.

    It stops where the smoothed loss is a quarter above its start, or not finite. Where an epoch has
    fewer batches, the next one begins. Nothing is written.

    Args:
        job: prepared for nothing else: its network is spoilt.
        on_step: told rate and loss of each step.

    Raises:
        Diverged: the loss does not fall at any rate; the sentence says what to look at.
    """
    training = job.training
    training.network.train()
    training.optimiser.prepare(0)
    rates, losses, smoothed = list[float](), list[float](), list[float]()
    exploded = False
    for i, batch in enumerate(itertools.islice(_batches(job), _STEPS)):
        rate = _FIRST * (_LAST / _FIRST) ** (i / (_STEPS - 1))
        loss = _step(job, batch, rate, i)
        rates.append(rate)
        losses.append(loss)
        smoothed = smooth(losses)
        if on_step is not None:
            on_step(rate, loss)
        if not math.isfinite(loss) or smoothed[-1] > _EXPLODED * _start(smoothed):
            exploded = True
            break
    while losses and not math.isfinite(losses[-1]):
        for each in (rates, losses, smoothed):
            each.pop()
    fall = fall_of(smoothed, noise_of(losses))
    if fall is None:
        raise Diverged(
            f"The loss does not fall within {len(losses)} steps at any rate from 1e-07 to 10, or "
            "by no more than it differs from batch to batch. Look at the first weights "
            "(--initialisation he), the pictures and their labels before the rate; of few pictures "
            "a larger --batch has a steadier loss."
        )
    return RangeTest(rates, losses, smoothed, fall, exploded)


def smooth(losses: Sequence[float]) -> list[float]:
    """Return the running mean that forgets by a tenth a step, without bias to its start."""
    found: list[float] = []
    mean = 0.0
    for i, loss in enumerate(losses, start=1):
        mean = _MEMORY * mean + (1 - _MEMORY) * loss
        found.append(mean / (1 - _MEMORY**i))
    return found


def noise_of(losses: Sequence[float]) -> float:
    """Return the standard deviation that the smoothed loss has of its batches alone.

    It is read off the differences from step to step: what the rate does is slow beside them.
    """
    steps = [abs(after - before) for before, after in itertools.pairwise(losses)]
    if not steps:
        return 0.0
    of_one = statistics.median(steps) / _OF_DIFFERENCES
    return of_one * math.sqrt((1 - _MEMORY) / (1 + _MEMORY))


def fall_of(smoothed: Sequence[float], noise: float = 0.0) -> tuple[int, int] | None:
    """Return the places at which a smoothed loss leaves its start and is lowest; None: no fall.

    The start is the mean over the first steps, where the rate is too small to matter. It is left
    behind the last place that is higher than the start less a tenth of the whole fall, or less
    twice the noise.

    Args:
        smoothed: the loss, step by step.
        noise: standard deviation that it has where it stays the same.
    """
    if not smoothed:
        return None
    start = _start(smoothed)
    last = min(range(len(smoothed)), key=smoothed.__getitem__)
    fall = start - smoothed[last]
    if last == 0 or fall <= max(_NOTHING * abs(start), _HIDDEN * noise):
        return None
    begun = max(_BEGUN * fall, _BEYOND * noise)
    high = [i for i in range(last) if smoothed[i] >= start - begun]
    return (high[-1] if high else 0), last


def _start(smoothed: Sequence[float]) -> float:
    early = smoothed[:_EARLY]
    return sum(early) / len(early)


def _batches(job: Job) -> Iterator[BatchLike]:
    for epoch in itertools.count():
        yield from job.training.batches(epoch, 0)


def _step(job: Job, batch: BatchLike, rate: float, step: int) -> float:
    """Make one step of training at that rate; return the batch's mean loss."""
    training = job.training
    rates = Rates(rate, rate * job.recipe.bias_lr_ratio, epoch=0)
    loss, _ = training.stepper(batch, rates, (training.seed << 20) + step, training.device)
    return float(loss)
