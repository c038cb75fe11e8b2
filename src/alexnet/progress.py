"""Progress for people: the library reports here, and whoever owns a screen listens.

Nothing is shown unless a listener is installed: the library itself never prints.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

__all__ = ["Advance", "Display", "show_on", "track"]

Advance = Callable[..., None]
"""`advance(count=1, note="")`: so many more are done; the note is shown beside the bar."""

Display = Callable[[str, int | None], AbstractContextManager[Advance]]
"""`display(title, total)`: opens a bar and gives its `advance`; a total of None is unknown."""


def _silent(title: str, total: int | None) -> AbstractContextManager[Advance]:
    return nullcontext(_ignore)


def _ignore(count: int = 1, note: str = "") -> None:
    """Advance a bar that nobody sees."""


_display: ContextVar[Display] = ContextVar("display", default=_silent)


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
