"""One training by several processes: its job in parts, one writer of its folder, one checkpoint.

Everything that shapes the training is decided by process 0 and told to the others, which open no
run folder and hold no lock.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Literal

import torch

from alexnet.distributed import alone, broadcast, measure_link, world
from alexnet.errors import RecipeError, RunError
from alexnet.models import (
    Network,
    Parallel,
    is_external,
    possible_ways,
    sent_bytes,
    shard,
    share_batch_norms,
    synchronize,
)
from alexnet.runs.folder import Run
from alexnet.runs.job import Job
from alexnet.text import format_bytes, join_words
from alexnet.training import Checkpoint, GradientSums, PaperMomentum, Stepper, Training

__all__ = [
    "AnyParallel",
    "begin_as_first",
    "from_first_process",
    "put_in_parts",
    "require_same_images",
    "share_training",
]

AnyParallel = Literal["auto", "data", "hybrid", "towers"]

_CALLS: dict[Parallel, int] = {"data": 10, "hybrid": 15, "towers": 8}
"""How often a step of the paper's network sends something, about."""


def require_same_images(job: Job) -> None:
    """Raise where processes see different images, or were asked for different trainings.

    Raises:
        RunError: says which process differs, and in what.
    """
    group = world()
    splits = {name: zlib.crc32(each.tobytes()) for name, each in job.splits.items()}
    facts = {
        "images": job.pack.fingerprint,
        "classes": list(job.pack.classes),
        "recipe": job.recipe.to_json(),
        "weights to start from": job.origin,
        "held-out images": splits,
    }
    first, *others = group.from_all(facts)
    for rank, other in enumerate(others, 1):
        differing = [name for name in facts if first[name] != other[name]]
        if differing:
            raise RunError(
                f"Processes 0 and {rank} do not train the same: their {join_words(differing)} "
                "differ. Give every process the same command and the same source, on a folder "
                "that all machines share or as equal copies."
            )


def share_training(job: Job, run: Run, parallel: AnyParallel) -> dict[str, Any] | None:
    """Put a job's training into parts, one for each process; alone, leave it as it is.

    Args:
        job: whole, and the same in every process.
        run: its folder; says how it was shared before.
        parallel: how to share it.

    Returns:
        What the journal says of it; None where this process is alone.

    Raises:
        RecipeError: the model cannot be shared in this way.
    """
    group = world()
    if group.alone:
        if parallel in ("hybrid", "towers"):
            raise RecipeError(
                f"--parallel {parallel} shares a network among processes, and there is one. Add "
                "--processes 2, or start it with torchrun."
            )
        return None
    facts = _choice(job, run, parallel)
    put_in_parts(job, facts["parallel"])
    return facts


def put_in_parts(job: Job, parallel: Parallel) -> None:
    """Give every process its part of a job's training.

    Args:
        job: whole, and the same in every process.
        parallel: how to share it.

    Raises:
        RecipeError: the model cannot be shared in this way.
    """
    network, training, group = job.network, job.training, world()
    share_batch_norms(network)
    parts = shard(network, parallel, job.recipe.batch_size)
    by_images = parallel != "towers"
    training.parts = parts
    training.stepper = Stepper(
        network,
        training.stepper.loss,
        PaperMomentum(network, job.recipe, network.weight_decay),
        why_no_graph=f"{group.size} processes",
        gradients=GradientSums(network, parts.parts) if by_images else None,
        counts=by_images or group.first,
    )
    job.loader.part = (group.rank, group.size) if by_images else (0, 1)


def _require_own_layers(network: Network) -> None:
    """Raise RecipeError for a network whose layers nobody here knows."""
    if is_external(network.model):
        raise RecipeError(
            f"{network.model} is a network of your own, whose layers may hang on the images that a "
            "process holds. Train it in one process."
        )


def _choice(job: Job, run: Run, parallel: AnyParallel) -> dict[str, Any]:
    """Return how to share a job's training, and why; the same in every process."""
    group, batch_size = world(), job.recipe.batch_size
    _require_own_layers(job.network)
    ways = possible_ways(job.network, batch_size)
    sent = {way: round(sent_bytes(job.network, way, batch_size)) for way in ways}
    facts = {"count": group.size, "sent_bytes": sent}
    earlier = (each["processes"] for each in reversed(run.events("begin")) if "processes" in each)
    begun = group.from_first(next(earlier, None))
    if parallel != "auto":
        return {**facts, "parallel": parallel, "why": "as asked for"}
    if begun and begun["count"] == group.size and begun["parallel"] in ways:
        return {**facts, "parallel": begun["parallel"], "why": "as the run began"}
    link = measure_link()
    seconds = {way: link.seconds(sent[way], _CALLS[way]) for way in ways}
    way = min(ways, key=seconds.__getitem__)
    said = ", ".join(
        f"{format_bytes(sent[each])} and {seconds[each]:.3g} s by {each}" for each in ways
    )
    return {
        **facts,
        "parallel": way,
        "why": f"a step sends {said}, at {format_bytes(round(link.bytes_per_s))} a second",
    }


def begin_as_first(job: Job, begin: Callable[[], bool]) -> bool:
    """Fit what a training begins with in every process, and go on with process 0's numbers.

    Args:
        job: its network has all of its layers.
        begin: changes the network, rates and schedule; returns whether it is the best so far.
    """
    group, training = world(), job.training
    if group.alone:
        return begin()
    with alone():
        best = begin()
    with group.naming_the_lost("beginning with the same weights"):
        synchronize(job.network)
    schedule, limits, best = group.from_first(
        [training.schedule.state(), training.optimizer.lr_limits, best]
    )
    training.schedule.load_state(schedule)
    training.optimizer.limit_lr(limits)
    return best


def from_first_process(checkpoint: Checkpoint | None, training: Training) -> Checkpoint | None:
    """Return process 0's checkpoint in every process; alone, the own one."""
    group = world()
    if group.alone:
        return checkpoint
    facts: Any = None
    if checkpoint is not None:
        tensors = checkpoint.tensors.items()
        shapes = {name: [str(each.dtype)[6:], list(each.shape)] for name, each in tensors}
        facts = {"state": checkpoint.state, "shapes": shapes}
    facts = group.from_first(facts)
    if facts is None:
        return None
    received: dict[str, torch.Tensor] = {}
    with group.naming_the_lost("reading the checkpoint"):
        for name, (dtype, shape) in facts["shapes"].items():
            own = checkpoint.tensors[name].contiguous() if checkpoint else None
            empty = torch.empty(shape, dtype=getattr(torch, dtype)) if own is None else own
            received[name] = broadcast(empty)
    return Checkpoint(received, facts["state"])
