"""A job: its shards computed by an executor, and merged in order on this machine.

Memory is bounded by the shards that are under way: one that is done lies on the disk until the one
before it was merged, and stays there until the result is whole.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alexnet.cluster.executor import Executor, ShardTask, TaskOutcome
from alexnet.cluster.parts import Parts
from alexnet.errors import AlexNetError, Interrupted
from alexnet.files import cache_folder
from alexnet.locks import locked
from alexnet.progress import Advance, track
from alexnet.text import format_count

__all__ = ["ShardJob", "parts_beside", "run_shards"]

_log = logging.getLogger(__name__)

_LOCK = ".lock"
_AHEAD = 2  # shards in line for each that is computed: none waits for the driver
_WAIT_S = 0.5


@dataclass(frozen=True, kw_only=True)
class ShardJob:
    """The shards of one piece of work.

    Args:
        title: what is done, as a verb: "packing images".
        task: computes a shard of its number.
        shards: how many there are, numbered from 0.
        images: how many images a shard has, for the progress.
        total: images of all shards.
        key: plain values that stand for all that the bytes depend on.
        folder: for the shards that are done; it is the job's alone.
        cpus: cores that a shard takes.
        gpus: GPUs that a shard takes.
        first: shards before this one are merged already.
        holds: whether what the bytes of a shard speak of is still there; else it is computed again.
    """

    title: str
    task: ShardTask
    shards: int
    images: Callable[[int], int]
    total: int
    key: Any
    folder: Path
    cpus: int = 1
    gpus: int = 0
    first: int = 0
    holds: Callable[[bytes], bool] = lambda data: True


def parts_beside(output: Path | None, *, key: Any) -> Path:
    """Return the folder for the shards of an output: beside it, or in the cache without one.

    Args:
        output: the file or the folder that is written; None: the result is only returned.
        key: of the job.
    """
    if output is not None:
        return output.with_name(f"{output.name}.shards")
    return cache_folder() / "shards" / _digest(key)[:32]


@contextmanager
def run_shards(job: ShardJob, executor: Executor) -> Generator[Iterator[bytes]]:
    """Give the bytes of every shard, in order, while later ones are computed.

    Shards that an earlier call has left are taken as they are. When the block ends without an
    error all of them are removed; else they stay for the next call.

    Raises:
        AlexNetError: what a task raised; of several the first in order that is known.
        RunError: a shard failed again and again, or another process runs this job.
        Interrupted: somebody stopped it; the same call goes on.
    """
    parts = Parts(job.folder, _digest(job.key))
    with locked(job.folder, name=_LOCK):
        done = parts.found(job.holds) | {*range(job.first)}
        if len(done) > job.first:
            _log.info(
                "Going on with %s: %d of %s are done.",
                job.folder,
                len(done),
                format_count(job.shards, "shard"),
            )
        running = _Running(job, executor, parts, done)
        with track(job.title, job.total) as advance:
            running.advance = advance
            try:
                yield running.merged()
            except KeyboardInterrupt:
                raise Interrupted(
                    f"Stopped. {running.kept()} The same command goes on with the others."
                ) from None
            finally:
                executor.cancel()
        parts.remove()


def _digest(key: Any) -> str:
    text = json.dumps(key, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


@dataclass
class _Running:
    """One job under way."""

    job: ShardJob
    executor: Executor
    parts: Parts
    done: set[int]
    advance: Advance | None = None
    _next: int = 0  # the first shard that was not submitted
    _under_way: set[int] = field(default_factory=set[int])
    _workers: set[str] = field(default_factory=set[str])
    _failed: dict[int, TaskOutcome] = field(default_factory=dict[int, TaskOutcome])
    _warned: set[str] = field(default_factory=set[str])

    def merged(self) -> Iterator[bytes]:
        """Yield the bytes of each shard in order."""
        for number in sorted(self.done):
            self._show(number)
        if len(self.done) < self.job.shards:
            self.executor.begin(self.job.task, cpus=self.job.cpus, gpus=self.job.gpus)
        self._next = self.job.first
        for number in range(self.job.first, self.job.shards):
            while number not in self.done:
                self._submit()
                outcome = self.executor.wait(_WAIT_S)
                if outcome is not None:
                    self._take(outcome)
                self._raise_first()
            self._submit()
            yield self.parts.read(number)

    def kept(self) -> str:
        """Say how many shards are done."""
        done, folder = len(self.done), self.job.folder
        return f"{done} of {format_count(self.job.shards, 'shard')} are kept in {folder}."

    def _submit(self) -> None:
        most = _AHEAD * self.executor.slots
        while not self._failed and self._next < self.job.shards and len(self._under_way) < most:
            if self._next not in self.done:
                self.executor.submit(self._next)
                self._under_way.add(self._next)
            self._next += 1

    def _take(self, outcome: TaskOutcome) -> None:
        self._under_way.discard(outcome.number)
        for sentence in outcome.warnings:
            if sentence not in self._warned:
                self._warned.add(sentence)
                _log.warning("%s", sentence)
        if outcome.error is not None:
            self._failed[outcome.number] = outcome
            return
        self.parts.write(outcome.number, outcome.data)
        self.done.add(outcome.number)
        self._workers.add(outcome.worker)
        self._show(outcome.number)

    def _raise_first(self) -> None:
        """Raise the error of the first shard in order, once no earlier one is under way."""
        if not self._failed:
            return
        first = min(self._failed)
        if any(number < first for number in self._under_way):
            return
        try:
            self._failed[first].require_data()
        except AlexNetError as error:
            if len(self.done) == self.job.first:
                raise
            raise type(error)(f"{error} {self.kept()}") from error

    def _show(self, number: int) -> None:
        if self.advance is not None:
            done = f"{len(self.done):,} of {format_count(self.job.shards, 'shard')}"
            workers = f", {format_count(len(self._workers), 'worker')}" if self._workers else ""
            self.advance(self.job.images(number), f"{done}{workers}")
