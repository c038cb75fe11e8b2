"""The run folder: what was asked, the journal, checkpoints, best weights, results.

run.json  journal.jsonl  weights.safetensors  checkpoints/  split.csv  skipped.csv
results.json  report/

A save is written in this order, so that a process may die at any instant: the best weights where
they are new (`checkpoints/best-STEP.safetensors`), the checkpoint that names them, the same weights
as `weights.safetensors`; then what no checkpoint needs any more is removed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from torch import Tensor

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
from alexnet.runs.identity import differences, refuse_other
from alexnet.runs.saver import Saver
from alexnet.text import some
from alexnet.training.checkpoint import Checkpoint, read_checkpoint, read_state, write_checkpoint
from alexnet.weights import load_weights
from alexnet.weights.prefetch import FILE_NAME

__all__ = ["Run", "WriteWeights", "find_run", "is_free", "open_run"]

WriteWeights = Callable[[Path, Mapping[str, Tensor]], None]
"""`write(path, tensors)`: writes weights out of the tensors of a checkpoint; in a thread."""

_LOCK = "lock"
_KEPT = 2  # checkpoints
_CHECKPOINT = re.compile(r"step-\d{9}\.checkpoint")
_log = logging.getLogger(__name__)


class Run:
    """An open, locked run folder. Made by `open_run`.

    Args:
        folder: of the run.
        asked: what `run.json` holds.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any]) -> None:
        self.folder, self.asked = folder, asked
        self.saver = Saver()
        self.checkpoint_bytes: int | None = None  # of the last one that was written
        self._checkpoints = folder / "checkpoints"
        self._journal = folder / "journal.jsonl"
        self._best: str | None = None  # name of the best weights among the checkpoints

    @property
    def weights(self) -> Path:
        """The best weights so far."""
        return self.folder / FILE_NAME

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
        self._cut_journal(int(checkpoint.state["journal_bytes"]))
        self._best = checkpoint.state["best"]
        if self._best is None:
            self.weights.unlink(missing_ok=True)
        else:
            link_file(self._checkpoints / self._best, self.weights)
        self._prune()
        return checkpoint

    def save(
        self, step: int, checkpoint: Checkpoint, write_weights: WriteWeights | None = None
    ) -> None:
        """Write a checkpoint in the background, from a copy; it remembers the journal's length.

        Args:
            step: of the run.
            checkpoint: its tensors may change as soon as this returns.
            write_weights: where the network is the best so far: writes its weights.

        Raises:
            RunError: the disk refused the save before; what was saved earlier is whole.
        """
        if write_weights is not None:
            self._best = f"best-{step:09d}.safetensors"
        best = self._best
        size = self._journal.stat().st_size if self._journal.exists() else 0
        state = checkpoint.state | {"journal_bytes": size, "best": best}
        path = self._checkpoints / f"step-{step:09d}.checkpoint"

        def write(tensors: Mapping[str, Tensor]) -> None:
            if best is not None and write_weights is not None:
                write_weights(self._checkpoints / best, tensors)
            write_checkpoint(path, Checkpoint(tensors, state))
            if best is not None:
                link_file(self._checkpoints / best, self.weights)
            self.checkpoint_bytes = path.stat().st_size
            self._prune()

        self.saver.save(checkpoint.tensors, write)

    def write(self, event: str, facts: Mapping[str, Any]) -> None:
        """Append one line to the journal and flush it to disk."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = json.dumps({"event": event, "time": stamp, **facts}, ensure_ascii=False)
        with disk_errors(self._journal):
            append_flushed(self._journal, line.encode() + b"\n")

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the journal's lines of one kind, in order."""
        if not self._journal.exists():
            return []
        lines = self._journal.read_text(encoding="utf-8").splitlines()
        return [each for each in map(json.loads, lines) if each["event"] == kind]

    def _newest(self) -> Checkpoint | None:
        found = sorted(self._found(), reverse=True)
        damaged: list[tuple[Path, RunError]] = []
        for path in found:
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
                f"None of the {len(found)} checkpoints in {self._checkpoints} is whole, so this "
                f"run cannot go on. The newest: {damaged[0][1]} Restore one from a copy, or "
                "start anew with --anew, which moves this run aside."
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

    def _found(self) -> list[Path]:
        if not self._checkpoints.is_dir():
            return []
        return [each for each in self._checkpoints.iterdir() if _CHECKPOINT.fullmatch(each.name)]

    def _prune(self) -> None:
        """Keep the newest checkpoints and the best weights that they name."""
        with disk_errors(self._checkpoints):
            found = sorted(self._found())
            for old in found[:-_KEPT]:
                old.unlink(missing_ok=True)
            named = {read_state(each).get("best") for each in found[-_KEPT:]}
            for best in self._checkpoints.glob("best-*.safetensors"):
                if best.name not in named:
                    best.unlink(missing_ok=True)

    def _cut_journal(self, size: int) -> None:
        with disk_errors(self._journal), self._journal.open("ab") as file:
            file.truncate(size)


@contextmanager
def open_run(folder: Path, asked: Mapping[str, Any], *, anew: bool = False) -> Generator[Run]:
    """Lock a run folder and give it; write `run.json` where it is new, else compare with it.

    Args:
        folder: made where missing.
        asked: what shapes the run: fingerprint of the data, classes, the weights that it starts
            from, recipe; and facts beside (versions, machine) that may differ when it goes on.
        anew: where the folder holds a run, move it aside first, as `<folder>.before-<n>`.

    Raises:
        RunError: the folder belongs to another recipe, model or source (the differences are
            listed), holds something else, or is in use by another process.
    """
    if anew and (folder / "run.json").is_file():
        _move_aside(folder)
    _refuse_strange(folder)  # before the lock: nothing is left in a folder of other things
    with locked(folder):
        _refuse_strange(folder)
        kept = folder / "run.json"
        if kept.is_file():
            before = cast("dict[str, Any]", read_json(kept))
            refuse_other(folder, before, asked)
        else:
            clear_unfinished(folder)
            write_json(kept, dict(asked))
            before = dict(asked)
        run = Run(folder, before)
        try:
            yield run
        finally:
            run.saver.close()  # before the lock is let go


def find_run(root: Path, asked: Mapping[str, Any]) -> Path | None:
    """Return the newest run folder below `root` in which the same was asked, or None."""
    if not root.is_dir():
        return None
    kept = sorted(root.glob("*/run.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept:
        with contextlib.suppress(RunError):
            if not differences(read_json(path), asked):
                return path.parent
    return None


def is_free(folder: Path) -> bool:
    """Whether a run may begin here: nothing is there, or what a call left that died at once."""
    if not folder.exists():
        return True
    return folder.is_dir() and all(
        each.name == _LOCK or is_unfinished(each) for each in folder.iterdir()
    )


def _refuse_strange(folder: Path) -> None:
    """Refuse a file, and a folder that holds other things than a run."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; a run is a folder. Choose another name with --run.")
    if not (folder / "run.json").is_file() and not is_free(folder):
        others = sorted(
            each.name for each in folder.iterdir() if each.name != _LOCK and not is_unfinished(each)
        )
        raise RunError(
            f"{folder} holds other things ({some(others)}) and no run. Choose a new or an empty "
            "folder with --run."
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
