"""A checkpoint: all that shapes the rest of a run, in one file with a checksum; when one is due.

It is a safetensors file, so that others can read it: the tensors, the plain state as JSON in the
header, and there too the BLAKE2b digest of the file as it is with zeros in place of the digest. It
is written tensor by tensor, so that no second copy of them is needed.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from alexnet.errors import RecipeError, RunError
from alexnet.files import replace_file

__all__ = [
    "Checkpoint",
    "SaveEvery",
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
    """Tensors by name, and a state of plain values that JSON can hold exactly."""

    tensors: Mapping[str, Tensor]
    state: dict[str, Any]


def network_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return those of a checkpoint's tensors that are the network's, by their names there."""
    prefix = "network."
    return {
        name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)
    }


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint beside, flush it to disk and rename it.

    Raises:
        RunError: the disk refuses; what was at `path` is untouched.
    """
    tensors = dict(sorted(checkpoint.tensors.items(), key=_by_size))
    header = _header(tensors, json.dumps(checkpoint.state))

    def write(file: BinaryIO) -> None:
        digest = hashlib.blake2b(header, digest_size=_DIGITS // 2)
        file.write(header)
        for tensor in tensors.values():
            data = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data
            digest.update(data)
            file.write(data)
        file.seek(header.index(_UNKNOWN))
        file.write(digest.hexdigest().encode())

    replace_file(path, write)


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
