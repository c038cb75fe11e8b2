"""Predicting in several processes: each takes every N-th batch, and all get every batch in order.

The batches are those of one process, so that with as many threads each probability is the same to
the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.data import ImageFiles, Pack
from alexnet.distributed import gather_parts, world
from alexnet.evaluation.predict import Member, predict_batches
from alexnet.evaluation.stored_images import BATCH, ComputedBatch

__all__ = ["predict_together"]


def predict_together(
    members: Sequence[Member],
    images: ImageFiles | Pack,
    indices: NDArray[np.int64],
    *,
    batch_size: int = BATCH,
    **options: Any,
) -> Iterator[ComputedBatch]:
    """Predict images as `predict_batches` does, in all processes that there are together.

    Args:
        members: the same networks in every process.
        images: the same images in every process.
        indices: (N,) which images.
        batch_size: images of a batch.
        **options: of `predict_batches`.

    Raises:
        OthersLost: another process is gone.
    """
    # The first member's classes are those of the average, in their order.
    group = world()
    if group.alone:
        yield from predict_batches(members, images, indices, batch_size=batch_size, **options)
        return
    starts = range(0, len(indices), batch_size)
    own = [indices[start : start + batch_size] for start in starts[group.rank :: group.size]]
    part = np.concatenate(own) if own else indices[:0]
    batches = predict_batches(members, images, part, batch_size=batch_size, **options)
    for _ in starts[:: group.size]:
        yield from _exchanged(next(batches, None), members[0].network.classes)


def _exchanged(batch: ComputedBatch | None, classes: int) -> list[ComputedBatch]:
    """Return the batches that the processes have now, by rank; in the end some have none."""
    own = batch or ComputedBatch(np.empty(0, np.int64), np.empty((0, classes), np.float32), [])
    facts = [own.indices.tolist(), own.failures] if batch else None
    told = [each for each in world().from_all(facts) if each is not None]
    rows = torch.from_numpy(np.ascontiguousarray(own.numbers))  # pyright: ignore[reportUnknownMemberType]
    sizes = [len(each[0]) for each in told] + [0] * (world().size - len(told))
    parts = gather_parts(rows, sizes)
    return [
        ComputedBatch(
            np.array(readable, dtype=np.int64),
            parts[rank].numpy(),
            [(index, reason) for index, reason in failures],
        )
        for rank, (readable, failures) in enumerate(told)
    ]
