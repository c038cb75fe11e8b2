"""Features on disk, written as they come: NumPy's .npz and Parquet."""

from __future__ import annotations

import math
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import AlexNetError, RecipeError
from alexnet.files import replace_file

__all__ = ["FeatureRows", "feature_writer"]

_GROUP_BYTES = 16 << 20
"""Numbers that are written to a Parquet file at once."""


@dataclass(frozen=True)
class FeatureRows:
    """Some rows of the table, n of them."""

    features: NDArray[np.float32]  # (n, D)
    paths: list[str]
    labels: NDArray[np.int64]  # (n,) positions in the source's classes
    classes: list[str]
    splits: list[str]  # "train", "val", "test" or "" where the source has none


def feature_writer(out: Path) -> Callable[[Iterator[FeatureRows]], None]:
    """Return the function that writes rows to `out`, chosen by its suffix.

    Rows go to disk as they come; `out` appears when all are there.

    Raises:
        RecipeError: another suffix than `.npz` and `.parquet`.
        AlexNetError: pyarrow is missing for Parquet.
    """
    if out.suffix == ".npz":
        return lambda rows: replace_file(out, lambda file: _write_npz(file, rows, out.parent))
    if out.suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401  # pyright: ignore[reportUnusedImport]
        except ImportError:
            raise AlexNetError(
                'Parquet files need pyarrow: pip install "alexnet[tables]", or write .npz.'
            ) from None
        return lambda rows: replace_file(out, lambda file: _write_parquet(file, rows))
    raise RecipeError(
        f'out must end in .npz or .parquet; got "{out}". NumPy reads the first, '
        "pandas and others the second. A head is stored as .safetensors: add --head."
    )


def _write_npz(file: BinaryIO, rows: Iterator[FeatureRows], folder: Path) -> None:
    """Write the arrays features (N, D) float32, labels, paths, classes and splits.

    How many rows there are and how long the longest text is stands before the numbers, so that
    every array waits in a nameless file until that is known.
    """
    with ExitStack() as stack:
        names = ("features", "labels", "paths", "classes", "splits")
        columns = {
            name: _Column(stack.enter_context(tempfile.TemporaryFile(dir=folder))) for name in names
        }
        for part in rows:
            columns["features"].add(np.ascontiguousarray(part.features, dtype="<f4"))
            columns["labels"].add(part.labels)
            for name in names[2:]:
                columns[name].add(np.array(getattr(part, name), dtype=np.str_))
        with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
            for name, column in columns.items():
                # A fixed date, so that equal features give equal bytes.
                entry = archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)
                with entry:
                    column.write_to(cast("BinaryIO", entry))


class _Column:
    """An array that comes in parts and waits on the disk until all are there."""

    def __init__(self, waiting: IO[bytes]) -> None:
        self._file = waiting
        self._parts: list[tuple[np.dtype[Any], tuple[int, ...]]] = []

    def add(self, part: NDArray[Any]) -> None:
        """Take the next rows: of the same shape but for their number, texts of any length."""
        self._parts.append((part.dtype, part.shape))
        self._file.write(part.tobytes())

    def write_to(self, entry: BinaryIO) -> None:
        """Write NumPy's header and the rows, every text as wide as the longest one."""
        dtype = np.result_type(*{kind for kind, _ in self._parts})
        count = sum(shape[0] for _, shape in self._parts)
        head = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": (count, *self._parts[0][1][1:]),
        }
        np.lib.format.write_array_header_1_0(entry, head)
        self._file.seek(0)
        for kind, shape in self._parts:
            data = self._file.read(math.prod(shape) * kind.itemsize)
            entry.write(np.frombuffer(data, dtype=kind).astype(dtype, copy=False).tobytes())


def _write_parquet(file: BinaryIO, rows: Iterator[FeatureRows]) -> None:
    """Write the columns path, label, class, split and features (D float32 numbers each)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = cast("Any", pa)
    writer: Any = None
    try:
        for group in _groups(rows):
            table = arrow.concat_tables([arrow.table(_columns(part, arrow)) for part in group])
            writer = writer or pq.ParquetWriter(file, table.schema)
            writer.write_table(table)
    finally:  # also after an error: else it writes when the file is closed already
        if writer is not None:
            writer.close()


def _groups(rows: Iterator[FeatureRows]) -> Iterator[list[FeatureRows]]:
    """Gather rows to groups of some size: the end of a file describes each of its groups."""
    waiting: list[FeatureRows] = []
    for part in rows:
        waiting.append(part)
        if sum(each.features.nbytes for each in waiting) >= _GROUP_BYTES:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _columns(part: FeatureRows, arrow: Any) -> dict[str, Any]:
    flat = arrow.array(np.ascontiguousarray(part.features).reshape(-1))
    return {
        "path": [_utf8(path) for path in part.paths],
        "label": part.labels,
        "class": [_utf8(name) for name in part.classes],
        "split": part.splits,
        "features": arrow.FixedSizeListArray.from_arrays(flat, part.features.shape[1]),
    }


def _utf8(text: str) -> str:
    """Replace the bytes of a file name that are no UTF-8: Parquet has no place for them."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
