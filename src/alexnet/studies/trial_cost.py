"""What a trial costs on this machine, measured on some steps of the recipe."""

from __future__ import annotations

import itertools
import time

from alexnet.records import TrialCost
from alexnet.runs.job import Job
from alexnet.training import SaveEvery, StepDone, StopRequest, train_epochs

__all__ = ["estimate_trial_cost"]

_STEPS = 12
_WARM_UP = 3  # steps before the clock starts: the first ones choose kernels


def estimate_trial_cost(job: Job) -> TrialCost:
    """Run some steps and one validation, and extrapolate to a whole trial.

    Args:
        job: prepared for this alone; its network is trained.
    """
    training = job.training
    steps = -(-len(job.train) // job.recipe.batch_size)
    warm_up = min(_WARM_UP, max(steps - 1, 0))
    stamps: list[tuple[float, int]] = []

    plain = training.batches
    training.batches = lambda epoch, start: itertools.islice(plain(epoch, start), _STEPS)
    started = time.perf_counter()
    for event in train_epochs(training, SaveEvery(), StopRequest()):
        if not isinstance(event, StepDone):
            break  # the epoch is done and validated
        stamps.append((time.perf_counter(), event.images))
    validated = time.perf_counter()
    first = stamps[warm_up - 1][0] if warm_up else started
    images = sum(count for _, count in stamps[warm_up:])
    speed = images / max(stamps[-1][0] - first, 1e-9)
    validation_s = validated - stamps[-1][0]
    return TrialCost(
        epochs=job.recipe.epochs,
        train_images=len(job.train),
        val_images=len(job.splits.get("val", ())),
        parameters=sum(p.numel() for p in job.network.parameters()),
        images_per_s=speed,
        seconds=job.recipe.epochs * (len(job.train) / speed + validation_s),
    )
