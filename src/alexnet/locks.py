"""One process at a time in a folder, and one thread at a time in what the process shares.

A folder's lock is released by the system itself when its owner dies.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import platform
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet.errors import AlexNetError, RunError
from alexnet.files import disk_errors

__all__ = ["locked", "own_warning_filters"]

if TYPE_CHECKING:
    from filelock import FileLock

_log = logging.getLogger(__name__)

_NOTE_OFFSET = (
    1  # filelock (4.2) locks the first byte on Windows, where nobody else can then read it
)
_NOTE_BYTES = 1000

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What file systems answer that have no locks, such as NFS without its lock daemon."""

_filters_lock = threading.RLock()


@contextmanager
def own_warning_filters(*, record: bool = False) -> Generator[list[warnings.WarningMessage] | None]:
    """Let the block change Python's warning filters, and put them back.

    The filters are the process's: of two threads that change them at once, the one that ends last
    would leave the other's behind for good. So one thread after another is let in.

    Args:
        record: give the list that takes the warnings of the block instead of None.
    """
    with _filters_lock, warnings.catch_warnings(record=record) as caught:
        yield caught


@contextmanager
def locked(
    folder: Path, *, name: str = "lock", error: type[AlexNetError] = RunError
) -> Generator[None]:
    """Hold `folder/name` while the block runs.

    The file says who holds it. A process that was killed releases its lock by itself: it is taken
    over, which is logged.

    Raises:
        error: another process holds it; the sentence names its host and process.
    """
    path = folder / name
    lock, descriptor = _acquire(path, error)
    try:
        with disk_errors(path, error):
            owner = _owner(_read_note(descriptor))
            if owner:
                _log.info("%s was left by %s, which ended without a word.", folder, owner)
            note = {"host": platform.node(), "process": os.getpid()}
            _write_note(descriptor, json.dumps(note).encode())
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                _write_note(descriptor, b"")
    finally:
        lock.release()


def _acquire(path: Path, error: type[AlexNetError]) -> tuple[FileLock, int]:
    """Lock the file that lies at `path`; return the lock and the descriptor of its file.

    Raises:
        error: another process holds it, or the disk or the file system refuses.
    """
    from filelock import FileLock, Timeout  # where nothing is locked, it is not loaded

    while True:
        descriptors: list[int] = []
        # The hook gives the descriptor, and with it filelock (4.2) never falls back to a lock file
        # that would outlive a killed process. The lock belongs to the process, not to a thread.
        lock = FileLock(path, timeout=0, thread_local=False, on_acquired=descriptors.append)
        with disk_errors(path, error):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout:
                raise error(
                    f"{path.parent} is in use by {_owner_of(path)}. Wait for it, stop it, or "
                    "choose another folder."
                ) from None
            except OSError as cause:
                if not path.parent.exists():  # moved while it was locked
                    continue
                if cause.errno not in _NO_LOCKS:
                    raise
                raise error(
                    f"{path.parent} cannot be locked: its file system has no locks "
                    f"({cause.strerror}). Choose a folder on another disk."
                ) from cause
        # The folder may have been moved meanwhile and another made in its place.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptors[0]), path.stat()):
                return lock, descriptors[0]
        lock.release()


def _read_note(descriptor: int) -> bytes:
    os.lseek(descriptor, _NOTE_OFFSET, os.SEEK_SET)
    return os.read(descriptor, _NOTE_BYTES)


def _write_note(descriptor: int, note: bytes) -> None:
    os.ftruncate(descriptor, _NOTE_OFFSET)
    os.lseek(descriptor, _NOTE_OFFSET, os.SEEK_SET)
    os.write(descriptor, note)


def _owner_of(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
        file.seek(_NOTE_OFFSET)
        return _owner(file.read(_NOTE_BYTES)) or "another process"
    return "another process"


def _owner(note: bytes) -> str | None:
    """Return process and host as a note tells them."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        owner = json.loads(note)
        return f"process {owner['process']} on {owner['host']}"
    return None
