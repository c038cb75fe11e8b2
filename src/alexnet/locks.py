"""One process at a time in a folder: a lock that the system itself lets go when its owner dies."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from alexnet.errors import AlexNetError, RunError
from alexnet.files import disk_errors

__all__ = ["locked"]

_FAR = 1 << 30  # Windows locks bytes; this one lies behind the text, which stays readable


@contextmanager
def locked(
    folder: Path, *, name: str = "lock", error: type[AlexNetError] = RunError
) -> Generator[None]:
    """Hold `folder/name` while the block runs.

    A process that was killed lets go by itself, so there is no stale lock to remove by hand.

    Raises:
        error: another process holds it; the sentence names its host and process.
    """
    path = folder / name
    with disk_errors(path, error):
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    with file:
        if not _take(file):
            raise error(
                f"{folder} is in use by {_owner(path)}. Wait for it, stop it, or choose another "
                "folder."
            )
        with disk_errors(path, error):
            file.truncate(0)
            file.write(json.dumps({"host": platform.node(), "process": os.getpid()}).encode())
            file.flush()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                file.truncate(0)
            _let_go(file)


def _owner(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        owner = json.loads(path.read_bytes())
        return f"process {owner['process']} on {owner['host']}"
    return "another process"


if sys.platform == "win32":
    import msvcrt

    def _take(file: BinaryIO) -> bool:
        try:
            file.seek(_FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            file.seek(0)
        return True

    def _let_go(file: BinaryIO) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(file: BinaryIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _let_go(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
