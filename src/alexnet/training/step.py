"""One step of training: forward, loss, backward, update and the epoch's sums, all on the device."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Hashable
from contextlib import nullcontext
from typing import Protocol

import torch
from torch import Tensor, nn

from alexnet.devices import Device
from alexnet.distributed import BatchShare, holding
from alexnet.training.cuda_graph import Capture, CudaGraphStep, StepResult
from alexnet.training.gradients import GradientSums
from alexnet.training.loss import LossFunction
from alexnet.training.optimizer import PaperMomentum, Rates

__all__ = ["BatchLike", "Stepper", "can_step_in_backward"]

_LARGE = 1 << 22  # parameters: 16 MB of gradients

_TOLERANCES = {"fp32": 1e-4, "bf16": 1e-2}
"""How far a graph's first step may be from the same step by operators: the precision's rounding."""


class BatchLike(Protocol):
    """What a loader yields: images (N, 3, H, W) float32, labels (N,) int64.

    Where several processes share a batch, `share` says which part of it this is.
    """

    @property
    def images(self) -> Tensor: ...  # noqa: D102
    @property
    def labels(self) -> Tensor: ...  # noqa: D102
    @property
    def share(self) -> BatchShare | None: ...  # noqa: D102


def can_step_in_backward(network: nn.Module, device: Device, *, own: bool) -> bool:
    """Whether parameters may be changed within the backward pass, and it saves memory to speak of.

    Args:
        network: a hook of each parameter costs a small one more time than it saves memory.
        device: where the training runs; on a GPU all parameters are changed by a few kernels.
        own: whether the network is made of our own layers alone: an external model may read a
            weight after its gradient was made.
    """
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    large = sum(each.numel() for each in network.parameters()) >= _LARGE
    # in several processes gradients are averaged first
    return own and large and device.kind == "cpu" and not distributed


class Stepper:
    """Makes steps: their operators one by one, or all of them as one CUDA graph.

    Args:
        network: on its device.
        loss: what is minimized.
        optimizer: over the parameters of the network.
        capture: makes graphs; None: there are none.
        why_no_graph: for people, where there are none.
        in_backward: change each parameter as soon as its gradient is made, which takes less memory;
            see `PaperMomentum.stepping_in_backward` for where that is possible.
        gradients: sums them over several processes; None: each has all that it needs.
        counts: whether this process's losses and errors are added up with those of the others.

    Attributes:
        sums: (2,) float64 on the device: loss and number of errors, summed over images; whoever
            begins an epoch sets them.
        in_backward: as above.
        waited_s: how long steps have waited for what `hold` was told, in all.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: LossFunction,
        optimizer: PaperMomentum,
        capture: Capture | None = None,
        why_no_graph: str = "",
        *,
        in_backward: bool = False,
        gradients: GradientSums | None = None,
        counts: bool = True,
    ) -> None:
        self.network, self.loss, self.optimizer = network, loss, optimizer
        device = next(network.parameters()).device
        self.sums = torch.zeros(2, dtype=torch.float64, device=device)
        self._changing = self._tensors()
        self._layers = list(network.modules())
        self._graph = None if capture is None else CudaGraphStep(capture, self._changing)
        self._why_no_graph = why_no_graph
        self.in_backward = in_backward
        self.waited_s = 0.0
        self._held: threading.Event | None = None
        self._gradients, self._counts = gradients, counts

    @property
    def form(self) -> str:
        """How a step is made, for people; may change with the first one."""
        if self._graph is not None and self._graph.failure is None:
            return "the step as one CUDA graph"
        why = self._graph.failure if self._graph is not None else self._why_no_graph
        return f"the step operator by operator ({why})" if why else "the step operator by operator"

    def __call__(self, batch: BatchLike, rates: Rates, seed: int, device: Device) -> StepResult:
        """Make one step, and add to the sums.

        Args:
            batch: on any device.
            rates: of this step.
            seed: of its dropout.
            device: where the network is, and the arithmetic of its forward pass.

        Returns:
            Mean loss and number of errors, both (); they hold until the next step.
        """
        self.optimizer.set_lr(rates)
        if self._graph is not None:
            result = self._graph(
                lambda images, labels: self._step(images, labels, device, None),
                batch.images,
                batch.labels,
                seed=seed,
                key=self._graph_key(device),
                tolerance=_TOLERANCES[device.precision],
            )
            if result is not None:
                return result
        torch.manual_seed(seed)
        images = batch.images.to(device.kind, non_blocking=True)
        labels = batch.labels.to(device.kind, non_blocking=True)
        return self._step(images, labels, device, batch.share)

    def hold(self, written: threading.Event) -> None:
        """Leave parameters and velocities as they are until an event is set: they are being read.

        The forward pass of the next step goes on meanwhile. For steps within the backward pass
        alone; buffers change.
        """
        self._held = written

    def release(self) -> None:
        """Let go of all memory but the network's; no step follows."""
        self.optimizer.release()
        self._changing = {}

    def _step(
        self, images: Tensor, labels: Tensor, device: Device, share: BatchShare | None
    ) -> StepResult:
        """Do what is done on the device; no value comes to the host, so a graph can repeat it."""
        stepping = self.optimizer.stepping_in_backward if self.in_backward else nullcontext
        try:
            with stepping():
                with device.arithmetic(), holding(share):
                    logits = (self._gradients or self.network)(images)
                logits = logits.float()
                loss = self.loss(logits, labels)
                self._wait_until_written()
                (loss if share is None else loss * share.weight).backward()
            if self._gradients is not None:
                self._gradients.finish()
            if not self.in_backward:
                self.optimizer.step()
        finally:
            self.network.zero_grad(set_to_none=True)
        loss, wrong = loss.detach(), (logits.detach().argmax(dim=1) != labels).sum()
        counted = (share.counted if share else len(labels)) if self._counts else 0
        if counted:
            self.sums += torch.stack([loss.double() * counted, wrong.double()])
        return loss, wrong

    def _wait_until_written(self) -> None:
        if self._held is None:
            return
        started = time.perf_counter()
        self._held.wait()
        self._held = None
        self.waited_s += time.perf_counter() - started

    def _graph_key(self, device: Device) -> Hashable:
        """Return what a graph is made for: which operators run, and on which memory."""
        addresses = tuple(each.data_ptr() for each in self._changing.values())
        modes = tuple(layer.training for layer in self._layers)
        return device.precision, modes, self.optimizer.plan(), addresses

    def _tensors(self) -> dict[str, Tensor]:
        """Return every tensor that a step changes."""
        own = itertools.chain(self.network.named_parameters(), self.network.named_buffers())
        velocities = self.optimizer.state().items()
        return {
            **dict(own),
            **{f"velocity of {name}": each for name, each in velocities},
            "sums": self.sums,
        }
