"""The processes of one training: who they are, what they tell, and what is said when one is lost.

What few words they exchange beside their numbers goes through the store of torch's rendezvous,
which process 0 has.
"""

from __future__ import annotations

import contextlib
import json
import platform
import queue
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from alexnet.errors import AlexNetError, RunError
from alexnet.text import join_words

__all__ = [
    "EndedByAnother",
    "OthersLost",
    "World",
    "alone",
    "become",
    "world",
]

_LOOK_S = 0.2  # at most, between two looks whether process 0 has something to say
_STUCK_S = 5.0  # beyond three times the longest step
_ANSWER_S = 3.0  # in which the others answer after a failure
_LIBRARIES = ("gloo", "nccl", "tcpstore", "socket", "connection", "timed out", "timeout")


class EndedByAnother(RunError):
    """Another process ended, and has said why.

    Args:
        sentence: which one, and why.
        exit_code: with which that process ends.
    """

    def __init__(self, sentence: str, exit_code: int = RunError.exit_code) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class OthersLost(RunError):
    """Others do not answer any more; what they were doing can be begun again with new ones."""


@dataclass
class World:
    """One of several processes that train together, or the only one.

    Attributes:
        rank: number of this process, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1
    store: Any = field(default=None, repr=False)
    _messages: int = field(default=0, repr=False)
    _began: float | None = field(default=None, repr=False)  # what is done together now
    _longest_s: float = field(default=0.0, repr=False)

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there are no others."""
        return self.size == 1

    def from_first(self, value: Any = None) -> Any:
        """Return process 0's value in every process; all call this in the same order.

        The others wait as long as process 0 takes, which may be hours while it packs images.

        Args:
            value: plain values, as JSON holds them; of process 0 alone.

        Raises:
            RunError: process 0 is gone.
        """
        if self.alone:
            return value
        self._messages += 1
        key = f"message/{self._messages}"
        if self.first:
            self.store.set(key, json.dumps(value))
            return value
        return json.loads(self._read(key))

    def from_all(self, value: Any) -> list[Any]:
        """Return every process's value, by rank, in every process; all call this in order."""
        if self.alone:
            return [value]
        self._messages += 1
        key = f"message/{self._messages}"
        self.store.set(f"{key}/{self.rank}", json.dumps(value))
        return [json.loads(self._read(f"{key}/{rank}")) for rank in range(self.size)]

    @contextlib.contextmanager
    def naming_the_lost(self, doing: str) -> Generator[None]:
        """Say who is gone where the block fails because of another process.

        Args:
            doing: what was done together: "making step 12".

        Raises:
            RunError: with the processes that no longer answer.
        """
        started = time.monotonic()
        outermost = self._began is None
        try:
            if outermost:
                self._began = started
            yield
            self._longest_s = max(self._longest_s, time.monotonic() - started)
        except RuntimeError as error:
            if self.alone or not _is_of_the_network(error):
                raise
            lost = self._lost()
            waited = time.monotonic() - started
            raise OthersLost(
                f"{self._names([self.rank])} waited {waited:.0f} s for "
                f"{self._names(lost) if lost else 'the others'} while {doing}, and then the "
                f"connection was gone. The same command continues the run; torchrun does it by "
                "itself with --max-restarts."
            ) from error
        finally:
            if outermost:
                self._began = None

    @property
    def is_stuck(self) -> bool:
        """Whether what is done together takes much longer than it ever did."""
        began = self._began
        return began is not None and time.monotonic() - began > _STUCK_S + 3 * self._longest_s

    def say_farewell(self, error: Exception) -> None:
        """Tell the others why this process ends, so that they need not say that it is gone."""
        said = isinstance(error, AlexNetError)
        sentence = str(error) if said else f"{type(error).__name__}: {error}"
        words = json.dumps([self.rank, sentence, error.exit_code if said else 1])
        if not self.alone:
            _bounded(lambda: self.store.set("farewell", words), _ANSWER_S)

    def farewell(self) -> tuple[int, str, int] | None:
        """Return which other process ended, why, and with which exit code, where it said so."""
        if self.alone:
            return None
        words = _bounded(
            lambda: self.store.get("farewell") if self.store.check(["farewell"]) else None,
            _ANSWER_S,
        )
        rank, sentence, code = json.loads(words) if words else (self.rank, "", 0)
        return (rank, sentence, code) if rank != self.rank else None

    def wait_for_readers(self, seconds: float) -> None:
        """Let process 0 stay until the others have read what it wrote: its end is the store's."""
        if not self.alone:
            _bounded(lambda: self._wait_for_readers(seconds), seconds + _ANSWER_S)

    def _wait_for_readers(self, seconds: float) -> None:
        self.store.set(f"left/{self.rank}", "")
        keys, until = [f"left/{rank}" for rank in range(self.size)], time.monotonic() + seconds
        while self.first and time.monotonic() < until and not self.store.check(keys):
            time.sleep(0.05)

    def _read(self, key: str) -> str:
        """Wait for a message, as long as whoever writes it is there."""
        started, pause = time.monotonic(), 0.001
        try:
            while not self.store.check([key]):
                if self.farewell() is not None:
                    break
                time.sleep(pause)
                pause = min(1.5 * pause, _LOOK_S)
            else:
                return self.store.get(key)
            cause = None
        except RuntimeError as error:  # the store's own process is gone
            cause = error
        raise OthersLost(
            f"{self._names([self.rank])} waited {time.monotonic() - started:.0f} s for the others, "
            "which have ended. The same command continues the run."
        ) from cause

    def _lost(self) -> list[int]:
        """Return the others that do not answer; none where the store does not answer either."""
        others = {rank for rank in range(self.size) if rank != self.rank}

        def ask() -> list[int]:
            self.store.set(f"alive/{self.rank}", "")
            until, silent = time.monotonic() + _ANSWER_S, others
            while silent and time.monotonic() < until:
                silent = {rank for rank in silent if not self.store.check([f"alive/{rank}"])}
                time.sleep(0.1)
            return sorted(silent)

        return _bounded(ask, 2 * _ANSWER_S) or []

    def _names(self, ranks: list[int]) -> str:
        """Return "process 2 of 3 (host b)"."""
        words: list[str] = []
        for rank in ranks:
            host = platform.node() if rank == self.rank else self._host(rank)
            words.append(f"process {rank} of {self.size}{f' ({host})' if host else ''}")
        text = join_words(words)
        return text[0].upper() + text[1:] if ranks == [self.rank] else text

    def _host(self, rank: int) -> str | None:
        key = f"host/{rank}"
        host = _bounded(lambda: self.store.get(key) if self.store.check([key]) else None, _ANSWER_S)
        return host.decode() if host else None


_world = World()


def world() -> World:
    """Return the processes that this one belongs to; itself alone until `join_world`."""
    return _world


def become(joined: World) -> None:
    """Let this process be one of others from now on."""
    global _world
    _world = joined


@contextlib.contextmanager
def alone() -> Generator[None]:
    """Let this process do a block of work without the others, as if it were the only one."""
    before = world()
    become(World())
    try:
        yield
    finally:
        become(before)


def _bounded(ask: Callable[[], Any], seconds: float) -> Any:
    """Return what a question to the store gives; None where that fails or takes too long.

    Where the link to the store's machine is down a call waits for minutes, whatever its timeout.
    """
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(ask())
        except RuntimeError:
            answers.put(None)

    threading.Thread(target=work, name="asking the store", daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return None


def _is_of_the_network(error: RuntimeError) -> bool:
    return any(word in str(error).lower() for word in _LIBRARIES)
