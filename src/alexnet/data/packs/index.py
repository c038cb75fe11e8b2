"""The index of a pack: a few columns with a row for each image, compact and checksummed.

Legend: N images.
"""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from alexnet.data.checks.hashing import HASH_BITS
from alexnet.data.sources.listing import Paths
from alexnet.data.sources.names import SPLITS
from alexnet.kernels.late import LateKernels
from alexnet.locks import own_warning_filters

__all__ = ["DIGEST_BYTES", "PackIndex", "content_digests", "read_index", "write_index"]

DIGEST_BYTES = 16
_kernels = LateKernels("blake2", calls=250)  # of several files each

_COLUMNS: dict[str, tuple[str, tuple[int, ...]]] = {
    "letters": ("<u1", ()),
    "ends": ("<i8", ()),
    "labels": ("<i4", ()),
    "splits": ("<u1", ()),
    "sizes": ("<i8", ()),
    "digests": ("<u1", (DIGEST_BYTES,)),
    "checksums": ("<u4", ()),
    "lengths": ("<u4", ()),
    "coefficients": ("<f2", (HASH_BITS,)),
    "times": ("<i8", ()),
}
"""Each column's numbers on disk, and the shape of a row."""

_LENGTHS = "lengths"  # a column of packs of JPEG files alone
_COEFFICIENTS = "coefficients"  # a column that older packs lack
_TIMES = "times"  # likewise
_OPTIONAL = {_LENGTHS, _COEFFICIENTS, _TIMES}


def content_digests(files: list[bytes]) -> NDArray[np.uint8]:
    """Return the BLAKE2b of the contents of n image files, (n, 16) uint8.

    Four files at a time take less than half of the time of four one by one.
    """
    if len(files) > 1 and (kernels := _kernels.get()) is not None:
        return kernels.digests(files)
    digests = [hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest() for data in files]
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, DIGEST_BYTES)


@dataclass(frozen=True)
class PackIndex:
    """What is known of each image besides its pixels, in the order of the shards."""

    paths: Paths  # relative to the source, with "/" between the parts
    labels: NDArray[np.int64]  # (N,) position in the pack's classes
    splits: NDArray[np.uint8]  # (N,) position in SPLITS
    sizes: NDArray[np.int64]  # (N,) bytes of the image file
    digests: NDArray[np.uint8]  # (N, 16) of the image file's content
    checksums: NDArray[np.uint32]  # (N,) CRC-32 of the stored pixels, or of the JPEG file
    lengths: NDArray[np.uint32] | None = None  # (N,) bytes of the JPEG file; None: pixels
    coefficients: NDArray[np.float16] | None = None  # (N, 64), see `hashing`; None: an older pack
    times: NDArray[np.int64] | None = None  # (N,) ms since 1970 when it was taken; 0: unknown

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, kept: NDArray[np.int64]) -> PackIndex:
        """Return what is known of some images.

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
            coefficients=None if self.coefficients is None else self.coefficients[kept],
            times=None if self.times is None else self.times[kept],
        )

    def fingerprint(self, about: str) -> str:
        """Return 32 hex digits that change with anything that training could notice.

        Args:
            about: what else belongs to the identity: classes, size, resize mode.
        """
        state = hashlib.blake2b(about.encode(), digest_size=16)
        for column in (self.paths.ends, self.labels, self.splits, self.digests):
            state.update(np.ascontiguousarray(column).data)
        state.update(self.paths.letters)
        return state.hexdigest()


def write_index(index: PackIndex) -> bytes:
    """Return an index as the bytes of its file, an uncompressed `.npz`."""
    columns: dict[str, NDArray[Any]] = {
        "letters": np.frombuffer(index.paths.letters, dtype=np.uint8),
        "ends": index.paths.ends,
        "labels": index.labels,
        "splits": index.splits,
        "sizes": index.sizes,
        "digests": index.digests,
        "checksums": index.checksums,
    }
    if index.lengths is not None:
        columns[_LENGTHS] = index.lengths
    if index.coefficients is not None:
        columns[_COEFFICIENTS] = index.coefficients
    if index.times is not None:
        columns[_TIMES] = index.times
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
            there = set(members.namelist())
            names = [n for n in _COLUMNS if n not in _OPTIONAL or f"{n}.npy" in there]
            columns = {name: _read_column(members, name, size) for name in names}
    except (OSError, zipfile.BadZipFile) as cause:
        raise ValueError(f"its columns cannot be read ({cause})") from cause
    lengths, coefficients = columns.get(_LENGTHS), columns.get(_COEFFICIENTS)
    times = columns.get(_TIMES)
    index = PackIndex(
        Paths(columns["letters"].tobytes(), columns["ends"].astype(np.int64, copy=False)),
        columns["labels"].astype(np.int64),
        columns["splits"].astype(np.uint8, copy=False),
        columns["sizes"].astype(np.int64, copy=False),
        columns["digests"].astype(np.uint8, copy=False),
        columns["checksums"].astype(np.uint32, copy=False),
        None if lengths is None else lengths.astype(np.uint32, copy=False),
        None if coefficients is None else coefficients.astype(np.float16, copy=False),
        None if times is None else times.astype(np.int64, copy=False),
    )
    _validate(index, classes)
    return index


def _read_column(members: zipfile.ZipFile, name: str, size: int) -> NDArray[Any]:
    """Read one column, which takes no more memory than the file of `size` bytes.

    `np.load` of the whole file would believe the header of a damaged column and ask for any memory.
    """
    try:
        member = members.getinfo(f"{name}.npy")
        if max(member.file_size, member.compress_size) > size:
            raise ValueError("it would be larger than its file")
        with own_warning_filters():  # numpy (2.4) warns of headers that Python 2 wrote
            warnings.simplefilter("ignore")
            with members.open(member) as body:
                column: NDArray[Any] = np.load(body, allow_pickle=False)
    except Exception as cause:  # whatever a damaged file makes zipfile and numpy stumble over
        raise ValueError(f"its column {name} cannot be read ({cause})") from cause
    kind, row = _COLUMNS[name]
    if column.dtype != np.dtype(kind) or column.ndim != 1 + len(row) or column.shape[1:] != row:
        shape = f"(N{''.join(f', {size}' for size in row) or ','})"
        raise ValueError(
            f"{name} holds {column.dtype} of {column.shape}, not {kind[1:]} of {shape}"
        )
    return column


def _validate(index: PackIndex, classes: int) -> None:
    n = len(index)
    columns: dict[str, NDArray[Any]] = {
        "paths": index.paths.ends,
        "splits": index.splits,
        "sizes": index.sizes,
        "digests": index.digests,
        "checksums": index.checksums,
    }
    if index.lengths is not None:
        columns[_LENGTHS] = index.lengths
    if index.coefficients is not None:
        columns[_COEFFICIENTS] = index.coefficients
    if index.times is not None:
        columns[_TIMES] = index.times
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
