"""Signals become requests; the second one breaks off."""

import signal
import threading

import pytest

from alexnet.errors import Interrupted
from alexnet.training import stop_on_signals

no_hangup = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGINT, "Ctrl-C"),
        (signal.SIGTERM, "SIGTERM"),
        pytest.param("SIGHUP", "SIGHUP", marks=no_hangup),
    ],
)
def test_first_signal_asks_and_handlers_come_back(number, words):
    number = getattr(signal, number) if isinstance(number, str) else number
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop
        signal.raise_signal(number)
        assert stop
        assert stop.reason == words
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(number) is before


def test_what_can_be_done_again_ends_at_once():
    reached = []
    with stop_on_signals() as stop:
        with stop.at_once():
            reached.append(1)
        with pytest.raises(Interrupted, match=r"^Stopped by SIGTERM\.$"), stop.at_once():
            reached.append(2)
            try:
                signal.raise_signal(signal.SIGTERM)
            except Exception:  # what handles errors must not swallow it
                reached.append(3)
            reached.append(4)
        with pytest.raises(Interrupted, match=r"^Stopped by SIGTERM\.$"), stop.at_once():
            reached.append(5)
        assert stop.reason == "SIGTERM"
    assert reached == [1, 2]


def test_errors_of_the_block_are_its_own():
    with stop_on_signals() as stop:
        with pytest.raises(ValueError, match="mine"), stop.at_once():
            raise ValueError("mine")
        signal.raise_signal(signal.SIGINT)  # asks, and raises nothing
    assert stop.reason == "Ctrl-C"


def test_other_threads_get_a_request_that_is_never_made():
    found = []

    def work():
        with stop_on_signals() as stop:
            found.append(bool(stop))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


@no_hangup
def test_under_nohup_the_end_of_the_terminal_is_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
