"""The tensors of a safetensors file, written and read one after the other, without a second copy.

`safetensors.torch.save` makes the whole file in memory first, twice; the bytes here are the same.
Its reader maps the file, which counts as memory of the process, beside the copy that is made of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import torch
from torch import Tensor

__all__ = ["MemoryTensor", "StoredTensor", "read_tensors", "write_tensors"]

_NAMES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.float8_e5m2: "F8_E5M2",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.int16: "I16",
    torch.uint16: "U16",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int32: "I32",
    torch.uint32: "U32",
    torch.float32: "F32",
    torch.complex64: "C64",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.uint64: "U64",
}
"""Of the types in a file, in the order of their tensors there from last to first."""

_RANKS = {dtype: rank for rank, dtype in enumerate(_NAMES)}


_DTYPES = {name: dtype for dtype, name in _NAMES.items()}
_LENGTH_BYTES = 8  # of the number that a safetensors file begins with


class StoredTensor(Protocol):
    """A tensor whose bytes, in rows and without gaps, come in portions."""

    @property
    def dtype(self) -> torch.dtype: ...  # noqa: D102
    @property
    def shape(self) -> torch.Size: ...  # noqa: D102
    def portions(self) -> Iterable[bytes | memoryview]: ...  # noqa: D102


@dataclass(frozen=True)
class MemoryTensor:
    """A tensor in memory, whose bytes are one portion."""

    tensor: Tensor

    @property
    def dtype(self) -> torch.dtype:
        """Of its numbers."""
        return self.tensor.dtype

    @property
    def shape(self) -> torch.Size:
        """The sizes of its axes."""
        return self.tensor.shape

    def portions(self) -> Iterator[memoryview]:
        """Yield its bytes: where they lie in rows without gaps, they are not copied."""
        rows = self.tensor.detach().cpu().contiguous()
        yield rows.reshape(-1).view(torch.uint8).numpy().data


def write_tensors(
    file: BinaryIO, tensors: Mapping[str, StoredTensor], metadata: Mapping[str, str]
) -> None:
    """Write a safetensors file, as `safetensors.torch.save` would have it.

    Args:
        file: open, and empty.
        tensors: by name.
        metadata: of the header.
    """
    names = sorted(tensors, key=lambda name: (-_RANKS[tensors[name].dtype], name.encode()))
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name in names:
        dtype, shape = tensors[name].dtype, tensors[name].shape
        start, end = end, end + shape.numel() * dtype.itemsize
        header[name] = {
            "dtype": _NAMES[dtype],
            "shape": list(shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in names:
        for portion in tensors[name].portions():
            file.write(portion)


def read_tensors(path: Path, opened: Any) -> dict[str, Tensor]:
    """Read every tensor of a safetensors file into memory of its own.

    Views of the mapped file, as safetensors hands them out, would end the process with SIGBUS when
    somebody cuts the file later.

    Args:
        path: the file.
        opened: the same file, by `safetensors.safe_open`, which has checked its header.

    Raises:
        ValueError: the file was changed since it was opened.
    """
    tensors: dict[str, Tensor] = {}
    with path.open("rb", buffering=0) as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        header: dict[str, Any] = json.loads(file.read(length))
        for name in opened.keys():  # noqa: SIM118
            entry = header[name]
            if entry["dtype"] not in _DTYPES:
                tensors[name] = opened.get_tensor(name).clone()
                continue
            start, end = entry["data_offsets"]
            tensors[name] = torch.empty(entry["shape"], dtype=_DTYPES[entry["dtype"]])
            file.seek(_LENGTH_BYTES + length + start)
            _fill(tensors[name], file, end - start)
    return tensors


def _fill(tensor: Tensor, file: Any, size: int) -> None:
    """Read so many bytes into a tensor."""
    memory = memoryview(tensor.reshape(-1).view(torch.uint8).numpy().data)
    if len(memory) != size:
        raise ValueError("a tensor has another size than its shape says")
    while len(memory):
        count = file.readinto(memory)
        if not count:
            raise ValueError("it ends early")
        memory = memory[count:]
