"""One process at a time in a folder: a lock that the system itself lets go when its owner dies."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import sys
from collections.abc import Generator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from alexnet.errors import AlexNetError, RunError
from alexnet.files import disk_errors

__all__ = ["locked"]

_log = logging.getLogger(__name__)

_FAR = 1 << 30  # Windows locks bytes; this one lies behind the text, which stays readable


@contextmanager
def locked(
    folder: Path, *, name: str = "lock", error: type[AlexNetError] = RunError
) -> Generator[None]:
    """Hold `folder/name` while the block runs.

    A process that was killed lets go by itself: its lock is taken over, which is logged.

    Raises:
        error: another process holds it; the sentence names its host and process.
    """
    path = folder / name
    with _taken(path, error) as file:
        with disk_errors(path, error):
            left = _owner(file.read())
            if left:
                _log.info("%s was left by %s, which ended without a word.", folder, left)
            file.truncate(0)
            file.write(json.dumps({"host": platform.node(), "process": os.getpid()}).encode())
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                file.truncate(0)
            _let_go(file)


def _taken(path: Path, error: type[AlexNetError]) -> FileIO:
    """Open and lock the file that lies at `path`, also where the folder is moved meanwhile."""
    while True:
        with disk_errors(path, error):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b", buffering=0)  # a full disk would refuse a buffer at the end
            file.seek(0)
        if not _take(file):
            file.close()
            raise error(
                f"{path.parent} is in use by {_owner_of(path)}. Wait for it, stop it, or choose "
                "another folder."
            )
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()


def _owner_of(path: Path) -> str:
    with contextlib.suppress(OSError):
        return _owner(path.read_bytes()) or "another process"
    return "another process"


def _owner(text: bytes) -> str | None:
    """Return process and host as a lock file tells them."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        owner = json.loads(text)
        return f"process {owner['process']} on {owner['host']}"
    return None


if sys.platform == "win32":
    import msvcrt

    def _take(file: FileIO) -> bool:
        try:
            file.seek(_FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            file.seek(0)
        return True

    def _let_go(file: FileIO) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(file: FileIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _let_go(file: FileIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
