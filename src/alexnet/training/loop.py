"""The loop: it is handed a network and batches, and builds none."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from alexnet.devices import Device
from alexnet.errors import Diverged, Interrupted, RunError
from alexnet.records import Epoch
from alexnet.training.checkpoint import Checkpoint
from alexnet.training.cuda_graph import Capture
from alexnet.training.loss import Objective
from alexnet.training.optimizer import PaperMomentum
from alexnet.training.schedule import Schedule
from alexnet.training.step import BatchLike, Stepper
from alexnet.training.stopping import StopRequest

__all__ = ["State", "Training", "Validation", "train_epochs", "train_step"]

_LOOK_EVERY = 50  # steps between two looks at the loss: looking waits for the device


@dataclass(frozen=True)
class Validation:
    """Centre-crop figures on the validation pictures: loss in nats, errors in 0..1."""

    loss: float
    error: float
    top5_error: float


@dataclass
class State:
    """Where a run stands; plain values, part of every checkpoint."""

    epoch: int = 0  # whole epochs done
    step: int = 0  # steps done since the beginning
    step_in_epoch: int = 0
    seen: int = 0  # pictures of this epoch so far, and what they summed up to
    loss_sum: float = 0.0
    wrong: float = 0.0
    seconds: float = 0.0  # training alone, this epoch
    all_seconds: float = 0.0  # everything, since the beginning
    saving_seconds: float = 0.0  # of these: what training waited for its checkpoints


@dataclass
class Training:
    """Everything the loop uses. `batches(epoch, start_step)` yields the rest of an epoch.

    Where `capture` is given, steps are made by graphs; else `why_no_graph` says why not.
    """

    network: nn.Module
    objective: Objective
    optimiser: PaperMomentum
    schedule: Schedule
    batches: Callable[[int, int], Iterable[BatchLike]]
    device: Device
    seed: int
    validate: Callable[[], Validation | None]
    state: State = field(default_factory=State)
    capture: Capture | None = None
    why_no_graph: str = ""
    stepper: Stepper = field(init=False)

    def __post_init__(self) -> None:
        self.stepper = Stepper(
            self.network, self.objective, self.optimiser, self.capture, self.why_no_graph
        )

    def checkpoint(self) -> Checkpoint:
        """Return all that shapes the rest of the run; tensors are not copied."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"velocity.{k}": v for k, v in self.optimiser.state().items()}
        plain: dict[str, Any] = {
            "seed": self.seed,
            "state": asdict(self.state),
            "schedule": self.schedule.state(),
        }
        return Checkpoint(tensors, plain)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same network and recipe.

        Raises:
            RunError: its tensors are not those of this network.
        """
        own = self.checkpoint().tensors
        held = {name: tensor.shape for name, tensor in checkpoint.tensors.items()}
        if held != {name: tensor.shape for name, tensor in own.items()}:
            raise RunError(
                "The checkpoint holds other tensors than the network has that this version of "
                "alexnet builds for the run's recipe. Go on with the version that began the run "
                "(run.json names it), or start anew with --anew."
            )
        for name, tensor in own.items():
            tensor.detach().copy_(checkpoint.tensors[name])
        self.state = State(**checkpoint.state["state"])
        self.schedule.load_state(checkpoint.state["schedule"])


def train_epochs(
    training: Training,
    *,
    save: Callable[[], None],
    save_due: Callable[[], bool],
    stop: StopRequest,
    on_step: Callable[[int, float], None],
) -> Iterator[Epoch]:
    """Train until the schedule says that the run is finished; yield each epoch when it is done.

    Args:
        training: what to train; its state moves on with every step.
        save: writes a checkpoint; called when due and before stopping. Whoever takes in an epoch
            saves it.
        save_due: whether a checkpoint is wanted after this step.
        stop: looked at after each step and each epoch; ends a validation in its middle.
        on_step: told the pictures of each step, and the mean loss of the epoch so far.

    Raises:
        Interrupted: somebody asked to stop; a checkpoint is saved.
        Diverged: the loss is not finite; the sentence says between which steps it became so.
    """
    state, schedule = training.state, training.schedule
    while schedule.plan.finished is None:
        training.network.train()
        training.optimiser.prepare(state.epoch)
        tally = _Tally(training)
        for batch in training.batches(state.epoch, state.step_in_epoch):
            train_step(training, batch)
            on_step(len(batch.labels), state.loss_sum / max(state.seen, 1))
            stopping = bool(stop)  # asked once: a signal may come at any moment
            saving = stopping or save_due()
            if saving or state.step_in_epoch % _LOOK_EVERY == 0:
                tally.settle()
            if saving:
                save()
                tally.go_on()
            if stopping:
                raise _stopped(stop, state)
        tally.settle()
        try:
            with stop.at_once():
                epoch = _end_epoch(training)
        except Interrupted:
            save()
            raise _stopped(stop, state) from None
        yield epoch
        if stop:
            raise _stopped(stop, state)


def _stopped(stop: StopRequest, state: State) -> Interrupted:
    return Interrupted(f"Stopped by {stop.reason} after step {state.step}.")


def train_step(training: Training, batch: BatchLike) -> tuple[Tensor, Tensor, int]:
    """Make one step; return the batch's mean loss, its wrong answers, and its pictures.

    The two tensors hold until the next step.
    """
    state = training.state
    rates, seed = training.schedule.rates(state.step), _dropout_seed(training.seed, state.step)
    loss, wrong = training.stepper(batch, rates, seed, training.device)
    state.step += 1
    state.step_in_epoch += 1
    state.seen += len(batch.labels)
    return loss, wrong, len(batch.labels)


class _Tally:
    """Sums over an epoch, kept on the device and fetched now and then."""

    def __init__(self, training: Training) -> None:
        self.state = training.state
        self.rate = training.schedule.rates(self.state.step).weights
        self.since = self.state.step
        self.mean = self.state.loss_sum / max(self.state.seen, 1)
        self.sums = training.stepper.sums
        so_far = [self.state.loss_sum, self.state.wrong]
        self.sums.copy_(torch.tensor(so_far, dtype=torch.float64))
        self.go_on()

    def go_on(self) -> None:
        """Count the time from now on."""
        self.started = time.perf_counter()

    def settle(self) -> None:
        """Fetch the sums, account for the time, and stop where the loss is not finite."""
        state = self.state
        state.loss_sum, state.wrong = cast("list[float]", self.sums.tolist())
        took = time.perf_counter() - self.started
        state.seconds += took
        state.all_seconds += took
        self.go_on()
        if not math.isfinite(state.loss_sum):
            raise Diverged(
                f"The loss is no longer finite: it became so between steps {self.since + 1} and "
                f"{state.step} (epoch {state.epoch + 1}, rate {self.rate:g}"
                + (f", mean loss before {self.mean:.3g})." if self.mean else ").")
            )
        self.since = state.step
        self.mean = state.loss_sum / max(state.seen, 1)


def _end_epoch(training: Training) -> Epoch:
    """Validate, tell the schedule, and sum the epoch up."""
    state = training.state
    started = time.perf_counter()
    rate = training.schedule.rates(state.step - 1).weights
    training.network.eval()
    found = training.validate()
    best = training.schedule.observe(
        state.epoch + 1, found.error if found else None, found.loss if found else None
    )
    took = time.perf_counter() - started
    state.all_seconds += took
    epoch = Epoch(
        epoch=state.epoch + 1,
        step=state.step,
        lr=rate,
        train_loss=state.loss_sum / state.seen,
        train_error=state.wrong / state.seen,
        val_loss=found.loss if found else None,
        val_error=found.error if found else None,
        val_top5_error=found.top5_error if found else None,
        images_per_s=state.seen / max(state.seconds, 1e-9),
        seconds=state.seconds + took,
        best=best,
    )
    state.epoch += 1
    state.step_in_epoch = state.seen = 0
    state.loss_sum = state.wrong = state.seconds = 0.0
    return epoch


def _dropout_seed(seed: int, step: int) -> int:
    """Return the seed of a step's dropout masks: a function of run seed and step alone."""
    return (seed * 0x9E3779B97F4A7C15 + step * 0xD1B54A32D192ED03 + 1) & (2**63 - 1)
