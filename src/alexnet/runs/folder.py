"""The run folder: its config, the journal, checkpoints, best weights, results.

run.json  journal.jsonl  weights.safetensors  checkpoints/  split.csv  skipped.csv
results.json  report/

A save is made in this order, so that a process may die at any instant: the checkpoint is written
beside its place; the best weights where they are new (`checkpoints/best-STEP.safetensors`), out of
what was written; the checkpoint that names them gets its place; the same weights as
`weights.safetensors`; then what no checkpoint needs any more is removed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from alexnet.distributed import world
from alexnet.errors import RunError, WeightsError
from alexnet.files import (
    append_flushed,
    clear_unfinished,
    disk_errors,
    is_unfinished,
    link_file,
    read_json,
    write_json,
)
from alexnet.locks import locked
from alexnet.records import Epoch
from alexnet.runs.config import (
    RUNS,
    config_differences,
    dated_name,
    new_folder,
    require_same_config,
)
from alexnet.runs.saver import Saver
from alexnet.text import quote_names
from alexnet.training.checkpoint import (
    Checkpoint,
    WrittenTensor,
    network_tensors,
    read_checkpoint,
    read_state,
    write_checkpoint,
)
from alexnet.weights import RUN_WEIGHTS, Weights, load_weights, save_weights

__all__ = ["Run", "find_run", "is_free", "open_run"]

_LOCK = "lock"
_NEWEST = 2  # checkpoints that are kept
_CHECKPOINT = re.compile(r"step-\d{9}\.checkpoint")
_log = logging.getLogger(__name__)


class Run:
    """An open, locked run folder. Made by `open_run`.

    Args:
        folder: of the run.
        config: what `run.json` holds.

    Attributes:
        already_finished: whether the run had come to its end before this call.
        continued: whether this call goes on from a checkpoint.
        checkpoint_bytes: size of the last one that was written.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder, self.config = folder, config
        self.saver = Saver()
        self.already_finished = self.finished
        self.continued = self.already_finished
        self.checkpoint_bytes: int | None = None
        self._checkpoints = folder / "checkpoints"
        self._journal = folder / "journal.jsonl"
        self._best: str | None = None  # name of the best weights among the checkpoints

    @property
    def weights(self) -> Path:
        """The best weights so far."""
        return self.folder / RUN_WEIGHTS

    @property
    def finished(self) -> bool:
        """Whether the run came to its end and was evaluated."""
        return (self.folder / "results.json").is_file()

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest whole checkpoint, and make the folder what it was then.

        What was being written when a process died is removed, the journal is cut, and
        `weights.safetensors` becomes what was best then. Damaged checkpoints are set aside.

        Raises:
            RunError: there are checkpoints and none of them can be used, or the disk refuses.
        """
        clear_unfinished(self.folder)
        checkpoint = self._newest()
        if checkpoint is None:
            if self._journal.exists():
                self._cut_journal(0)
            return None
        self.continued = True
        self._cut_journal(int(checkpoint.state["journal_bytes"]))
        self._best = checkpoint.state["best"]
        if self._best is None:
            self.weights.unlink(missing_ok=True)
        else:
            link_file(self._checkpoints / self._best, self.weights)
        self._prune()
        return checkpoint

    def save(
        self, step: int, checkpoint: Checkpoint, best: Weights | None = None
    ) -> threading.Event:
        """Write a checkpoint in the background; it remembers the journal's length.

        Args:
            step: of the run.
            checkpoint: its tensors may change as soon as this returns, but for those that are held:
                they may when the event is set.
            best: where the network is the best so far: all of its weights file but the tensors,
                which are those of the checkpoint.

        Returns:
            An event that is set when all tensors were written, or when writing has failed.

        Raises:
            RunError: the disk refused the save before; what was saved earlier is whole.
        """
        if best is not None:
            self._best = f"best-{step:09d}.safetensors"
        name, written = self._best, threading.Event()
        size = self._journal.stat().st_size if self._journal.exists() else 0
        state = checkpoint.state | {"journal_bytes": size, "best": name}
        path = self._checkpoints / f"step-{step:09d}.checkpoint"

        def write_best(places: Mapping[str, WrittenTensor]) -> None:
            written.set()
            if name is not None and best is not None:
                save_weights(self._checkpoints / name, best, stored=network_tensors(places))

        def write(tensors: Mapping[str, Tensor]) -> None:
            try:
                write_checkpoint(path, Checkpoint(tensors, state), written=write_best)
            finally:
                written.set()
            if name is not None:
                link_file(self._checkpoints / name, self.weights)
            self.checkpoint_bytes = path.stat().st_size
            self._prune()

        self.saver.save(checkpoint.tensors, write, held=checkpoint.held)
        return written

    def write(self, event: str, facts: Mapping[str, Any]) -> None:
        """Append one line to the journal and flush it to disk."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = json.dumps({"event": event, "time": stamp, **facts}, ensure_ascii=False)
        with disk_errors(self._journal):
            # Names that are no text hold lone surrogates; so written, JSON reads them back.
            append_flushed(self._journal, line.encode("utf-8", "backslashreplace") + b"\n")

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the journal's lines of one kind, in order."""
        if not self._journal.exists():
            return []
        # Not splitlines(): names may hold other ends of lines, which JSON writes as they are.
        lines = filter(None, self._journal.read_text(encoding="utf-8").split("\n"))
        return [each for each in map(json.loads, lines) if each["event"] == kind]

    def epochs(self) -> list[Epoch]:
        """Return the epochs that the journal has."""
        names = [field.name for field in fields(Epoch)]
        return [Epoch(**{name: line[name] for name in names}) for line in self.events("epoch")]

    def _newest(self) -> Checkpoint | None:
        paths = sorted(self._checkpoint_files(), reverse=True)
        damaged: list[tuple[Path, RunError]] = []
        for path in paths:
            try:
                checkpoint = self._usable(path)
            except RunError as error:
                damaged.append((path, error))
                continue
            for each, error in damaged:
                _log.warning("%s The one before it is used.", error)
                each.replace(each.with_suffix(".damaged"))
            return checkpoint
        if damaged:
            raise RunError(
                f"None of the {len(paths)} checkpoints in {self._checkpoints} is whole, so this "
                f"run cannot go on. The newest: {damaged[0][1]} Restore one from a copy, or "
                "start again with --restart, which moves this run aside."
            )
        return None

    def _usable(self, path: Path) -> Checkpoint:
        """Read a checkpoint with all that belongs to it; RunError says what is wrong."""
        checkpoint = read_checkpoint(path)
        best, size = checkpoint.state["best"], checkpoint.state["journal_bytes"]
        there = self._journal.stat().st_size if self._journal.exists() else 0
        if there < size:
            raise RunError(
                f"The checkpoint {path} belongs to a journal of {size:,} bytes, and {self._journal}"
                f" has {there:,}: something was taken out."
            )
        try:
            if best is not None:
                load_weights(self._checkpoints / best)
        except WeightsError as cause:
            raise RunError(f"The checkpoint {path} lacks its best weights. {cause}") from cause
        return checkpoint

    def _checkpoint_files(self) -> list[Path]:
        if not self._checkpoints.is_dir():
            return []
        return [each for each in self._checkpoints.iterdir() if _CHECKPOINT.fullmatch(each.name)]

    def _prune(self) -> None:
        """Keep the newest checkpoints and the best weights that they name."""
        with disk_errors(self._checkpoints):
            paths = sorted(self._checkpoint_files())
            for old in paths[:-_NEWEST]:
                old.unlink(missing_ok=True)
            named = {read_state(each).get("best") for each in paths[-_NEWEST:]}
            for best in self._checkpoints.glob("best-*.safetensors"):
                if best.name not in named:
                    best.unlink(missing_ok=True)

    def _cut_journal(self, size: int) -> None:
        with disk_errors(self._journal), self._journal.open("ab") as file:
            file.truncate(size)


