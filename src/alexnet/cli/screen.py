"""Consoles for results and progress, and the progress bars and log lines on stderr."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from alexnet.progress import Advance, show_on

__all__ = ["ProgressBars", "show_work", "stderr_console", "stdout_console"]

_UNFOLDED_WIDTH = 4096  # off a terminal lines are not folded: programs read them


def stdout_console() -> Console:
    """Return the console for results; colors and folded lines on a terminal alone."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNFOLDED_WIDTH
    return console


def stderr_console() -> Console:
    """Return the console for progress, log lines and errors."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


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
        line = Text(record.getMessage())
        if record.levelno >= logging.WARNING:
            line = Text.assemble((f"{record.levelname.lower()}: ", "yellow"), line)
        self._console.print(line)


class ProgressBars:
    """The open progress bars, one under another; each is removed when its work is done."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            _Counts(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}", style="dim"),
            console=console,
            transient=True,
            redirect_stdout=False,  # which may be a file
        )

    @contextmanager
    def display(self, title: str, total: int | None) -> Generator[Advance]:
        """Open a bar; `alexnet.progress` calls this."""
        if not self._bars.tasks:
            self._bars.start()
        task = self._bars.add_task(title, total=total, note="")

        def advance(count: int = 1, note: str = "") -> None:
            if note:
                self._bars.update(task, note=note)
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
