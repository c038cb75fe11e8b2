"""Gradients of several processes that make one step: summed while the backward pass goes on.

DistributedDataParallel does the work: it sends the gradients in buckets as soon as they are made,
while those of the layers below are still computed. FSDP2 would shard velocities besides; AlexNet's
fit every machine that holds its activations. Two things differ from its defaults: gradients are
summed and not averaged, since each process's loss is its part of the whole batch's mean, so that
parts of unequal size count rightly; and the buckets stay as they are in the first step, so that a
training that goes on from a checkpoint adds in the same order as one that was not interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from alexnet.distributed import traffic, world

__all__ = ["GradientSums"]

_BUCKET_MB = 2
"""Of gradients, where those of large layers are not sent: torch's 25 would hold all the others, and
leave when the backward pass is over."""


class GradientSums:
    """Calls a network so that the backward pass sums its gradients over all processes.

    Args:
        network: the same in every process, but for `own`.
        own: parameters whose gradients are whole in each process, as those of sharded layers.
    """

    def __init__(self, network: nn.Module, own: Collection[str] = ()) -> None:
        self._network, self._own = network, own
        self._called: Any = None
        self._trained: tuple[bool, ...] = ()
        self._last_bucket = 0.0

    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits (n, K) of this process's images (n, 3, c, c)."""
        trained = tuple(each.requires_grad for each in self._network.parameters())
        if trained != self._trained:  # layers were frozen, or are not any more
            self._called, self._trained = self._wrapped(), trained
        return self._called(images)

    def finish(self) -> None:
        """Count what the backward pass waited for the others after its own last gradient."""
        if self._last_bucket:
            traffic.waited_s += time.perf_counter() - self._last_bucket
            self._last_bucket = 0.0

    def _wrapped(self) -> Any:
        summed = [
            name
            for name, each in self._network.named_parameters()
            if each.requires_grad and name not in self._own
        ]
        if not summed:
            return self._network
        parallel: Any = nn.parallel.DistributedDataParallel
        # Statistics are the same in every process already.
        left_alone = [*self._own, *(name for name, _ in self._network.named_buffers())]
        parallel._set_params_and_buffers_to_ignore_for_model(self._network, left_alone)
        made = parallel(
            self._network,
            init_sync=False,  # all are drawn from one seed, or come from process 0
            find_unused_parameters=True,  # else buckets are made again after the first step
            gradient_as_bucket_view=True,
            bucket_cap_mb=_BUCKET_MB if self._own else None,
        )
        made.register_comm_hook(self, _sum)
        return made

    def start(self, bucket: Tensor) -> Any:
        """Begin to sum a bucket of gradients; return torch's future of it."""
        size = world().size
        traffic.count(2 * (size - 1) / size * bucket.numel() * bucket.element_size())
        self._last_bucket = time.perf_counter()
        distributed: Any = torch.distributed
        future: Any = distributed.all_reduce(bucket, async_op=True).get_future()
        return future.then(_first_value)


def _sum(sums, bucket):  # type: ignore[no-untyped-def]
    return sums.start(bucket.buffer())  # pyright: ignore


def _first_value(done: Any) -> Any:
    return done.value()[0]
