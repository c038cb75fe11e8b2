"""The checksum of a weights file, made by a second thread while torch is being loaded.

Reading and summing up 240 MB takes as long as importing most of torch does, and needs none of it.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["begin", "begun"]

_MOST_HEADER = 100_000_000  # bytes; safetensors' own limit
_DTYPES = {  # safetensors' names and torch's, of what weights files hold
    "F32": "torch.float32",
    "F16": "torch.float16",
    "BF16": "torch.bfloat16",
    "F64": "torch.float64",
    "I64": "torch.int64",
    "I32": "torch.int32",
    "U8": "torch.uint8",
    "BOOL": "torch.bool",
}
_Stamp = tuple[int, int, int, int]


class _Sum(threading.Thread):
    """One file under way; `digest` stays None where the file is not what it should be."""

    def __init__(self, path: Path, stamp: _Stamp) -> None:
        super().__init__(name="checksum", daemon=True)
        self.path, self.stamp = path, stamp
        self.digest: str | None = None

    def run(self) -> None:
        # What is wrong with the file is said by whoever reads it afterwards.
        with suppress(OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
            self.digest = _digest(self.path)


_under_way: dict[Path, _Sum] = {}


def begin(path: Path) -> None:
    """Start summing up a weights file, or the best weights of a run folder; never fails.

    Args:
        path: as `alexnet.weights.load_weights` takes it.
    """
    file = path / "weights.safetensors" if path.is_dir() else path
    with suppress(OSError):
        started = _under_way[file] = _Sum(file, _stamp(file))
        started.start()


def begun(file: Path) -> str | None:
    """Return the checksum of a file that was begun and has not changed since; once.

    Returns:
        32 hex digits as `alexnet.weights.header.digest_of` gives them; None: nobody began, the
        file has changed, or it is no weights file.
    """
    found = _under_way.pop(file, None)
    if found is None:
        return None
    found.join()
    with suppress(OSError):
        if _stamp(file) == found.stamp:
            return found.digest
    return None


def _stamp(file: Path) -> _Stamp:
    state = file.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _digest(path: Path) -> str:
    """Sum up names, dtypes, shapes and bytes of a safetensors file, by name."""
    digest = hashlib.blake2b(digest_size=16)
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
    ):
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        length = int.from_bytes(view[:8], "little")
        if length > _MOST_HEADER:
            raise ValueError("the header is too long")
        header: dict[str, Any] = json.loads(bytes(view[8 : 8 + length]))
        header.pop("__metadata__", None)
        for name in sorted(header):
            each = header[name]
            start, end = (8 + length + offset for offset in each["data_offsets"])
            dtype, shape = _DTYPES[each["dtype"]], tuple(each["shape"])
            digest.update(f"{name}\0{dtype}\0{shape}\0".encode())
            with view[start:end] as part:
                digest.update(part)
    return digest.hexdigest()
