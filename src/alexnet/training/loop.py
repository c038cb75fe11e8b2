"""The loop: it is handed a network and batches, and builds none."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from alexnet.devices import Device, convolving
from alexnet.distributed import add_up, any_of, traffic, world
from alexnet.errors import Diverged, RunError
from alexnet.records import Epoch
from alexnet.training.checkpoint import Checkpoint, SaveEvery
from alexnet.training.optimizer import PaperMomentum
from alexnet.training.schedule import Schedule
from alexnet.training.step import BatchLike, Stepper
from alexnet.training.stopping import StopRequest

__all__ = [
    "SaveDue",
    "Shares",
    "State",
    "StepDone",
    "Training",
    "Validation",
    "Validator",
    "train_epochs",
]

_FETCH_EVERY = 50  # steps between two looks at the loss: looking waits for the device


@dataclass(frozen=True)
class Validation:
    """Center-crop figures on the validation images: losses in nats, errors in 0..1."""

    loss: float
    error: float
    top5_error: float
    calibrated_loss: float | None = None  # at the best temperature; None: not measured


class Parts(Protocol):
    """How parameters are shared among processes; `models.Sharding` is one."""

    def whole(self, name: str, tensor: Tensor) -> Tensor: ...
    def part(self, name: str, tensor: Tensor) -> Tensor: ...
    def entire(self) -> AbstractContextManager[None]: ...


class Validator(Protocol):
    """Measures a network on the validation images, with the weights that it has now."""

    def validate(self) -> Validation: ...  # noqa: D102


@dataclass
class State:
    """Where a run stands; plain values, part of every checkpoint."""

    epoch: int = 0  # whole epochs done
    step: int = 0  # steps done since the beginning
    step_in_epoch: int = 0
    seen: int = 0  # images of this epoch so far, and what they summed up to
    loss_sum: float = 0.0
    wrong: float = 0.0
    seconds: float = 0.0  # training alone, this epoch
    all_seconds: float = 0.0  # everything, since the beginning
    saving_seconds: float = 0.0  # of these: what training waited for its checkpoints

    @property
    def mean_loss(self) -> float:
        """Mean loss of this epoch so far, as it was fetched last."""
        return self.loss_sum / max(self.seen, 1)


@dataclass
class Training:
    """Everything the loop uses.

    Args:
        stepper: network, loss and optimizer, and how a step of them is made.
        schedule: the rates of each step.
        batches: `batches(epoch, start_step)` yields the rest of an epoch.
        device: where the network is.
        seed: of the dropout masks.
        validator: measures after each epoch; None: there are no validation images.
        keeps_statistics: whether batch normalizations go by the means and deviations that they
            know, and not by those of the batch.
        parts: where each process has some rows of some parameters; None: it has all.
    """

    stepper: Stepper
    schedule: Schedule
    batches: Callable[[int, int], Iterable[BatchLike]]
    device: Device
    seed: int
    validator: Validator | None = None
    keeps_statistics: bool = False
    parts: Parts | None = None
    state: State = field(default_factory=State)

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        return self.stepper.network

    @property
    def optimizer(self) -> PaperMomentum:
        """The optimizer of its parameters."""
        return self.stepper.optimizer

    def step(self, batch: BatchLike) -> int:
        """Make one step; return how many images it had, in all processes together."""
        state = self.state
        rates, waited_s = self.schedule.rates(state.step), self.stepper.waited_s
        with world().naming_the_lost(f"making step {state.step + 1}"):
            self.stepper(batch, rates, _dropout_seed(self.seed, state.step), self.device)
        state.saving_seconds += self.stepper.waited_s - waited_s
        images = batch.share.whole if batch.share else len(batch.labels)
        state.step += 1
        state.step_in_epoch += 1
        state.seen += images
        return images

    def observe(self, epoch: int, validation: Validation | None) -> bool:
        """Tell the schedule what a validation measured; return whether the network is the best.

        Args:
            epoch: how many are done.
            validation: None: there are no validation images.
        """
        if validation is None:
            return self.schedule.observe(epoch, None)
        loss = validation.calibrated_loss
        loss = validation.loss if loss is None else loss
        return self.schedule.observe(epoch, validation.error, loss)

    def checkpoint(self) -> Checkpoint:
        """Return all that shapes the rest of the run; tensors are not copied.

        Where processes have parts of tensors, these are made whole: all of them call this together.
        Whoever reads the ones that are `held` while steps go on, gives the stepper an event.
        """
        whole = self._whole
        tensors: dict[str, Tensor] = {
            f"{kind}.{name}": whole(name, each) for kind, name, each in self._tensors()
        }
        plain: dict[str, Any] = {
            "seed": self.seed,
            "state": asdict(self.state),
            "schedule": self.schedule.state(),
            "lr_limits": self.optimizer.lr_limits,
        }
        return Checkpoint(tensors, plain, self._held_tensors())

    def _held_tensors(self) -> frozenset[str]:
        """Return the names of a checkpoint's tensors that nothing but a step's update changes."""
        if not self.stepper.in_backward:
            return frozenset()
        parameters = {f"network.{name}" for name, _ in self.network.named_parameters()}
        return frozenset(parameters | {f"velocity.{name}" for name in self.optimizer.state()})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same network and recipe.

        Raises:
            RunError: its tensors are not those of this network.
        """
        own = {f"{kind}.{name}": each for kind, name, each in self._tensors()}
        parts = {
            key: self._part(key.partition(".")[2], each) for key, each in checkpoint.tensors.items()
        }
        shapes = {key: each.shape for key, each in parts.items()}
        if shapes != {key: each.shape for key, each in own.items()}:
            raise RunError(
                "The checkpoint holds other tensors than the network has that this version of "
                "alexnet builds for the run's recipe. Go on with the version that began the run "
                "(run.json names it), or start again with --restart."
            )
        for key, tensor in own.items():
            tensor.detach().copy_(parts[key])
        self.state = State(**checkpoint.state["state"])
        self.schedule.load_state(checkpoint.state["schedule"])
        self.optimizer.limit_lr(checkpoint.state.get("lr_limits", {}))

    def entire(self) -> AbstractContextManager[None]:
        """Let the network have all of its layers within a block; all processes enter it."""
        return nullcontext() if self.parts is None else self.parts.entire()

    def _tensors(self) -> Iterator[tuple[str, str, Tensor]]:
        """Yield kind, name and tensor of all that a checkpoint holds."""
        for name, tensor in self.network.state_dict().items():
            yield "network", name, tensor
        for name, tensor in self.optimizer.state().items():
            yield "velocity", name, tensor

    def _whole(self, name: str, tensor: Tensor) -> Tensor:
        return tensor if self.parts is None else self.parts.whole(name, tensor)

    def _part(self, name: str, tensor: Tensor) -> Tensor:
        return tensor if self.parts is None else self.parts.part(name, tensor)


