"""The run folder: what was asked, the journal, checkpoints, best weights, results.

run.json  journal.jsonl  weights.safetensors  checkpoints/  split.csv  skipped.csv
results.json  report/
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from alexnet.errors import RunError
from alexnet.files import disk_errors, read_json, write_json
from alexnet.locks import locked
from alexnet.training.checkpoint import Checkpoint, newest_checkpoint, save_checkpoint
from alexnet.weights import FILE_NAME
from alexnet.words import some

__all__ = ["Run", "find_run", "open_run"]

_SAME = ("fingerprint", "classes", "start", "recipe", "files")
"""What must not change between two calls; files: texts that the network was made of, if any."""


class Run:
    """An open, locked run folder. Made by `open_run`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def weights(self) -> Path:
        """The best weights so far."""
        return self.folder / FILE_NAME

    @property
    def finished(self) -> bool:
        """Whether the run came to its end and was evaluated."""
        return (self.folder / "results.json").is_file()

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest whole checkpoint and cut the journal back to where it was then."""
        found = newest_checkpoint(self.folder / "checkpoints")
        if found is not None:
            self._cut_journal(int(found.state["journal_bytes"]))
        elif self._journal.exists():
            self._cut_journal(0)
        return found

    def save(self, step: int, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint that also remembers how long the journal is."""
        size = self._journal.stat().st_size if self._journal.exists() else 0
        checkpoint.state["journal_bytes"] = size
        return save_checkpoint(self.folder / "checkpoints", step, checkpoint)

    def write(self, event: str, facts: Mapping[str, Any]) -> None:
        """Append one line to the journal and flush it to disk."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = json.dumps({"event": event, "time": stamp, **facts}, ensure_ascii=False)
        with disk_errors(self._journal), self._journal.open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the journal's lines of one kind, in order."""
        if not self._journal.exists():
            return []
        lines = self._journal.read_text(encoding="utf-8").splitlines()
        return [each for each in map(json.loads, lines) if each["event"] == kind]

    @property
    def _journal(self) -> Path:
        return self.folder / "journal.jsonl"

    def _cut_journal(self, size: int) -> None:
        with disk_errors(self._journal), self._journal.open("r+b") as file:
            file.truncate(size)


@contextmanager
def open_run(folder: Path, asked: Mapping[str, Any]) -> Generator[Run]:
    """Lock a run folder and give it; write `run.json` where it is new, else compare with it.

    Args:
        folder: made where missing.
        asked: what shapes the run: fingerprint of the data, classes, the weights that it starts
            from, recipe; and facts beside (versions, machine) that may differ when it goes on.

    Raises:
        RunError: the folder belongs to another recipe, model or source (the differences are
            listed), holds something else, or is in use by another process.
    """
    kept = folder / "run.json"
    _refuse_strange(folder, kept)  # before the lock: nothing is left in a folder of other things
    with locked(folder):
        _refuse_strange(folder, kept)
        if kept.is_file():
            _refuse_other(folder, read_json(kept), asked)
        else:
            write_json(kept, dict(asked))
        yield Run(folder)


def find_run(root: Path, asked: Mapping[str, Any]) -> Path | None:
    """Return the newest run folder below `root` in which the same was asked, or None."""
    if not root.is_dir():
        return None
    kept = sorted(root.glob("*/run.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept:
        with contextlib.suppress(RunError):
            if not _differences(read_json(path), asked):
                return path.parent
    return None


def _refuse_strange(folder: Path, kept: Path) -> None:
    """Refuse a file, and a folder that holds other things than a run."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; a run is a folder. Choose another name with --run.")
    if folder.is_dir() and not kept.is_file():
        others = sorted(each.name for each in folder.iterdir() if each.name != "lock")
        if others:
            raise RunError(
                f"{folder} holds other things ({some(others)}) and no run. Choose a new or an "
                "empty folder with --run."
            )


def _refuse_other(folder: Path, kept: object, asked: Mapping[str, Any]) -> None:
    lines = _differences(kept, asked)
    if lines:
        raise RunError(
            f"{folder} holds another run. It differs in {'; '.join(lines)}. "
            "Choose another folder with --run, or ask for the same again to continue it."
        )


def _differences(kept: object, asked: Mapping[str, Any]) -> list[str]:
    """Return what was asked otherwise then and now, a phrase each; recipes field by field."""
    before = cast("dict[str, Any]", kept) if isinstance(kept, dict) else {}
    now: dict[str, Any] = json.loads(json.dumps(dict(asked)))
    lines: list[str] = []
    for key in _SAME:
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += _fields_that_differ(cast("dict[str, Any]", old), cast("dict[str, Any]", new))
        elif old != new:
            lines.append(_then_and_now(key, old, new))
    return lines


def _fields_that_differ(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [
        _then_and_now(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _then_and_now(name: str, old: Any, new: Any) -> str:
    return f"{name}: {_short(old)} then, {_short(new)} now"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
