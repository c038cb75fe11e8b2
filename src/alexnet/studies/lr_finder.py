"""The learning-rate range test (Smith 2015): the rate rises over one short pass.

As in fastai, the loss is smoothed, the test ends where it diverges, and the suggestion is the
middle of the valley. Where the valley begins differs: fastai takes the longest falling
subsequence, which noise begins long before the loss falls.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alexnet.errors import Diverged
from alexnet.progress import track
from alexnet.runs.job import Job
from alexnet.training import BatchLike, Rates

__all__ = ["RangeTest", "find_fall", "noise_std", "range_test", "smooth"]

_MIN_LR, _MAX_LR = 1e-7, 10.0
_STEPS = 100
_SMOOTHING = 0.9  # decay of the running mean, from step to step
_DIVERGED = 1.25  # times the initial loss: there is nothing more to see
_INITIAL = 20  # steps: up to a rate of 3e-6, where nothing is learned yet
_FALL_STARTED = 0.1  # of the whole fall
_FALL_STARTED_NOISE = 2.0  # times the noise: likewise, where that is more
_MIN_FALL = 0.003  # of the initial loss: less is no fall
_MIN_FALL_NOISE = 4.0  # times the noise: the least of a hundred noisy numbers is hardly lower
_MAD_TO_STD = 0.6745 * math.sqrt(2)  # median absolute difference of two normal numbers of std 1


@dataclass(frozen=True)
class RangeTest:
    """Rate and loss of every step, and the suggestion that follows.

    Attributes:
        lrs: the learning rate of each step.
        losses: in nats.
        smoothed: the losses' running mean.
        fall: steps at which the smoothed loss starts to fall and is lowest.
        diverged: whether the test was stopped.
    """

    lrs: list[float]
    losses: list[float]
    smoothed: list[float]
    fall: tuple[int, int]
    diverged: bool

    @property
    def lr(self) -> float:
        """The suggestion, to two digits: the middle of the fall, in powers of ten."""
        first, last = (self.lrs[i] for i in self.fall)
        return float(f"{math.sqrt(first * last):.1e}")

    @property
    def reason(self) -> str:
        """Why this rate, as sentences."""
        first, last = self.fall
        sentence = (
            f"The smoothed loss starts to fall at the rate {self.lrs[first]:.1e} and is lowest "
            f"at {self.lrs[last]:.1e} ({self.smoothed[last]:.3g}); {self.lr:.1e} is the middle "
            "between them, in powers of ten: large enough to learn fast, with room above it."
        )
        if self.diverged:
            return f"{sentence} At {self.lrs[-1]:.1e} the loss diverged."
        return f"{sentence} It did not diverge up to {self.lrs[-1]:.1e}."


def range_test(job: Job) -> RangeTest:
    """Run 100 steps while the rate rises evenly, in powers of ten, from 1e-7 to 10.

    It stops where the smoothed loss is a quarter above its start, or not finite. Where an epoch has
    fewer batches, the next one begins. Nothing is written.

    Args:
        job: prepared for this alone; its network is trained.

    Raises:
        Diverged: the loss falls at no rate; the sentence says what to look at.
    """
    lrs, losses, smoothed = list[float](), list[float](), list[float]()
    diverged = False
    with track("testing learning rates", _STEPS) as advance:
        for lr, loss in _steps(job):
            lrs.append(lr)
            losses.append(loss)
            smoothed = smooth(losses)
            advance(1, note=f"{lr:.1e}  loss {loss:.3f}")
            if not math.isfinite(loss) or smoothed[-1] > _DIVERGED * _initial_loss(smoothed):
                diverged = True
                break
    while losses and not math.isfinite(losses[-1]):
        for values in (lrs, losses, smoothed):
            values.pop()
    fall = find_fall(smoothed, noise_std(losses))
    if fall is None:
        raise Diverged(
            f"The loss does not fall within {len(losses)} steps at any rate from 1e-07 to 10, or "
            "by no more than it differs from batch to batch. Look at the first weights "
            "(--initialization he), the images and their labels before the rate; of few images "
            "a larger --batch-size has a steadier loss."
        )
    return RangeTest(lrs, losses, smoothed, fall, diverged)


def smooth(losses: Sequence[float]) -> list[float]:
    """Return the exponential running mean, corrected for its bias to the start."""
    means: list[float] = []
    mean = 0.0
    for i, loss in enumerate(losses, start=1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        means.append(mean / (1 - _SMOOTHING**i))
    return means


def noise_std(losses: Sequence[float]) -> float:
    """Return the standard deviation of the smoothed loss that is due to its batches alone.

    It is estimated from the differences between steps: the effect of the rate is slow beside them.
    """
    steps = [abs(after - before) for before, after in itertools.pairwise(losses)]
    if not steps:
        return 0.0
    std = statistics.median(steps) / _MAD_TO_STD
    return std * math.sqrt((1 - _SMOOTHING) / (1 + _SMOOTHING))


def find_fall(smoothed: Sequence[float], noise: float = 0.0) -> tuple[int, int] | None:
    """Return the steps at which a smoothed loss starts to fall and is lowest; None: no fall.

    The initial loss is the mean over the first steps, where the rate is too small to matter. The
    fall starts behind the last step that is above it less a tenth of the whole fall, or less twice
    the noise.

    Args:
        smoothed: the loss, step by step.
        noise: its standard deviation where it stays the same.
    """
    if not smoothed:
        return None
    initial = _initial_loss(smoothed)
    last = min(range(len(smoothed)), key=smoothed.__getitem__)
    fall = initial - smoothed[last]
    if last == 0 or fall <= max(_MIN_FALL * abs(initial), _MIN_FALL_NOISE * noise):
        return None
    started = max(_FALL_STARTED * fall, _FALL_STARTED_NOISE * noise)
    high = [i for i in range(last) if smoothed[i] >= initial - started]
    return (high[-1] if high else 0), last


def _initial_loss(smoothed: Sequence[float]) -> float:
    first = smoothed[:_INITIAL]
    return sum(first) / len(first)


def _steps(job: Job) -> Iterator[tuple[float, float]]:
    """Train, step by step; yield each rate and the batch's mean loss."""
    training = job.training
    training.network.train()
    training.optimizer.prepare(0)
    for i, batch in enumerate(itertools.islice(_batches(job), _STEPS)):
        lr = _MIN_LR * (_MAX_LR / _MIN_LR) ** (i / (_STEPS - 1))
        rates = Rates(lr, lr * job.recipe.bias_lr_ratio, epoch=0)
        loss, _ = training.stepper(batch, rates, (training.seed << 20) + i, training.device)
        yield lr, float(loss)


def _batches(job: Job) -> Iterator[BatchLike]:
    for epoch in itertools.count():
        yield from job.training.batches(epoch, 0)
