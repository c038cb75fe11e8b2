"""A weights file as it lies on the disk, mapped into memory: its header is read, torch is not.

What cannot be read so, whatever the reason, is left to `load_weights`, which says what is wrong.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import AlexNetError, WeightsError
from alexnet.files import as_path
from alexnet.images import Preprocessing
from alexnet.weights.header import MEAN, read_header
from alexnet.weights.location import weights_file

__all__ = ["FileIdentity", "MappedWeights", "checksum", "map_file", "map_weights"]

_LENGTH_BYTES = 8  # of the number that a safetensors file begins with
_MOST_HEADER_BYTES = 64 << 20
_FLOAT32 = "F32"
_ROW_WORDS = 8192
_SETTLED_NS = 2_000_000_000
"""How old a file's times must be: those of FAT are counted in steps of two seconds."""


@dataclass(frozen=True)
class FileIdentity:
    """What the system says of a file, and what changes whenever its content does."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int  # which no program can set

    @classmethod
    def of(cls, status: os.stat_result) -> FileIdentity:
        """Return the identity of a file by its status."""
        return cls(
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        )

    def is_settled(self) -> bool:
        """Whether a change from now on would get another time than the last one."""
        return max(self.mtime_ns, self.ctime_ns) + _SETTLED_NS < time.time_ns()


@dataclass(frozen=True, eq=False)
class MappedWeights:
    """The checked header of a weights file, and its bytes."""

    path: Path
    header: dict[str, Any]  # as `read_header` gives it
    preprocessing: Preprocessing
    data: mmap.mmap
    header_bytes: int  # up to where the tensors begin
    identity: FileIdentity  # when it was mapped
    settled: bool  # whether any change since then shows in its identity

    @property
    def header_digest(self) -> str:
        """32 hex digits that change with anything in the header, the tensors' digest included."""
        return hashlib.blake2b(self.data[: self.header_bytes], digest_size=16).hexdigest()

    def tensor_places(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """Return offset in the file and shape of each tensor that is kept in float32."""
        return _places(_tensors(self.data, self.header_bytes), self.header_bytes)

    def is_unchanged(self) -> bool:
        """Whether the path still leads to these bytes."""
        try:
            return FileIdentity.of(self.path.stat()) == self.identity
        except OSError:
            return False


def map_weights(path: Path | str) -> MappedWeights | None:
    """Map a weights file, a run folder's, or weights known by a name; None: it cannot be used so.

    Its tensors are not held against their digest, which would take longer than to predict an image.
    """
    try:
        file = weights_file(as_path(path, WeightsError, "A weights file"))
        with file.open("rb") as opened:
            identity = FileIdentity.of(os.fstat(opened.fileno()))
            settled = identity.is_settled()
            data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        length = int.from_bytes(data[:_LENGTH_BYTES], "little")
        if length > _MOST_HEADER_BYTES or length + _LENGTH_BYTES > len(data):
            return None
        header_bytes = _LENGTH_BYTES + length
        tensors = _tensors(data, header_bytes)
        header = read_header(tensors.pop("__metadata__", None), file)
        mean = _mean(data, _places(tensors, header_bytes))
        preprocessing = Preprocessing.from_json(header["preprocessing"], mean)
    except (AlexNetError, OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return MappedWeights(file, header, preprocessing, data, header_bytes, identity, settled)


def map_file(path: Path) -> mmap.mmap:
    """Map a file for reading.

    Raises:
        OSError, ValueError: it cannot be opened, or is empty.
    """
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def checksum(data: mmap.mmap) -> str:
    """Return 32 hex digits that change with any damage to bytes, at the speed of memory.

    A digest of the sums of 64 KiB each: a sixth of the time of a digest of the bytes. Whoever wants
    to can find other bytes with the same sums; disks and programs do not.
    """
    rows = len(data) // (8 * _ROW_WORDS)
    words = np.frombuffer(data, dtype=np.uint64, count=rows * _ROW_WORDS)
    sums = np.add.reduce(words.reshape(rows, _ROW_WORDS), axis=1)
    digest = hashlib.blake2b(len(data).to_bytes(8, "little"), digest_size=16)
    digest.update(sums.tobytes())
    digest.update(data[8 * rows * _ROW_WORDS :])
    return digest.hexdigest()


def _tensors(data: mmap.mmap, header_bytes: int) -> dict[str, Any]:
    values: object = json.loads(data[_LENGTH_BYTES:header_bytes])
    if not isinstance(values, dict):
        raise TypeError("a header is an object")
    return cast("dict[str, Any]", values)


def _places(tensors: dict[str, Any], header_bytes: int) -> dict[str, tuple[int, tuple[int, ...]]]:
    return {
        name: (header_bytes + int(each["data_offsets"][0]), tuple(map(int, each["shape"])))
        for name, each in tensors.items()
        if name != "__metadata__" and each["dtype"] == _FLOAT32
    }


def _mean(
    data: mmap.mmap, places: dict[str, tuple[int, tuple[int, ...]]]
) -> NDArray[np.float32] | None:
    if MEAN not in places:
        return None
    offset, shape = places[MEAN]
    numbers = np.frombuffer(data, dtype=np.float32, count=math.prod(shape), offset=offset)
    return numbers.reshape(shape).copy()
