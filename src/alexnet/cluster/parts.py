"""The shards that are done, as files in a folder: each with a digest, each whole or not there.

A job that was stopped or killed goes on with the shards whose files say that they belong to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from alexnet.errors import RunError
from alexnet.files import clear_unfinished, disk_errors, replace_file

__all__ = ["Parts"]

_DIGEST_BYTES = 32
_NAME = re.compile(r"shard-(\d{8,})\.part")


class Parts:
    """The finished shards of one job.

    Args:
        folder: nobody else's; made when the first shard is written.
        key: stands for the job and all that its results depend on.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self._key = folder, key.encode()

    def found(self, holds: Callable[[bytes], bool] = lambda data: True) -> set[int]:
        """Return the shards of this job that are whole; remove the files of other ones.

        Args:
            holds: whether the bytes of a shard are still to be taken.
        """
        clear_unfinished(self.folder)
        done: set[int] = set()
        for number, path in self._files():
            data = self._read(number)
            if data is not None and holds(data):
                done.add(number)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()
        return done

    def write(self, number: int, data: bytes) -> None:
        """Write a shard beside, flush and rename it.

        Raises:
            RunError: the disk refuses.
        """
        digest = self._digest(number, data)
        replace_file(self._path(number), lambda file: (file.write(digest), file.write(data)))

    def read(self, number: int) -> bytes:
        """Return what was written.

        Raises:
            RunError: the file is gone, or another one than was written.
        """
        data = self._read(number)
        if data is None:
            raise RunError(
                f"{self._path(number)} was changed while the job ran. Repeat the command: it "
                "computes this shard again."
            )
        return data

    def remove(self) -> None:
        """Remove the folder; the result is whole elsewhere."""
        with disk_errors(self.folder):
            for _, path in [*self._files()]:
                path.unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> Iterator[tuple[int, Path]]:
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if match := _NAME.fullmatch(path.name):
                yield int(match[1]), path

    def _path(self, number: int) -> Path:
        return self.folder / f"shard-{number:08}.part"

    def _read(self, number: int) -> bytes | None:
        try:
            content = self._path(number).read_bytes()
        except OSError:
            return None
        digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        return data if digest == self._digest(number, data) else None

    def _digest(self, number: int, data: bytes) -> bytes:
        state = hashlib.blake2b(self._key, digest_size=_DIGEST_BYTES)
        state.update(number.to_bytes(8, "little"))
        state.update(data)
        return state.digest()