class _FollowedRun(Run):
    """The run of process 0 in the others: these read and write no file of it."""

    def __init__(self, folder: str, config: Mapping[str, Any], finished: bool) -> None:
        self._is_finished = finished
        super().__init__(Path(folder), config)

    @property
    def finished(self) -> bool:
        return self._is_finished

    def checkpoint(self) -> None:
        return None

    def save(
        self, step: int, checkpoint: Checkpoint, best: Weights | None = None
    ) -> threading.Event:
        del step, checkpoint, best
        nothing_to_wait_for = threading.Event()
        nothing_to_wait_for.set()
        return nothing_to_wait_for

    def write(self, event: str, facts: Mapping[str, Any]) -> None:
        pass

    def events(self, kind: str) -> list[dict[str, Any]]:
        del kind
        return []


@contextmanager
def open_run(
    folder: Path | None, config: Mapping[str, Any], *, restart: bool = False
) -> Generator[Run]:
    """Lock a run folder and give it; write `run.json` where it is new, else compare with it.

    Of several processes that train together the first does; the others get what it says of it.

    Args:
        folder: made where missing; None: that of the newest run of this config, else a new one.
        config: what shapes the run, as `run_config` gives it; and facts beside (versions, machine)
            that may differ when it goes on.
        restart: begin a new run; one that lies in the folder is moved aside first, as
            `<folder>.before-<n>`.

    Raises:
        RunError: the folder belongs to another recipe, model or source (the differences are
            listed), holds something else, or is in use by another process.
    """
    if not world().first:
        yield _FollowedRun(*world().from_first())
        return
    folder = folder or _default_folder(config, restart=restart)
    if restart and (folder / "run.json").is_file():
        _move_aside(folder)
    _require_run_or_empty(folder)  # before the lock: nothing is left in a folder of other things
    with locked(folder):
        _require_run_or_empty(folder)
        clear_unfinished(folder)  # of a call that was killed, also of a run that is finished
        file = folder / "run.json"
        if file.is_file():
            begun_with = cast("dict[str, Any]", read_json(file))
            require_same_config(folder, begun_with, config)
        else:
            write_json(file, dict(config))
            begun_with = dict(config)
        run = Run(folder, begun_with)
        world().from_first([str(folder), begun_with, run.finished])
        try:
            yield run
        finally:
            run.saver.close()  # before the lock is let go


