"""What computes the shards of a job: the interface, and the one that computes in this process."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from alexnet.errors import AlexNetError, RecipeError, RunError, SourceError, WeightsError

__all__ = ["Executor", "LocalExecutor", "ShardTask", "TaskOutcome", "compute_shard"]

_KINDS: dict[str, type[AlexNetError]] = {
    kind.__name__: kind for kind in (SourceError, RecipeError, WeightsError, RunError)
}


class ShardTask(Protocol):
    """The work of one job; it is pickled once, and sent to each process that computes shards."""

    def run(self, number: int) -> bytes:
        """Compute a shard: the same bytes wherever and however often it is computed.

        Raises:
            AlexNetError: the driver raises it, and no other process tries again.
        """
        ...


@dataclass(frozen=True)
class TaskOutcome:
    """What came of one shard."""

    number: int
    data: bytes = b""
    error: tuple[str, str] | None = None  # name of one of the four errors, and its sentence
    warnings: list[str] = field(default_factory=list[str])  # sentences, logged while it computed
    worker: str = ""  # host and process

    def require_data(self) -> bytes:
        """Return the bytes; raise what the task raised."""
        if self.error is None:
            return self.data
        kind, sentence = self.error
        raise _KINDS.get(kind, AlexNetError)(sentence)


class Executor(Protocol):
    """Computes shards somewhere; the shards that it was given may end in any order."""

    @property
    def slots(self) -> int:
        """How many shards are computed at once, at least 1; may change while machines come."""
        ...

    @property
    def accelerated(self) -> bool:
        """Whether shards are computed on GPUs."""
        ...

    def begin(self, task: ShardTask, *, cpus: int, gpus: int = 0) -> None:
        """Take the task whose shards are computed from now on.

        Args:
            task: of the job.
            cpus: cores that a shard takes; fewer where no machine has so many.
            gpus: GPUs that a shard takes.
        """
        ...

    def submit(self, number: int) -> None:
        """Begin a shard, or put it in line."""
        ...

    def wait(self, timeout_s: float) -> TaskOutcome | None:
        """Return a shard that has ended; None: none has within the time.

        Raises:
            RunError: a shard could not be computed, though it was tried several times.
        """
        ...

    def cancel(self) -> None:
        """Stop every shard that has not ended."""
        ...


def compute_shard(task: ShardTask, number: int) -> TaskOutcome:
    """Compute a shard in this process; errors with a sentence become a part of the outcome."""
    worker = f"{platform.node()}:{os.getpid()}"
    with _kept_warnings() as warnings:
        try:
            data = task.run(number)
        except AlexNetError as error:
            kind = next((name for name, kind in _KINDS.items() if isinstance(error, kind)), "")
            return TaskOutcome(number, error=(kind, str(error)), warnings=warnings, worker=worker)
        except SystemExit as error:  # Ray would take it for a crash, and repeat it
            sentence = f"Shard {number} ended its process by itself (status {error.code})."
            return TaskOutcome(number, error=("RunError", sentence), worker=worker)
    return TaskOutcome(number, data, warnings=warnings, worker=worker)


class _WarningKeeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.sentences: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.sentences.append(record.getMessage())


@contextmanager
def _kept_warnings() -> Generator[list[str]]:
    """Keep what the package warns of in the block, for the process that shows it."""
    logger, keeper = logging.getLogger("alexnet"), _WarningKeeper()
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(keeper)
    try:
        yield keeper.sentences
    finally:
        logger.removeHandler(keeper)
        logger.propagate = propagates


class LocalExecutor:
    """Computes one shard after another in this process: what every other executor must equal."""

    slots = 1
    accelerated = False

    def __init__(self) -> None:
        self._task: ShardTask | None = None
        self._waiting: list[int] = []

    def begin(self, task: ShardTask, *, cpus: int, gpus: int = 0) -> None:
        """Take the task; its cores are those of this process."""
        del cpus, gpus
        self._task, self._waiting = task, []

    def submit(self, number: int) -> None:
        """Put a shard in line."""
        self._waiting.append(number)

    def wait(self, timeout_s: float) -> TaskOutcome | None:
        """Compute the shard that has waited longest."""
        del timeout_s
        if self._task is None or not self._waiting:
            return None
        return compute_shard(self._task, self._waiting.pop(0))

    def cancel(self) -> None:
        """Forget the shards in line."""
        self._waiting = []
