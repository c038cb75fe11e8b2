"""Threads that fetch, and end with who wanted what they fetch, or with the program.

`concurrent.futures` joins its threads before the program can tell them to end, and one that waits
for a store which is away may wait for minutes. These are told: by `close`, which runs when the pack
is let go of and when the program ends.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["Workers"]

T = TypeVar("T")
Task = tuple[Future[Any], Callable[[], Any]]

_END_S = 1.0  # given to a task at the program's end


class Workers:
    """A few threads that do one task after the other; started when there are tasks.

    Args:
        most: threads.
        name: of them.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, task: Callable[[], T]) -> Future[T]:
        """Do a task when a thread is free; what it returns or raises is in the future."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                future.cancel()
                return future
            self._tasks.put((future, task))
            if len(self._threads) < self._most:
                thread = threading.Thread(
                    target=_work, args=(self._tasks,), name=self._name, daemon=True
                )
                self._threads.append(thread)
                thread.start()
        return future

    def close(self) -> None:
        """Let the threads end when their task is done, and give it a moment."""
        with self._lock:
            self._closed = True
            for _ in self._threads:
                self._tasks.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_END_S)


def _work(tasks: queue.SimpleQueue[Task | None]) -> None:
    while (task := tasks.get()) is not None:
        future, call = task
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(call())
        except BaseException as error:  # raised by who asks for the result
            future.set_exception(error)
        del future, call, task
