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
    """Whether somebody asked the run to stop, and who."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.is_looked_at = False

    def __bool__(self) -> bool:
        return self.reason is not None

    @contextmanager
    def looked_at(self) -> Generator[None]:
        """Let signals wait for whoever looks inside the `with` block, and saves before it ends."""
        self.is_looked_at = True
        try:
            yield
        finally:
            self.is_looked_at = False


@contextmanager
def stop_on_signals() -> Generator[StopRequest]:
    """Turn the first Ctrl-C or SIGTERM into a request; a second Ctrl-C breaks off at once.

    Where nobody looks at the request (packing takes minutes, and keeps what is done) it ends the
    work there and then. Outside the main thread, where Python delivers no signals, the request is
    simply never made.

    Raises:
        Interrupted: inside the `with` block, by a signal that nobody looks at.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if request:
            raise KeyboardInterrupt
        request.reason = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
        if not request.is_looked_at:
            raise Interrupted(f"Stopped by {request.reason}. The same command goes on.")

    before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
