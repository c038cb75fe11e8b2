"""The index of a pack: a few columns with a row for each picture, compact and checksummed.

Legend: N pictures.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["DIGEST_BYTES", "PackIndex", "Paths", "content_digest", "read_index", "write_index"]

DIGEST_BYTES = 16

_UNREADABLE = (
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise for files that are not theirs."""


def content_digest(data: bytes) -> bytes:
    """Return the 16 bytes by which a picture file's content is known (BLAKE2b)."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()


class Paths(Sequence[str]):
    """Many texts in two arrays: a million paths take the room of their letters.

    Args:
        letters: all texts in UTF-8, one after another.
        ends: (N,) where each text ends in `letters`.
    """

    def __init__(self, letters: bytes, ends: NDArray[np.int64]) -> None:
        self.letters = letters
        self.ends = ends

    @classmethod
    def of(cls, texts: Iterable[str]) -> Paths:
        """Store some texts; those that are no valid Unicode keep their bytes."""
        encoded = [text.encode("utf-8", "surrogateescape") for text in texts]
        lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
        return cls(b"".join(encoded), np.cumsum(lengths))

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        start = int(self.ends[place - 1]) if place else 0
        return self.letters[start : int(self.ends[place])].decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        start = 0
        for end in self.ends.tolist():
            yield self.letters[start:end].decode("utf-8", "surrogateescape")
            start = end

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Paths):
            return NotImplemented
        return self.letters == other.letters and np.array_equal(self.ends, other.ends)

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # holds arrays


@dataclass(frozen=True)
class PackIndex:
    """What is known of each picture besides its pixels, in the order of the shards."""

    paths: Paths  # relative to the source, with "/" between the parts
    labels: NDArray[np.int64]  # (N,) position in the pack's classes
    splits: NDArray[np.uint8]  # (N,) position in SPLITS
    sizes: NDArray[np.int64]  # (N,) bytes of the picture file
    digests: NDArray[np.uint8]  # (N, 16) of the picture file's content
    checksums: NDArray[np.uint32]  # (N,) CRC-32 of the stored pixels, or of the JPEG file
    lengths: NDArray[np.uint32] | None = None  # (N,) bytes of the JPEG file; None: pixels

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, kept: NDArray[np.int64]) -> PackIndex:
        """Return what is known of some pictures.

        Args:
            kept: (n,) positions in this index.
        """
        chosen: list[int] = kept.tolist()
        return PackIndex(
            Paths.of(self.paths[i] for i in chosen),
            self.labels[kept],
            self.splits[kept],
            self.sizes[kept],
            self.digests[kept],
            self.checksums[kept],
        )

    def fingerprint(self, about: str) -> str:
        """Return 32 hex digits that change with anything that training could notice.

        Args:
            about: what else belongs to the identity: classes, size, fit.
        """
        found = hashlib.blake2b(about.encode(), digest_size=16)
        for column in (self.paths.ends, self.labels, self.splits, self.digests):
            found.update(np.ascontiguousarray(column).data)
        found.update(self.paths.letters)
        return found.hexdigest()


def write_index(index: PackIndex) -> bytes:
    """Return an index as the bytes of its file, an uncompressed `.npz`."""
    columns = {
        "letters": np.frombuffer(index.paths.letters, dtype=np.uint8),
        "ends": index.paths.ends.astype("<i8"),
        "labels": index.labels.astype("<i4"),
        "splits": index.splits,
        "sizes": index.sizes.astype("<i8"),
        "digests": index.digests,
        "checksums": index.checksums.astype("<u4"),
    }
    if index.lengths is not None:
        columns["lengths"] = index.lengths.astype("<u4")
    file = io.BytesIO()
    np.savez(file, **columns)  # pyright: ignore[reportArgumentType]
    return file.getvalue()


def read_index(file: IO[bytes], classes: int) -> PackIndex:
    """Read what `write_index` gave, column by column, so that little more memory is taken.

    Args:
        file: open at its beginning.
        classes: how many there are; labels must lie under it.

    Raises:
        ValueError: the columns are damaged or do not belong together.
    """
    try:
        with np.load(file, allow_pickle=False) as found:

            def column(name: str, kind: Any) -> NDArray[Any]:
                return found[name].astype(kind, copy=False)

            index = PackIndex(
                Paths(column("letters", np.uint8).tobytes(), column("ends", np.int64)),
                column("labels", np.int64),
                column("splits", np.uint8),
                column("sizes", np.int64),
                column("digests", np.uint8),
                column("checksums", np.uint32),
                column("lengths", np.uint32) if "lengths" in found.files else None,
            )
    except _UNREADABLE as cause:
        raise ValueError(f"its columns cannot be read ({cause})") from cause
    _check(index, classes)
    return index


def _check(index: PackIndex, classes: int) -> None:
    n = len(index)
    shapes = {
        "paths": (index.paths.ends.shape, (n,)),
        "splits": (index.splits.shape, (n,)),
        "sizes": (index.sizes.shape, (n,)),
        "digests": (index.digests.shape, (n, DIGEST_BYTES)),
        "checksums": (index.checksums.shape, (n,)),
    }
    if index.lengths is not None:
        shapes["lengths"] = (index.lengths.shape, (n,))
    for name, (found, wanted) in shapes.items():
        if found != wanted:
            raise ValueError(f"{name} has the shape {found}, not {wanted}")
    if n and not 0 <= index.labels.min() <= index.labels.max() < classes:
        raise ValueError(f"a label is not one of its {classes} classes")
    ends = index.paths.ends
    inside = not n or (ends[0] >= 0 and ends[-1] <= len(index.paths.letters))
    if not inside or (ends[1:] < ends[:-1]).any():
        raise ValueError("the paths do not follow each other")
