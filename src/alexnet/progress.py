"""Progress for people: the library reports here, and whoever owns a screen listens.

Nothing is shown unless a listener is installed: the library itself never prints. In a notebook,
where nobody installs one, a line under the cell says how far the work is.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

__all__ = ["Advance", "Display", "show_on", "track"]

Advance = Callable[..., None]
"""`advance(count=1, note="")`: so many more are done; the note is shown beside the bar."""

Display = Callable[[str, int | None], AbstractContextManager[Advance]]
"""`display(title, total)`: opens a bar and gives its `advance`; a total of None is unknown."""


_UPDATE_S = 0.2  # between two updates of a notebook's line
_BRIEF_S = 1.0  # work that takes less leaves no line


def _show_in_notebook(title: str, total: int | None) -> AbstractContextManager[Advance]:
    """Show a line in a notebook, and nothing in any other program."""
    return _notebook_line(title, total) if _in_notebook() else nullcontext(_ignore)


def _ignore(count: int = 1, note: str = "") -> None:
    """Advance a bar that nobody sees."""


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this program; IPython in a terminal is none."""
    ipython: Any = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


@contextmanager
def _notebook_line(title: str, total: int | None) -> Generator[Advance]:
    line = _NotebookLine(title, total)
    try:
        yield line.advance
    finally:
        line.end()


class _NotebookLine:
    """One line under a notebook's cell that is written again as the work goes on."""

    def __init__(self, title: str, total: int | None) -> None:
        self._title, self._total = title, total
        self._done, self._note = 0, ""
        self._began = time.monotonic()
        self._shown = self._began - _UPDATE_S + _BRIEF_S  # the first after a second
        self._handle: Any = None
        self._lock = threading.Lock()

    def advance(self, count: int = 1, note: str = "") -> None:
        with self._lock:
            self._done += count
            self._note = note or self._note
            if time.monotonic() - self._shown >= _UPDATE_S:
                self._show()

    def end(self) -> None:
        with self._lock:
            if self._handle is not None:
                self._show()

    def _show(self) -> None:
        from IPython.display import display  # pyright: ignore  # there wherever a kernel is

        values = {"text/plain": self.text()}
        if self._handle is None:
            self._handle = display(values, raw=True, display_id=True)
        else:
            self._handle.update(values, raw=True)
        self._shown = time.monotonic()

    def text(self) -> str:
        """Return title, how far, since when and, while it goes on, how long still."""
        seconds = time.monotonic() - self._began
        parts = [f"{self._done:,}", _duration(seconds)]
        if self._total:
            share = min(1.0, self._done / self._total)
            parts[0] = f"{100 * share:.0f} % ({self._done:,} of {self._total:,})"
            if 0 < share < 1:
                parts.append(f"{_duration(seconds * (1 - share) / share)} to go")
        return f"{self._title}: {', '.join([*parts, self._note] if self._note else parts)}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


_display: ContextVar[Display] = ContextVar("display", default=_show_in_notebook)


@contextmanager
def show_on(display: Display) -> Generator[None]:
    """Send the progress of everything called inside the `with` block to `display`."""
    token = _display.set(display)
    try:
        yield
    finally:
        _display.reset(token)


def track(title: str, total: int | None) -> AbstractContextManager[Advance]:
    """Open a bar that moves with every call of what it gives.

        with track("packing images", 200) as advance:
            ...
            advance()

    Args:
        title: what is done, as a verb: "packing images".
        total: how many there are; None where nobody knows yet.

    Returns:
        A context manager that gives `advance(count=1, note="")`, safe to call from any thread.
    """
    return _display.get()(title, total)
