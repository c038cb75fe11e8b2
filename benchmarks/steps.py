"""Our training as the contenders of several benchmarks use it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def prepared(
    source: Any, model: str, batch_size: int, precision: Any = "auto", *, exact: bool = False
) -> Any:
    """Return the job of a training on a source or a pack, as `alexnet train` would prepare it.

    Args:
        source: of images.
        model: its name.
        batch_size: images of a step.
        precision: as `--precision`.
        exact: as `--exact-convolutions`.
    """
    from alexnet.devices import choose_device
    from alexnet.recipes import choose_recipe
    from alexnet.runs.job import Packing, prepare

    changes = {"model": model, "batch_size": batch_size, "lr": 1e-4, "schedule": "constant"}
    recipe = choose_recipe(None, changes)
    options = {"exact_convolutions": True} if exact else {}  # an older package has no such form
    device = choose_device(precision, **options)
    return prepare(source, recipe, device=device, packing=Packing())


def begun(job: Any) -> Any:
    """Return the training of a job, ready for its first step."""
    training = job.training
    training.network.train()
    training.optimizer.prepare(0)
    return training


def endless(batches: Callable[[int, int], Iterable[Any]]) -> Iterator[Any]:
    """Yield the batches of all epochs."""
    return itertools.chain.from_iterable(batches(epoch, 0) for epoch in itertools.count())
