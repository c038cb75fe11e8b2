"""Features on disk, written as they come: NumPy's .npz and Parquet."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import AlexNetError, RecipeError
from alexnet.files import replace_file

__all__ = ["FeatureRows", "feature_writer"]


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
        "pandas and others the second."
    )


def _write_npz(file: BinaryIO, rows: Iterator[FeatureRows], folder: Path) -> None:
    """Write the arrays features (N, D) float32, paths, labels, classes and splits.

    The shape stands before the numbers, so that these wait in a nameless file until it is known.
    """
    texts: dict[str, list[str]] = {"paths": [], "classes": [], "splits": []}
    labels: list[NDArray[np.int64]] = []
    count = width = 0
    with tempfile.TemporaryFile(dir=folder) as waiting:
        for part in rows:
            waiting.write(np.ascontiguousarray(part.features, dtype="<f4").data)
            count, width = count + len(part.features), part.features.shape[1]
            labels.append(part.labels)
            texts["paths"] += part.paths
            texts["classes"] += part.classes
            texts["splits"] += part.splits
        waiting.seek(0)
        with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
            with _entry(archive, "features") as entry:
                head = {"descr": "<f4", "fortran_order": False, "shape": (count, width)}
                np.lib.format.write_array_header_1_0(entry, head)
                shutil.copyfileobj(waiting, entry, 1 << 20)
            arrays = {name: np.array(values) for name, values in texts.items()}
            for name, array in {"labels": np.concatenate(labels), **arrays}.items():
                with _entry(archive, name) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)


def _entry(archive: zipfile.ZipFile, name: str) -> Any:
    """Open an entry with a fixed date, so that equal features give equal bytes."""
    return archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)


def _write_parquet(file: BinaryIO, rows: Iterator[FeatureRows]) -> None:
    """Write the columns path, label, class, split and features (D float32 numbers each)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = cast("Any", pa)
    writer: Any = None
    try:
        for part in rows:
            table = arrow.table(_columns(part, arrow))
            writer = writer or pq.ParquetWriter(file, table.schema)
            writer.write_table(table)
    finally:  # also after an error: else it writes when the file is closed already
        if writer is not None:
            writer.close()


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
