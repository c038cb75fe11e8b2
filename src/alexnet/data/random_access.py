"""A file that several threads read at any place at once."""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path

__all__ = ["RandomAccess"]


class RandomAccess:
    """An open file without a position of its own; it is closed when nobody holds it any more.

    Args:
        descriptor: of a file that is open for reading; it belongs to this object now.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def open(cls, path: Path) -> RandomAccess:
        """Open a file; raise OSError where that cannot be."""
        return cls(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)))

    def length(self) -> int:
        """Return the bytes that the file has now."""
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset` on; fewer where the file ends before."""
        data = self._read(offset, count)
        while 0 < len(data) < count:  # a system may hand out less than it could
            more = self._read(offset + len(data), count - len(data))
            if not more:
                break
            data += more
        return data

    def _read(self, offset: int, count: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, count, offset)
        with self._lock:  # Windows
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, count)
