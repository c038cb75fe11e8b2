"""Signals become requests; the second Ctrl-C breaks off."""

import signal
import threading

import pytest

from alexnet.errors import Interrupted
from alexnet.training import stop_on_signals


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_first_signal_asks_and_handlers_come_back(number, words):
    before = signal.getsignal(number)
    with stop_on_signals() as stop, stop.looked_at():
        assert not stop
        signal.raise_signal(number)
        assert stop
        assert stop.reason == words
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_where_nobody_looks_it_ends_at_once(number, words):
    before = signal.getsignal(number)
    sentence = rf"^Stopped by {words}\. The same command goes on\.$"
    with pytest.raises(Interrupted, match=sentence), stop_on_signals() as stop:
        with stop.looked_at():
            pass
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_other_threads_get_a_request_that_is_never_made():
    found = []

    def work():
        with stop_on_signals() as stop:
            found.append(bool(stop))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
