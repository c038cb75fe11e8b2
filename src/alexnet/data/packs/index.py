"""The index of a pack: a few columns with a row for each picture, compact and checksummed.

Legend: N pictures.
"""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, overload

import numpy as np
from numpy.typing import NDArray

from alexnet.data.sources.names import SPLITS

__all__ = ["DIGEST_BYTES", "PackIndex", "Paths", "content_digest", "read_index", "write_index"]

DIGEST_BYTES = 16

_COLUMNS: dict[str, tuple[str, tuple[int, ...]]] = {
    "letters": ("<u1", ()),
    "ends": ("<i8", ()),
    "labels": ("<i4", ()),
    "splits": ("<u1", ()),
    "sizes": ("<i8", ()),
    "digests": ("<u1", (DIGEST_BYTES,)),
    "checksums": ("<u4", ()),
    "lengths": ("<u4", ()),
}
"""Each column's numbers on disk, and the shape of a row."""

_OF_FILES = "lengths"  # a column that packs of JPEG files alone have


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
        "ends": index.paths.ends,
        "labels": index.labels,
        "splits": index.splits,
        "sizes": index.sizes,
        "digests": index.digests,
        "checksums": index.checksums,
    }
    if index.lengths is not None:
        columns["lengths"] = index.lengths
    columns = {name: each.astype(_COLUMNS[name][0]) for name, each in columns.items()}
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
        with zipfile.ZipFile(file) as members:
            size = file.seek(0, io.SEEK_END)
            names = [n for n in _COLUMNS if n != _OF_FILES or f"{n}.npy" in members.namelist()]
            columns = {name: _column(members, name, size) for name in names}
    except (OSError, zipfile.BadZipFile) as cause:
        raise ValueError(f"its columns cannot be read ({cause})") from cause
    lengths = columns.get(_OF_FILES)
    index = PackIndex(
        Paths(columns["letters"].tobytes(), columns["ends"].astype(np.int64, copy=False)),
        columns["labels"].astype(np.int64),
        columns["splits"].astype(np.uint8, copy=False),
        columns["sizes"].astype(np.int64, copy=False),
        columns["digests"].astype(np.uint8, copy=False),
        columns["checksums"].astype(np.uint32, copy=False),
        None if lengths is None else lengths.astype(np.uint32, copy=False),
    )
    _check(index, classes)
    return index


def _column(members: zipfile.ZipFile, name: str, size: int) -> NDArray[Any]:
    """Read one column, which takes no more memory than the file of `size` bytes."""
    try:
        member = members.getinfo(f"{name}.npy")
        if max(member.file_size, member.compress_size) > size:
            raise ValueError("it would be larger than its file")
        with warnings.catch_warnings():  # numpy's remarks on headers of another make
            warnings.simplefilter("ignore")
            with members.open(member) as body:
                found: NDArray[Any] = np.load(body, allow_pickle=False)
    except Exception as cause:  # whatever a damaged file makes zipfile and numpy stumble over
        raise ValueError(f"its column {name} cannot be read ({cause})") from cause
    kind, row = _COLUMNS[name]
    if found.dtype != np.dtype(kind) or found.ndim != 1 + len(row) or found.shape[1:] != row:
        shape = f"(N{''.join(f', {each}' for each in row) or ','})"
        raise ValueError(f"{name} holds {found.dtype} of {found.shape}, not {kind[1:]} of {shape}")
    return found


def _check(index: PackIndex, classes: int) -> None:
    n = len(index)
    columns = {
        "paths": index.paths.ends,
        "splits": index.splits,
        "sizes": index.sizes,
        "digests": index.digests,
        "checksums": index.checksums,
    }
    if index.lengths is not None:
        columns[_OF_FILES] = index.lengths
    for name, column in columns.items():
        if len(column) != n:
            raise ValueError(f"{name} has {len(column):,} rows, not {n:,}")
    if n and not 0 <= index.labels.min() <= index.labels.max() < classes:
        raise ValueError(f"a label is not one of its {classes} classes")
    if n and index.splits.max() >= len(SPLITS):
        raise ValueError("a split is none")
    ends = np.concatenate([[0], index.paths.ends, [len(index.paths.letters)]])
    if n and (ends[1:] < ends[:-1]).any():
        raise ValueError("the paths do not follow each other")
