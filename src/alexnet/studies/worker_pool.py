"""Several workers on one machine: processes that share its cores, restarted where they die."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from alexnet.devices import ConvolutionForm
from alexnet.errors import RunError

__all__ = ["WorkerConfig", "WorkerPool"]

_log = logging.getLogger(__name__)

_STOP_TIMEOUT_S = 60.0  # for a worker that was asked to stop and finishes its step
_MAX_DEATHS = 3  # for each worker, after which the search ends


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """What a worker process reads from its standard input: plain values.

    Args:
        folder: of the study.
        source: the images, as the user named them.
        storage: of the study; None: a journal in the folder.
        study: what `StudyConfig.from_json` takes.
        cache, unreadable: how the source is packed.
        precision, convolutions: of this machine's training, as measured before the first worker.
        threads: of this worker.
        save_every: minutes between two checkpoints, or a text with "steps".
        minutes: after so many no trial is started.
        trusted: a model that is code, which the user named.
        class_depth, join_classes, name_encoding, cache_gb: how the source is read.
    """

    folder: str
    source: str
    storage: str | None
    study: dict[str, Any]
    cache: str
    unreadable: str
    precision: str
    convolutions: ConvolutionForm
    threads: int
    save_every: float | str
    minutes: float | None
    trusted: str | None
    class_depth: int | None = None
    join_classes: bool = False
    name_encoding: str | None = None
    cache_gb: float | None = None


@dataclass
class WorkerPool:
    """Worker processes; leaving the block asks those that still run to stop.

    Args:
        config: of each worker.
        count: how many there are at once.
        logs: folder for a log of each, `worker-1.log`.
    """

    config: WorkerConfig
    count: int
    logs: Path
    _running: list[tuple[subprocess.Popen[bytes], Path]] = field(
        default_factory=list[tuple["subprocess.Popen[bytes]", Path]], init=False
    )
    _deaths: int = field(default=0, init=False)
    _started: float = field(default_factory=time.monotonic, init=False)

    def __enter__(self) -> Self:
        try:
            for number in range(1, self.count + 1):
                self._start(number)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def __bool__(self) -> bool:
        """Whether a worker runs."""
        return bool(self._running)

    def replace_dead(self, *, done: bool) -> None:
        """Drop the processes that ended; restart those that died, unless the study is done.

        Raises:
            RunError: a worker ended with an error, or too many died.
        """
        for process, log in list(self._running):
            code = process.poll()
            if code is None:
                continue
            self._running.remove((process, log))
            if code == 0 or done:
                continue
            if code == RunError.exit_code:
                raise RunError(_last_line(log))
            self._deaths += 1
            if self._deaths > _MAX_DEATHS * self.count:
                raise RunError(
                    f"{self._deaths} workers died, the last one with {code}; see {log}. The same "
                    "command continues the study."
                )
            _log.warning("A worker died (%d); another takes its place.", code)
            self._start(int(log.stem.partition("-")[2]))

    def _start(self, number: int) -> None:
        log = self.logs / f"worker-{number}.log"
        minutes = self.config.minutes
        if minutes is not None:
            minutes = max(0.0, minutes - (time.monotonic() - self._started) / 60)
        config = dataclasses.replace(self.config, minutes=minutes)
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "alexnet.studies.worker_process"],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                env={**os.environ, "OMP_NUM_THREADS": str(config.threads)},
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows: no ^C
            )
        assert process.stdin is not None
        process.stdin.write(json.dumps(dataclasses.asdict(config)).encode() + b"\n")
        process.stdin.flush()
        self._running.append((process, log))

    def _stop(self) -> None:
        """Ask those that still run to stop, by the end of their standard input."""
        for process, _ in self._running:
            assert process.stdin is not None
            process.stdin.close()
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        for process, _ in self._running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"A worker ended with an error; see {log}."