def find_run(root: Path, config: Mapping[str, Any]) -> Path | None:
    """Return the newest run folder below `root` that has this config, or None."""
    if not root.is_dir():
        return None
    files = sorted(root.glob("*/run.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files:
        with contextlib.suppress(RunError):
            if not config_differences(read_json(path), config):
                return path.parent
    return None


def _default_folder(config: Mapping[str, Any], *, restart: bool) -> Path:
    """Return the folder of the same run where there is one, else a new one with date and name."""
    same = None if restart else find_run(RUNS, config)
    name = dated_name(Path(config["source"]), config["recipe"]["model"])
    return same or new_folder(name, is_free)


def is_free(folder: Path) -> bool:
    """Whether a run may begin here: nothing is there, or what a call left that died at once."""
    if not folder.exists():
        return True
    return folder.is_dir() and all(
        each.name == _LOCK or is_unfinished(each) for each in folder.iterdir()
    )


def _require_run_or_empty(folder: Path) -> None:
    """Raise RunError for a file, and for a folder that holds other things than a run."""
    if folder.exists() and not folder.is_dir():
        raise RunError(
            f"{folder} is a file; a run is a folder. Choose another name with --run-dir."
        )
    if not (folder / "run.json").is_file() and not is_free(folder):
        others = sorted(
            each.name for each in folder.iterdir() if each.name != _LOCK and not is_unfinished(each)
        )
        raise RunError(
            f"{folder} holds other things ({quote_names(others)}) and no run. Choose a new or an "
            "empty folder with --run-dir."
        )


def _move_aside(folder: Path) -> None:
    """Give a run that nobody uses another name beside its own."""
    names = (folder.with_name(f"{folder.name}.before-{n}") for n in range(1, 10_000))
    aside = next(each for each in names if not each.exists())
    with disk_errors(folder):
        with locked(folder):
            if os.name != "nt":
                folder.rename(aside)
        if os.name == "nt":  # where a folder with an open file in it cannot be moved
            folder.rename(aside)
    _log.info("The run in %s was moved to %s.", folder, aside)
