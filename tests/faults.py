"""A disk that fails, or a process that dies, at one chosen operation on a file."""

from __future__ import annotations

import errno
import io
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

OPERATIONS = (
    *("open", "fsync", "replace", "rename", "unlink", "remove"),
    *("link", "mkdir", "chmod", "truncate"),
)

NEED_NO_ROOM = {"unlink", "remove", "truncate"}

Strike = Callable[[str], None]
"""Called with the name of an operation before it is done, and in the middle of each write."""


@contextmanager
def watched_disk(strike: Strike) -> Generator[None]:
    """Have `strike` called before all that is done to files within the block, in any thread."""
    one_at_a_time = threading.RLock()

    def guarded(name: str) -> None:
        with one_at_a_time:
            strike(name)

    def before(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            guarded(name)
            return function(*args, **keywords)

        return call

    fdopen, io_open = os.fdopen, io.open
    kept = {name: getattr(os, name) for name in OPERATIONS}

    def opened(file: Any, mode: str = "r", *args: Any, **keywords: Any) -> Any:
        if not set(mode) & set("wa+x"):
            return io_open(file, mode, *args, **keywords)
        guarded("open")
        return _File(io_open(file, mode, *args, **keywords), guarded)

    for name, function in kept.items():
        setattr(os, name, before(name, function))
    os.fdopen = lambda *args, **keywords: _File(fdopen(*args, **keywords), guarded)
    io.open = opened
    try:
        yield
    finally:
        os.fdopen, io.open = fdopen, io_open
        for name, function in kept.items():
            setattr(os, name, function)


class _File:
    """A binary file whose writes are struck in their middle."""

    def __init__(self, file: Any, strike: Strike) -> None:
        self._file, self._strike = file, strike

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B") if memoryview(data).nbytes else memoryview(b"")
        half = len(view) // 2
        self._file.write(view[:half])
        self._file.flush()
        self._strike("write")
        self._file.write(view[half:])
        return len(view)

    def truncate(self, size: int) -> int:
        self._strike("truncate")
        return self._file.truncate(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Count:
    """Counts operations; what they were is in `names`."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str) -> None:
        self.names.append(name)


class FullFrom(Count):
    """A disk that is full from one operation on: nothing that needs room is done any more."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first

    def __call__(self, name: str) -> None:
        super().__call__(name)
        if len(self.names) > self.first and name not in NEED_NO_ROOM:
            raise OSError(errno.ENOSPC, "No space left on device")


class FailAt(Count):
    """A disk that refuses one operation."""

    def __init__(self, place: int, number: int = errno.EIO) -> None:
        super().__init__()
        self.place, self.number = place, number

    def __call__(self, name: str) -> None:
        super().__call__(name)
        if len(self.names) == self.place + 1:
            raise OSError(self.number, os.strerror(self.number))


class KillAt(Count):
    """A process that is killed at one operation."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place

    def __call__(self, name: str) -> None:
        super().__call__(name)
        if len(self.names) == self.place + 1:
            os.kill(os.getpid(), signal.SIGKILL)
