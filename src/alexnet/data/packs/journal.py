"""The journal of a packing that is under way: finished shards, one checksummed line each.

A packing that was killed goes on behind the last line that is whole.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.data.checks.hashing import HASH_BITS
from alexnet.data.packs.index import DIGEST_BYTES
from alexnet.data.packs.shards import Shard
from alexnet.files import append_flushed

__all__ = ["JOURNAL", "FinishedShard", "append_line", "read_lines"]

JOURNAL = "packing.journal"


@dataclass(frozen=True)
class FinishedShard:
    """What came of one range of the source's images."""

    shard: Shard | None  # None: not one of its images could be read
    first: int  # index of its first image in the source
    indices: NDArray[np.int64]  # (n,) images of the source that are in the shard
    digests: NDArray[np.uint8]  # (n, 16)
    checksums: NDArray[np.uint32]  # (n,)
    skipped: list[tuple[int, str]]  # index in the source and reason
    lengths: NDArray[np.uint32] | None = None  # (n,) bytes of each JPEG file; None: pixels
    coefficients: NDArray[np.float16] | None = None  # (n, 64); None: an older version began it
    times: NDArray[np.int64] | None = None  # (n,) see `PackIndex`; None: likewise

    def to_json(self) -> dict[str, Any]:
        """Return plain values; the columns as hex digits."""
        lengths = {} if self.lengths is None else {"lengths": self.lengths.tolist()}
        coefficients = self.coefficients
        words = {} if coefficients is None else {"coefficients": _hex(coefficients, "<f2")}
        times = {} if self.times is None else {"times": self.times.tolist()}
        return {
            "shard": None if self.shard is None else self.shard.name,
            "first": self.first,
            "images": len(self.indices) + len(self.skipped),
            "digests": self.digests.tobytes().hex(),
            "checksums": _hex(self.checksums, "<u4"),
            "skipped": self.skipped,
            **lengths,
            **words,
            **times,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FinishedShard:
        """Read what `to_json` gave."""
        skipped = [(int(index), str(reason)) for index, reason in values["skipped"]]
        first = int(values["first"])
        images = np.arange(first, first + int(values["images"]))
        indices = np.setdiff1d(images, [index for index, _ in skipped])
        digests = np.frombuffer(bytes.fromhex(values["digests"]), np.uint8)
        checksums = np.frombuffer(bytes.fromhex(values["checksums"]), "<u4")
        return cls(
            None if values["shard"] is None else Shard(values["shard"], len(indices)),
            first,
            indices.astype(np.int64),
            digests.reshape(len(indices), DIGEST_BYTES),
            checksums.astype(np.uint32),
            skipped,
            np.asarray(values["lengths"], dtype=np.uint32) if "lengths" in values else None,
            _coefficients(values["coefficients"]) if "coefficients" in values else None,
            np.asarray(values["times"], dtype=np.int64) if "times" in values else None,
        )


def _hex(column: NDArray[Any], kind: str) -> str:
    return column.astype(kind).tobytes().hex()


def _coefficients(text: str) -> NDArray[np.float16]:
    return np.frombuffer(bytes.fromhex(text), "<f2").astype(np.float16).reshape(-1, HASH_BITS)


def append_line(path: Path, values: dict[str, Any]) -> None:
    """Add one line to a journal and flush it to the disk."""
    text = json.dumps(values)
    append_flushed(path, f"{zlib.crc32(text.encode()):08x} {text}\n".encode())


def read_lines(path: Path, *, mend: bool = False) -> list[dict[str, Any]]:
    """Return the whole lines of a journal, up to the first that is damaged or cut off.

    Args:
        path: of the journal; a missing one has no lines.
        mend: cut off what is behind the last whole line; only for the one process that writes.
    """
    if not path.is_file():
        return []
    lines: list[dict[str, Any]] = []
    whole = 0
    data = path.read_bytes()
    for line in data.splitlines(keepends=True):
        checksum, _, text = line.partition(b" ")
        if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text[:-1]):
            break
        lines.append(json.loads(text))
        whole += len(line)
    if mend and whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
    return lines
