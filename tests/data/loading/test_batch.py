from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from alexnet.data.loading import batch
from alexnet.data.loading.batch import prefetch


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "prefetch"]


def test_items_come_in_order_and_the_thread_ends():
    assert list(prefetch(range(50))) == list(range(50))
    assert threads() == []


def test_no_items_are_no_items():
    assert list(prefetch([])) == []


def test_items_may_be_none():
    assert list(prefetch([None, None])) == [None, None]


def test_work_is_done_ahead_but_not_without_end():
    made: list[int] = []

    def items() -> Iterator[int]:
        for i in range(10):
            made.append(i)
            yield i

    stream = prefetch(items(), ahead=2)
    assert made == []  # nothing runs before the first item is asked for
    assert next(stream) == 0
    deadline = time.monotonic() + 60
    while len(made) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert made == [0, 1, 2]
    stream.close()
    assert threads() == []


def test_an_error_arrives_after_the_items_before_it():
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("here")

    stream = prefetch(items())
    assert next(stream) == 1
    assert next(stream) == 2
    with pytest.raises(KeyError, match="here"):
        next(stream)
    assert threads() == []


def test_a_dropped_stream_leaves_no_thread():
    stream = prefetch(iter(int, 1))  # endless
    assert next(stream) == 0
    assert threads() == ["prefetch"]
    del stream
    gc.collect()
    assert threads() == []


def test_an_error_of_the_consumer_leaves_no_thread():
    def consume() -> None:
        for item in prefetch(iter(int, 1)):
            raise ValueError(item)

    with pytest.raises(ValueError, match="0"):
        consume()
    gc.collect()
    assert threads() == []


def test_a_program_that_forgets_the_stream_ends():
    text = (
        "import runpy, sys\n"
        "prefetch = runpy.run_path(sys.argv[1])['prefetch']\n"  # without the room's torch
        "stream = prefetch(iter(int, 1)); print(next(stream))\n"
        "keep = [stream]; keep.append(keep)\n"
    )
    command = [sys.executable, "-c", text, batch.__file__]
    done = subprocess.run(command, capture_output=True, timeout=60, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
