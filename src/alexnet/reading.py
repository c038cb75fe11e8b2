"""Reading files that others made within limits: of size always, of time where a pipe is named."""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import time
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from alexnet.text import format_bytes, format_duration

__all__ = ["MAX_SETTINGS_BYTES", "LimitExceeded", "read_limited", "read_to"]

MAX_SETTINGS_BYTES = 64 << 20
"""Of files that people write: recipes, search spaces. A run.json is far smaller."""

SILENCE_S = 20.0
"""How long a named pipe or a device may give nothing."""

TOTAL_S = 300.0
"""How long all of a named pipe or a device may take."""

_CHUNK = 1 << 20


class LimitExceeded(Exception):
    """More bytes, or more time, than the limit; the message is a phrase for a sentence."""


def read_limited(path: Path, most: int, *, silence_s: float | None = None) -> bytes:
    """Read a file, a pipe or a device to its end.

    A file that is too large is not read at all. A pipe without a writer, and one that gives a byte
    now and then, end in an error instead of never.

    Args:
        path: any that can be opened.
        most: bytes.
        silence_s: how long a pipe or a device may give nothing; None: `SILENCE_S`.

    Raises:
        LimitExceeded: it is larger or slower; says by how much, as a phrase.
        OSError: the system refuses.
    """
    # Without O_NONBLOCK, opening a pipe waits for its writer. For files it changes nothing.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            if status.st_size > most:
                raise LimitExceeded(_too_large(status.st_size, most))
            return read_to(file, most)
        wait_s = SILENCE_S if silence_s is None else silence_s
        return _join(_chunks_of_pipe(file, wait_s), most)


def read_to(file: io.RawIOBase | io.FileIO | BinaryIO, most: int) -> bytes:
    """Read an open file to its end.

    Raises:
        LimitExceeded: it has more than `most` bytes; no more than one chunk beyond is read.
    """
    chunks = iter(partial(file.read, _CHUNK), b"")
    return _join(takewhile(bool, chunks), most)


def _join(chunks: Iterable[bytes], most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise LimitExceeded(f"it goes on beyond {format_bytes(most)}, which is the limit")
        parts.append(chunk)
    return b"".join(parts)


def _chunks_of_pipe(file: io.FileIO, silence_s: float) -> Iterator[bytes]:
    """Yield what comes until the last writer has closed the pipe.

    Raises:
        LimitExceeded: nothing comes, or it does not end.
    """
    end = time.monotonic() + TOTAL_S
    while True:
        wait = min(silence_s, end - time.monotonic())
        readable = wait > 0 and _is_readable(file, wait)
        if not readable and wait < silence_s:
            raise LimitExceeded(f"it gave no end within {format_duration(TOTAL_S)}")
        if not readable:
            raise LimitExceeded(f"it is a pipe or a device, and nothing came for {silence_s:g} s")
        try:
            chunk = file.read(_CHUNK)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
            continue
        if chunk is None:  # somebody else read it first
            continue
        if not chunk:
            return
        yield chunk


def _is_readable(file: io.FileIO, seconds: float) -> bool:
    """Wait until there is something to read, or the last writer has closed the pipe."""
    if not hasattr(select, "poll"):  # Windows has no pipes among its files
        return True
    poll = select.poll()
    poll.register(file, select.POLLIN | select.POLLPRI)
    return bool(poll.poll(1000 * seconds))


def _too_large(size: int, most: int) -> str:
    return f"it has {format_bytes(size)}, and the limit is {format_bytes(most)}"
