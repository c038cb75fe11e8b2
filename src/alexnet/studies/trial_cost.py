"""What a trial costs here, measured on some steps of the recipe as it is."""

from __future__ import annotations

import itertools
import time

from alexnet.records import TrialCost
from alexnet.runs.job import Job
from alexnet.training import StopRequest, train_epochs

__all__ = ["cost_of"]

_STEPS = 12
_WARM = 3  # steps before the clock starts: the first ones choose kernels


def cost_of(job: Job) -> TrialCost:
    """Take some steps and one validation, and reckon a whole trial from them.

    Args:
        job: prepared for nothing else: its network is changed.
    """
    training = job.training
    steps = -(-len(job.train) // job.recipe.batch)
    warm = min(_WARM, max(steps - 1, 0))
    stamps: list[tuple[float, int]] = []

    def on_step(pictures: int, loss: float) -> None:
        stamps.append((time.perf_counter(), pictures))

    plain = training.batches
    training.batches = lambda epoch, start: itertools.islice(plain(epoch, start), _STEPS)
    started = time.perf_counter()
    epochs = train_epochs(
        training,
        save=lambda: None,
        save_due=lambda: False,
        stop=StopRequest(),
        on_step=on_step,
    )
    next(epochs)
    validated = time.perf_counter()
    first = stamps[warm - 1][0] if warm else started
    pictures = sum(count for _, count in stamps[warm:])
    speed = pictures / max(stamps[-1][0] - first, 1e-9)
    validation_s = validated - stamps[-1][0]
    return TrialCost(
        epochs=job.recipe.epochs,
        train_images=len(job.train),
        val_images=len(job.splits.get("val", ())),
        parameters=sum(each.numel() for each in job.network.parameters()),
        images_per_s=speed,
        seconds=job.recipe.epochs * (len(job.train) / speed + validation_s),
    )
