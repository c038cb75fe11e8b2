"""Stopping in good order: Ctrl-C and SIGTERM ask, the loop saves and ends within the step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from alexnet.errors import Interrupted

__all__ = ["StopRequest", "stop_on_signals"]


class StopRequest:
    """Whether somebody asked to stop, and who."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._at_once = False

    def __bool__(self) -> bool:
        return self.reason is not None

    def ask(self, reason: str) -> None:
        """Ask to stop; asked again, break off."""
        if self:
            raise KeyboardInterrupt
        self.reason = reason
        if self._at_once:
            raise _StopNow

    @contextmanager
    def at_once(self) -> Generator[None]:
        """Let the block end in its middle when somebody asks: all of it can be done again.

        Raises:
            Interrupted: somebody asked, within the block or before.
        """
        try:
            try:
                self._at_once = True
                if self:
                    raise _StopNow
                yield
            finally:
                self._at_once = False
        except _StopNow:
            raise Interrupted(f"Stopped by {self.reason}.") from None


class _StopNow(KeyboardInterrupt):
    """Passes through whatever handles errors, as Ctrl-C does."""


@contextmanager
def stop_on_signals() -> Generator[StopRequest]:
    """Turn the first Ctrl-C or SIGTERM into a request; a second one breaks off at once.

    Outside the main thread, where Python delivers no signals, the request is simply never made.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def ask(number: int, frame: FrameType | None) -> None:
        request.ask("Ctrl-C" if number == signal.SIGINT else "SIGTERM")

    before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