@dataclass(frozen=True)
class StepDone:
    """A step was made."""

    images: int
    mean_loss: float  # of the epoch so far, as it was fetched last; 0 before the first time


@dataclass(frozen=True)
class SaveDue:
    """A checkpoint is due within an epoch; the state is settled for it."""


@dataclass(frozen=True)
class Shares:
    """What the processes that made an epoch together had to do in it; lists by rank."""

    images: list[int]  # that it computed on
    loading_s: list[float]  # that it waited for its own images
    waiting_s: list[float]  # that it waited for the others
    sent_bytes: list[float]  # to the others


def train_epochs(
    training: Training, save_every: SaveEvery, stop: StopRequest
) -> Generator[StepDone | SaveDue | Shares | Epoch]:
    """Train until the schedule says that the run is finished; yield what happens.

    Whoever iterates saves: at `SaveDue`, after each epoch, and when `Interrupted` comes out.

    Args:
        training: what to train; its state moves on with every step.
        save_every: when checkpoints are due within an epoch.
        stop: looked at after each step and each epoch; ends a validation in its middle.

    Raises:
        Interrupted: somebody asked to stop.
        Diverged: the loss is not finite; the sentence says between which steps it became so.
    """
    state = training.state
    saved_at = time.monotonic()
    while training.schedule.plan.stop_reason is None:
        training.network.train()
        training.optimizer.prepare(state.epoch, keeps_statistics=training.keeps_statistics)
        sums, fed = _EpochSums(training), _Fed()
        for batch in fed.counted(training.batches(state.epoch, state.step_in_epoch)):
            images = training.step(batch)
            del batch  # the next one needs memory
            yield StepDone(images, state.mean_loss)
            # Read once: a signal may come at any moment. The clock is that of process 0.
            due = save_every.is_due(state.step, time.monotonic() - saved_at)
            stopping, saving = any_of(bool(stop), due and world().first)
            if stopping or saving or state.step_in_epoch % _FETCH_EVERY == 0:
                sums.fetch()
            if stopping:
                raise stop.interrupted(f" after step {state.step}")
            if saving:
                yield SaveDue()
                saved_at = time.monotonic()
                sums.start_clock()
        sums.fetch()
        if not world().alone:
            yield fed.shares()
        yield _end_epoch(training, stop)
        saved_at = time.monotonic()
        if any_of(bool(stop))[0]:
            raise stop.interrupted(f" after step {state.step}")


