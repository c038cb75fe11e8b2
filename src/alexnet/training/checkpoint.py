"""A checkpoint: all that shapes the rest of a run, in one file with a checksum; when one is due.

It is a safetensors file, so that others can read it: the tensors, the plain state as JSON in the
header, and there too the BLAKE2b digest of the file as it is with zeros in place of the digest. It
is written tensor by tensor, and the digest is made of what was written: no second copy of the
tensors is needed, and they themselves only as long as writing takes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from alexnet.errors import RecipeError, RunError
from alexnet.files import replace_file

__all__ = [
    "Checkpoint",
    "SaveEvery",
    "WrittenTensor",
    "network_tensors",
    "read_checkpoint",
    "read_state",
    "write_checkpoint",
]

_DIGITS = 64
_UNKNOWN = b"0" * _DIGITS  # stands for the digest while it is computed
_HEADER_BYTES = 64 << 20  # more than any network needs; a damaged length must not fill memory
_PORTION_BYTES = 1 << 20
_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_SAVE_EVERY = re.compile(r"\s*([0-9.eE+-]+)\s*(m|min|minute|minutes|step|steps)?\s*")


@dataclass(frozen=True)
class SaveEvery:
    """How often a checkpoint is saved within an epoch: by the clock, or by steps."""

    minutes: float = math.inf
    steps: int | None = None

    @classmethod
    def parse(cls, text: float | str) -> SaveEvery:
        """Read minutes (10, "10", "10 min") or steps ("500 steps").

        Raises:
            RecipeError: it is neither, or not above 0.
        """
        match = _SAVE_EVERY.fullmatch(str(text))
        number = _number(match[1]) if match else None
        if match and number is not None and 0 < number < math.inf:
            if not (match[2] or "").startswith("step"):
                return cls(minutes=number)
            if number == int(number):
                return cls(steps=int(number))
        raise RecipeError(
            "save_every must be minutes above 0, such as 10 or 0.5, or whole steps, such as "
            f'"500 steps"; got {text!r}.'
        )

    def is_due(self, step: int, seconds: float) -> bool:
        """Say whether to save after a step (counted from 1), so long after the last save."""
        return seconds >= 60 * self.minutes or bool(self.steps and step % self.steps == 0)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@dataclass
class Checkpoint:
    """Tensors by name, and a state of plain values that JSON can hold exactly.

    Attributes:
        tensors: of the network and the optimizer.
        state: all else.
        held: names of tensors that stay as they are until the stepper is told that they were
            written (see `Stepper.hold`), so that nobody needs to copy them.
    """

    tensors: Mapping[str, Tensor]
    state: dict[str, Any]
    held: frozenset[str] = frozenset()


@dataclass(frozen=True)
class WrittenTensor:
    """A tensor that lies in a file which is being written; gone when the file is closed."""

    dtype: torch.dtype
    shape: torch.Size
    descriptor: int
    start: int  # in the file, bytes
    size: int  # bytes

    def portions(self) -> Generator[bytes]:
        """Yield its bytes, one portion after the other."""
        return _read_portions(self.descriptor, self.start, self.start + self.size)


T = TypeVar("T")


def network_tensors(tensors: Mapping[str, T]) -> dict[str, T]:
    """Return those of a checkpoint's tensors that are the network's, by their names there."""
    prefix = "network."
    return {
        name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)
    }


def write_checkpoint(
    path: Path,
    checkpoint: Checkpoint,
    *,
    written: Callable[[dict[str, WrittenTensor]], None] | None = None,
) -> None:
    """Write a checkpoint beside, flush it to disk and rename it.

    Args:
        path: the file to make or replace.
        checkpoint: what to write.
        written: called when all tensors were written, and may change; with where they lie in the
            file that is not whole yet.

    Raises:
        RunError: the disk refuses; what was at `path` is untouched.
    """
    tensors = dict(sorted(checkpoint.tensors.items(), key=_by_size))
    header = _header(tensors, json.dumps(checkpoint.state))

    def write(file: BinaryIO) -> None:
        file.write(header)
        for tensor in tensors.values():
            file.write(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        file.flush()
        places = _places(file.fileno(), tensors, len(header))
        if written is not None:
            written(places)
        digest = hashlib.blake2b(header, digest_size=_DIGITS // 2)
        for place in places.values():
            for portion in place.portions():
                digest.update(portion)
        file.seek(header.index(_UNKNOWN))
        file.write(digest.hexdigest().encode())

    replace_file(path, write)


def _places(descriptor: int, tensors: Mapping[str, Tensor], start: int) -> dict[str, WrittenTensor]:
    """Return where tensors lie that were written one after the other, from `start` on."""
    places: dict[str, WrittenTensor] = {}
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        places[name] = WrittenTensor(tensor.dtype, tensor.shape, descriptor, start, size)
        start += size
    return places


def _read_portions(descriptor: int, start: int, end: int) -> Generator[bytes]:
    """Read a part of an open file, whose position may be anywhere afterwards."""
    while start < end:
        size = min(_PORTION_BYTES, end - start)
        if hasattr(os, "pread"):
            portion = os.pread(descriptor, size, start)
        else:  # Windows
            os.lseek(descriptor, start, os.SEEK_SET)
            portion = os.read(descriptor, size)
        if not portion:
            raise OSError(errno.EIO, "what was written cannot be read back")
        yield portion
        start += len(portion)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, every byte of it checked against its digest.

    Raises:
        RunError: it is damaged, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            header = _read_header(file)
            start = header.index(b'"digest": "') + 11
            recorded = header[start : start + _DIGITS]
            digest = hashlib.blake2b(
                header[:start] + _UNKNOWN + header[start + _DIGITS :], digest_size=_DIGITS // 2
            )
            while portion := file.read(_PORTION_BYTES):
                digest.update(portion)
        if digest.hexdigest().encode() != recorded:
            raise ValueError
        with cast("Any", safe_open)(path, framework="pt", device="cpu") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        return Checkpoint(tensors, _state(header))
    except OSError as cause:
        raise RunError(f"The checkpoint {path} cannot be read: {cause.strerror}.") from cause
    except (ValueError, KeyError, TypeError, SafetensorError) as cause:
        raise RunError(f"The checkpoint {path} is damaged: its checksum does not fit.") from cause


def read_state(path: Path) -> dict[str, Any]:
    """Return the plain state alone, unverified; empty where the file is damaged or gone."""
    try:
        with path.open("rb") as file:
            return _state(_read_header(file))
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _by_size(item: tuple[str, Tensor]) -> tuple[int, str]:
    """Order tensors so that each lies at a multiple of its numbers' size."""
    name, tensor = item
    return -tensor.element_size(), name


def _header(tensors: Mapping[str, Tensor], state: str) -> bytes:
    """Return length and header as safetensors has them, the digest still unknown."""
    values: dict[str, Any] = {"__metadata__": {"digest": _UNKNOWN.decode(), "state": state}}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.numel() * tensor.element_size()
        values[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(values).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _read_header(file: BinaryIO) -> bytes:
    length = file.read(8)
    size = int.from_bytes(length, "little")
    if size > _HEADER_BYTES:
        raise ValueError("no header")
    return length + file.read(size)


def _state(header: bytes) -> dict[str, Any]:
    return json.loads(json.loads(header[8:])["__metadata__"]["state"])
