"""Weights files read and summed up by a second thread while torch is being loaded.

Reading and summing up 240 MB takes as long as importing a part of torch does, and needs none of it.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["DEFAULT", "FILE_NAME", "ReadAhead", "Stored", "read_ahead", "taken"]

DEFAULT = "small-200"
"""The weights that come with the package, and are used where none are named."""

FILE_NAME = "weights.safetensors"
"""The best weights in a run folder."""


_MOST_HEADER = 100_000_000  # bytes; safetensors' own limit
_DTYPES = {  # safetensors' names, torch's and bytes a number, of what weights files hold
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "F64": ("float64", 8),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
}
_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class Stored:
    """Where a tensor lies in its file."""

    dtype: str  # its name in torch
    shape: tuple[int, ...]
    start: int  # byte of the file, a multiple of the bytes of a number
    end: int


@dataclass(frozen=True, eq=False)
class ReadAhead:
    """A weights file in memory."""

    data: mmap.mmap  # all of its bytes, in memory of its own
    tensors: dict[str, Stored]
    digest: str  # 32 hex digits, as `alexnet.weights.header.digest_of` gives them


class _Reading(threading.Thread):
    """One file under way; `found` stays None where the file is not what it should be."""

    def __init__(self, file: Path) -> None:
        super().__init__(name="reading", daemon=True)
        self.file, self.stamp = file, _stamp(file)
        self.found: ReadAhead | None = None

    def run(self) -> None:
        # What is wrong with the file is said by whoever reads it afterwards.
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.found = _read(self.file)


_under_way: dict[Path, _Reading] = {}


def read_ahead(*paths: Path) -> None:
    """Start reading weights files; never fails, and forgets what nobody took so far.

    Args:
        paths: as `alexnet.weights.load_weights` takes them: files, or run folders.
    """
    _under_way.clear()
    for path in paths:
        file = path / FILE_NAME if path.is_dir() else path
        with suppress(OSError):
            _under_way[file] = _Reading(file)
            _under_way[file].start()


def taken(file: Path) -> ReadAhead | None:
    """Return a file that was read ahead and has not changed since; once.

    Returns:
        None: nobody began, the file has changed, or it is no weights file.
    """
    reading = _under_way.pop(file, None)
    if reading is None:
        return None
    reading.join()
    with suppress(OSError):
        if _stamp(file) == reading.stamp:
            return reading.found
    return None


def _stamp(file: Path) -> _Stamp:
    state = file.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _read(path: Path) -> ReadAhead:
    """Read a whole safetensors file, once its header says that it is one."""
    with path.open("rb", buffering=0) as file:
        size = path.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(_MOST_HEADER, size):
            raise ValueError("no header")
        tensors = _tensors(json.loads(file.read(length)), 8 + length)
        if size != max((each.end for each in tensors.values()), default=0):
            raise ValueError("cut, or longer than it says")
        file.seek(0)
        data = mmap.mmap(-1, size)  # unlike a bytearray, not filled with zeros first
        filled = 0
        with memoryview(data) as view:
            while filled < size:
                count = file.readinto(view[filled:])
                if not count:
                    raise ValueError("cut meanwhile")
                filled += count
    return ReadAhead(data, tensors, _digest(data, tensors))


def _tensors(header: dict[str, Any], first: int) -> dict[str, Stored]:
    header.pop("__metadata__", None)
    found: dict[str, Stored] = {}
    for name, each in header.items():
        dtype, size = _DTYPES[each["dtype"]]
        start, end = (first + int(offset) for offset in each["data_offsets"])
        if start % size:
            raise ValueError("numbers across the words of memory")
        found[name] = Stored(dtype, tuple(map(int, each["shape"])), start, end)
    return found


def _digest(data: mmap.mmap, tensors: dict[str, Stored]) -> str:
    """Sum up names, dtypes, shapes and bytes, by name."""
    digest = hashlib.blake2b(digest_size=16)
    with memoryview(data) as view:
        for name in sorted(tensors):
            each = tensors[name]
            digest.update(f"{name}\0torch.{each.dtype}\0{each.shape}\0".encode())
            with view[each.start : each.end] as part:
                digest.update(part)
    return digest.hexdigest()
