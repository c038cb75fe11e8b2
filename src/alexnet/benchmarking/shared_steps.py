"""Training steps of several processes, in each way of sharing a network: seconds, bytes, losses."""

from __future__ import annotations

import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import cast

from alexnet.benchmarking import workloads
from alexnet.data import Pack, Source, open_source
from alexnet.devices import Device, Precision
from alexnet.distributed import add_up, any_of, device_of_all, measure_link, traffic, world
from alexnet.models import Parallel, possible_ways
from alexnet.recipes import choose_recipe
from alexnet.records import SharedStep, SharedSteps
from alexnet.runs.job import Job, Packing, prepare
from alexnet.runs.together import put_in_parts

__all__ = ["measure_shared_steps"]

_PHOTOGRAPHS = 32


def measure_shared_steps(
    model: str,
    *,
    batch_size: int,
    precision: Precision = "auto",
    exact_convolutions: bool = False,
    threads: int | None = None,
    steps: int = 3,
) -> SharedSteps:
    """Measure the steps of the processes that there are; all of them call this together.

    Args:
        model: as for `build_model`, with its default sizes.
        batch_size: images of the whole batch.
        precision: see `choose_device`.
        exact_convolutions: see `choose_device`.
        threads: of arithmetic in each process.
        steps: that are measured, after one that is not.

    Raises:
        RecipeError: an unknown model, or one that processes cannot share.
    """
    device = device_of_all(precision, threads, exact_convolutions=exact_convolutions)
    files = workloads.make_photographs(_PHOTOGRAPHS)
    with tempfile.TemporaryDirectory() as scratch:
        folder = workloads.write_folder(Path(scratch), files, max(batch_size, _PHOTOGRAPHS))
        source = cast("Source", open_source(folder))  # and no Pack
        job = _prepared(source, model, batch_size, device)
        link = measure_link()
        ways: list[SharedStep] = []
        for way in possible_ways(job.network, batch_size):
            job = _prepared(job.pack, model, batch_size, device)
            ways.append(_measured(job, way, steps))
    return SharedSteps(
        model=model,
        batch_size=batch_size,
        processes=world().size,
        bytes_per_s=link.bytes_per_s,
        latency_s=link.latency_s,
        ways=ways,
    )


def _prepared(source: Source | Pack, model: str, batch_size: int, device: Device) -> Job:
    changes = {"model": model, "batch_size": batch_size, "lr": 1e-6, "schedule": "constant"}
    recipe = choose_recipe(None, {**changes, "val_fraction": 0.0})  # type: ignore[arg-type]
    return prepare(source, recipe, device=device, packing=Packing(cache="none"))


def _measured(job: Job, way: Parallel, steps: int) -> SharedStep:
    put_in_parts(job, way)
    training = job.training
    training.network.train()
    batch = next(iter(islice(training.batches(0, 0), 1)))
    training.step(batch)  # memory, buckets and kernels
    seconds: list[float] = []
    any_of(False)
    traffic.taken()
    for _ in range(steps):
        started = time.perf_counter()
        training.step(batch)
        any_of(False)  # all are done
        seconds.append(time.perf_counter() - started)
    sent, waited = traffic.taken()
    figures = world().from_all([sent / steps, waited / steps])
    loss = _whole_loss(job)
    return SharedStep(
        parallel=way,
        seconds=statistics.median(seconds),
        images_per_s=job.recipe.batch_size / statistics.median(seconds),
        sent_bytes=statistics.mean(each[0] for each in figures),
        waited_s=statistics.mean(each[1] for each in figures),
        loss=loss,
    )


def _whole_loss(job: Job) -> float:
    """Return the mean loss over all steps and images."""
    total = float(add_up(job.training.stepper.sums.clone())[0])
    return total / max(job.training.state.seen, 1)