class _EpochSums:
    """Loss and errors summed over an epoch: kept on the device and fetched now and then."""

    def __init__(self, training: Training) -> None:
        self.state = training.state
        self.rate = training.schedule.rates(self.state.step).weights
        self.fetched_at = self.state.step
        self.mean = self.state.mean_loss
        self.sums = training.stepper.sums
        so_far = [self.state.loss_sum, self.state.wrong] if world().first else [0.0, 0.0]
        self.sums.copy_(torch.tensor(so_far, dtype=torch.float64))
        self.start_clock()

    def start_clock(self) -> None:
        """Count the time of training from now on."""
        self.started = time.perf_counter()

    def fetch(self) -> None:
        """Bring the state up to date, and stop where the loss is not finite."""
        state = self.state
        total = add_up(self.sums.clone())
        state.loss_sum, state.wrong = cast("list[float]", total.tolist())
        took = time.perf_counter() - self.started
        state.seconds += took
        state.all_seconds += took
        self.start_clock()
        if not math.isfinite(state.loss_sum):
            raise Diverged(
                f"The loss is no longer finite: it became so between steps {self.fetched_at + 1} "
                f"and {state.step} (epoch {state.epoch + 1}, rate {self.rate:g}"
                + (f", mean loss before {self.mean:.3g})." if self.mean else ").")
            )
        self.fetched_at = state.step
        self.mean = state.mean_loss


class _Fed:
    """Counts what a process is given to do in an epoch."""

    def __init__(self) -> None:
        self._images, self._loading_s = 0, 0.0
        traffic.taken()

    def counted(self, batches: Iterable[BatchLike]) -> Iterator[BatchLike]:
        """Yield the batches, and take the time that they are waited for."""
        batches = iter(batches)
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            self._loading_s += time.perf_counter() - started
            if batch is None:
                return
            self._images += len(batch.labels)
            yield batch
            del batch

    def shares(self) -> Shares:
        """Return what each process counted; all call this together."""
        sent, waited = traffic.taken()
        each = world().from_all([self._images, self._loading_s, waited, sent])
        images, loading, waiting, sending = map(list, zip(*each, strict=True))
        return Shares(images, loading, waiting, sending)


def _end_epoch(training: Training, stop: StopRequest) -> Epoch:
    """Validate, tell the schedule, and sum the epoch up."""
    state = training.state
    started = time.perf_counter()
    rate = training.schedule.rates(state.step - 1).weights
    training.network.eval()
    validation = None
    if training.validator is not None:
        convolutions = training.device.convolutions
        when = f" after step {state.step}"
        at_once = stop.at_once(when, together=True)
        with at_once, training.entire(), convolving(convolutions):
            validation = training.validator.validate()
        if not world().alone:  # other processors may round figures otherwise, and all go by them
            validation = Validation(**world().from_first(asdict(validation)))
    error, loss = (validation.error, validation.loss) if validation else (None, None)
    best = training.observe(state.epoch + 1, validation)
    took = time.perf_counter() - started
    state.all_seconds += took
    epoch = Epoch(
        epoch=state.epoch + 1,
        step=state.step,
        lr=rate,
        train_loss=state.loss_sum / state.seen,
        train_error=state.wrong / state.seen,
        val_loss=loss,
        val_error=error,
        val_top5_error=validation.top5_error if validation else None,
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
