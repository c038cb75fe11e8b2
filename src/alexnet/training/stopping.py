"""Stopping in good order: Ctrl-C, SIGTERM and SIGHUP ask, the loop saves and ends in the step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from alexnet.distributed import world
from alexnet.errors import Interrupted

__all__ = ["StopRequest", "stop_on_signals"]


class StopRequest:
    """Whether somebody asked to stop, and who."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._at_once = False

    def __bool__(self) -> bool:
        return self.reason is not None

    def request(self, reason: str) -> None:
        """Ask to stop; asked again, break off."""
        if self:
            raise KeyboardInterrupt
        self.reason = reason
        if self._at_once:
            raise _StopNow

    def interrupted(self, when: str = "") -> Interrupted:
        """Return the error that says who stopped it, and when."""
        return Interrupted(f"Stopped by {self.reason or 'another process'}{when}.")

    @contextmanager
    def at_once(self, when: str = "", *, together: bool = False) -> Generator[None]:
        """Let the block end in its middle when somebody asks: all of it can be done again.

        Args:
            when: for people.
            together: several processes, where there are any, do the block together. It goes on to
                its end then: one that left it would leave the others waiting for it.

        Raises:
            Interrupted: somebody asked, within the block or before.
        """
        try:
            try:
                self._at_once = not together or world().alone
                if self and self._at_once:
                    raise _StopNow
                yield
            finally:
                self._at_once = False
        except _StopNow:
            raise self.interrupted(when) from None


class _StopNow(KeyboardInterrupt):
    """Passes through whatever handles errors, as Ctrl-C does."""


@contextmanager
def stop_on_signals() -> Generator[StopRequest]:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into a request; a second one breaks off at once.

    SIGHUP says that the terminal is gone; under `nohup`, which has it ignored, it stays ignored.
    Outside the main thread, where Python delivers no signals, the request is simply never made.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, frame: FrameType | None) -> None:
        stop.request("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)

    before = {each: signal.signal(each, handle) for each in _stopping_signals()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stopping_signals() -> list[signal.Signals]:
    hangup: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none
    signals = [signal.SIGINT, signal.SIGTERM]
    if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:
        signals.append(hangup)
    return signals
