"""Consoles for results and progress, and the progress bars and log lines on stderr.

Whatever is printed passes through here, and names in it are made safe to print: a record before it
is rendered, each log line, each title and note of a bar, each sentence of an error.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TypeVar, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from alexnet.progress import Advance, show_on
from alexnet.text import escape_unprintable

__all__ = [
    "ProgressBars",
    "discard_output",
    "escape_record",
    "show_work",
    "stderr_console",
    "stdout_console",
]

_UNFOLDED_WIDTH = 4096  # off a terminal lines are not folded: programs read them

Value = TypeVar("Value")


def stdout_console() -> Console:
    """Return the console for results; colors and folded lines on a terminal alone."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _UNFOLDED_WIDTH
    return console


def stderr_console() -> Console:
    """Return the console for progress, log lines and errors.

    What cannot be written there is lost, and nothing else: who watches a training may go away.
    """
    file = cast("Any", _Tolerant(sys.stderr))
    return Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=True)


def escape_record(value: Value) -> Value:
    """Return a record with every text in it safe to print; see `alexnet.text`.

    Args:
        value: a record, or what a record holds.
    """
    return cast("Value", _escaped(value))


def _escaped(value: Any) -> Any:
    if isinstance(value, int | float):  # of a confusion matrix there are a million
        return value
    if isinstance(value, str):
        return escape_unprintable(value)
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {_escaped(key): _escaped(each) for key, each in items}
    if isinstance(value, list | tuple):
        escaped = [_escaped(each) for each in cast("list[Any]", value)]
        return tuple(escaped) if isinstance(value, tuple) else escaped
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        escaped = copy.copy(value)
        for field in dataclasses.fields(value):
            object.__setattr__(escaped, field.name, _escaped(getattr(value, field.name)))
        return escaped
    return value


def discard_output(stream: Any) -> None:
    """Send what a stream still holds, and all that follows, to nowhere.

    So that Python does not try to write it once more when it ends.
    """
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()


class _Tolerant:
    """A text stream that loses what cannot be written: it is full, closed, or nobody reads it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            discard_output(self._stream)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            discard_output(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def show_work(console: Console, *, quiet: bool) -> Generator[None]:
    """Show the progress and the log lines of everything called in the block.

    Args:
        console: progress is shown on a terminal alone.
        quiet: neither progress nor info: warnings only.
    """
    logger = logging.getLogger("alexnet")
    handler, level = _LogLines(console), logger.level
    with ExitStack() as stack:
        logger.addHandler(handler)
        stack.callback(logger.removeHandler, handler)
        logger.setLevel(logging.WARNING if quiet else logging.INFO)
        stack.callback(logger.setLevel, level)
        if console.is_terminal and not quiet:
            stack.enter_context(show_on(ProgressBars(console).display))
        yield


class _LogLines(logging.Handler):
    """Prints log records as lines, above the progress bars."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        line = Text(escape_unprintable(record.getMessage()))
        if record.levelno >= logging.WARNING:
            line = Text.assemble((f"{record.levelname.lower()}: ", "yellow"), line)
        self._console.print(line)


class ProgressBars:
    """The open progress bars, one under another; each is removed when its work is done."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            _Counts(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=console,
            transient=True,
            redirect_stdout=False,  # which may be a file
        )

    @contextmanager
    def display(self, title: str, total: int | None) -> Generator[Advance]:
        """Open a bar; `alexnet.progress` calls this."""
        if not self._bars.tasks:
            self._bars.start()
        task = self._bars.add_task(escape_unprintable(title), total=total, note="")

        def advance(count: int = 1, note: str = "") -> None:
            if note:
                self._bars.update(task, note=escape_unprintable(note))
            self._bars.advance(task, count)

        try:
            yield advance
        finally:
            self._bars.remove_task(task)
            if not self._bars.tasks:
                self._bars.stop()


class _Counts(ProgressColumn):
    """The count, the total and the rate."""

    def render(self, task: Task) -> Text:
        done = f"{task.completed:,.0f}"
        if task.total is not None:
            done = f"{done.rjust(len(f'{task.total:,.0f}'))}/{task.total:,.0f}"
        speed = task.speed
        return Text(done if speed is None else f"{done}  {speed:,.{1 if speed < 10 else 0}f}/s")
