"""Several workers on one machine: processes that share its cores, watched until all is done."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alexnet.data import Pack
from alexnet.devices import Device
from alexnet.errors import AlexNetError, Interrupted, RunError
from alexnet.files import read_json
from alexnet.recipe import Recipe
from alexnet.records import Epoch
from alexnet.runs import Run
from alexnet.runs.evidence import epoch_of
from alexnet.runs.job import Packing, prepare
from alexnet.runs.session import Manner, conduct
from alexnet.training import StopRequest

__all__ = ["Crew", "Order", "Trials", "main"]

_SAY_THE_SAME = (
    "alexnet.runs.session",
    "alexnet.data.loading.splits",
)  # once for the study is enough


@dataclass(frozen=True)
class Trials:
    """Trains recipes, one after the other; what `alexnet.studies` calls a `TrainTrial`."""

    source: Path
    pack: Pack
    device: Device
    packing: Packing
    save_every: float | str

    def __call__(
        self, recipe: Recipe, folder: Path, on_epoch: Callable[[Epoch], None]
    ) -> tuple[list[Epoch], float]:
        """Train in a run folder, or go on there; return its epochs and what they took, in s.

        Nothing is measured but the validation after each epoch: the test split is not looked at.
        """
        command = ("alexnet", "train", str(self.source), "--recipe", str(folder / "run.json"))
        if not (folder / "run.json").is_file():  # a worker that was killed as it began left a lock
            shutil.rmtree(folder, ignore_errors=True)
        with _quiet():
            conduct(
                lambda: prepare(self.pack, recipe, device=self.device, packing=self.packing),
                self.source,
                folder,
                save_every=self.save_every,
                manner=Manner(on_epoch=on_epoch, measured=False, command=command),
            )
        seconds = float(read_json(folder / "results.json")["seconds"])
        return [epoch_of(each) for each in Run(folder, {}).events("epoch")], seconds


@contextmanager
def _quiet() -> Generator[None]:
    """Leave out what every trial would say again."""
    with contextlib.ExitStack() as stack:
        for name in _SAY_THE_SAME:
            logger = logging.getLogger(name)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.ERROR)
        yield


def main() -> int:
    """Work until the study is done; return the exit code of the sentence, if there is one."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    order = Order(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_stop_when_alone, daemon=True).start()
    try:
        _work(order)
    except AlexNetError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _work(order: Order) -> None:
    from alexnet.data import open_source
    from alexnet.devices import choose_device
    from alexnet.runs.job import Packing, prepare
    from alexnet.studies.plan import Plan
    from alexnet.studies.study import open_study
    from alexnet.studies.worker import Worker
    from alexnet.training import stop_on_signals
    from alexnet.trust import trusting

    deadline = None if order.minutes is None else time.monotonic() + 60 * order.minutes
    with stop_on_signals() as stop, trusting(order.trusted):
        folder, source = Path(order.folder), Path(order.source)
        plan = Plan.from_json(order.plan, order.folder)
        packing = Packing(cache=order.cache, unreadable=order.unreadable)  # type: ignore[arg-type]
        device = choose_device(order.precision, order.threads)  # type: ignore[arg-type]
        with stop.at_once():
            job = prepare(open_source(source), plan.recipe, device=device, packing=packing)
        trials = Trials(source, job.pack, device, packing, order.save_every)
        with open_study(folder, plan, order.storage) as study:
            Worker(study, trials, stop, deadline).work()


def _stop_when_alone() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())


_log = logging.getLogger(__name__)

_LOOK_S = 0.3
_PATIENCE_S = 60.0  # for a worker that was asked to stop and finishes its step
_DEATHS = 3  # of workers, for each that there should be, before the cause is no accident


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a worker process is told, through its standard input: plain values."""

    folder: str
    source: str
    storage: str | None
    plan: dict[str, Any]
    cache: str
    unreadable: str
    precision: str
    threads: int
    save_every: float | str
    minutes: float | None
    trusted: str | None  # network of other code that the user named


class Crew:
    """Worker processes of one study.

    Args:
        order: for each of them; `threads` and `minutes` are its own.
        count: how many.
        logs: folder for what they say.
        stop: when it is made, they are asked to stop, too.
    """

    def __init__(self, order: Order, count: int, logs: Path, stop: StopRequest) -> None:
        self.order, self.count, self.logs, self.stop = order, count, logs, stop
        self._started = time.monotonic()
        self._deaths = 0
        self._running: list[tuple[subprocess.Popen[bytes], Path]] = []

    def work(self, look: Callable[[], bool]) -> None:
        """Start the workers and wait until they have ended; put others in the place of dead ones.

        Args:
            look: called now and then; returns whether the study is done.

        Raises:
            Interrupted: asked to stop; the workers have saved what they were at.
            RunError: a worker could not work, or too many died.
        """
        try:
            for number in range(1, self.count + 1):
                self._start(number)
            while self._running:
                time.sleep(_LOOK_S)
                done = look()
                if self.stop:
                    raise Interrupted(f"Stopped by {self.stop.reason}.")
                self._bury(done)
            look()
        finally:
            self._end()

    def _start(self, number: int) -> None:
        log = self.logs / f"worker-{number}.log"
        left = self.order.minutes
        if left is not None:
            left = max(0.0, left - (time.monotonic() - self._started) / 60)
        order = dataclasses.replace(self.order, minutes=left)
        with log.open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "alexnet.studies.workers"],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                env={**os.environ, "OMP_NUM_THREADS": str(order.threads)},
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows: no ^C
            )
        assert process.stdin is not None
        process.stdin.write(json.dumps(dataclasses.asdict(order)).encode() + b"\n")
        process.stdin.flush()
        self._running.append((process, log))

    def _bury(self, done: bool) -> None:
        """Take those that ended out; one that died is replaced, one that could not work is told."""
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
            if self._deaths > _DEATHS * self.count:
                raise RunError(
                    f"{self._deaths} workers died, the last one with {code}; see {log}. The same "
                    "command continues the study."
                )
            _log.warning("A worker died (%d); another takes its place.", code)
            self._start(int(log.stem.partition("-")[2]))

    def _end(self) -> None:
        """Ask those that still run to stop: their standard input ends."""
        for process, _ in self._running:
            assert process.stdin is not None
            process.stdin.close()
        until = time.monotonic() + _PATIENCE_S
        for process, _ in self._running:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"A worker could not work; see {log}."
