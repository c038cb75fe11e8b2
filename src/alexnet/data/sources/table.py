"""Tables as sources: a CSV or Parquet file that names each image and its label.

Columns: `path` (relative to the table's folder, or absolute), `label` (any text or number), and,
where there is one, `split` (train, val or test). Other columns are passed over.

Legend: N rows.
"""

from __future__ import annotations

import csv
import importlib
import os
import stat
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from alexnet.data.sources.folder import FolderReader
from alexnet.data.sources.listing import FileListing, Paths
from alexnet.data.sources.names import SPLITS, natural_key, split_code
from alexnet.errors import SourceError, did_you_mean

__all__ = ["PARQUET", "Table", "looks_like_table", "read_table"]

PARQUET = b"PAR1"
"""First bytes of a Parquet file."""

_REQUIRED = ("path", "label")
_DELIMITERS = ",;\t|"
_MAX_HEADER_LETTERS = 1 << 20
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_Row = tuple[str, str, str, str | None]
"""Which row ("line 7"), path, label, split (None: there is no such column)."""


@dataclass(frozen=True, eq=False)
class Table:
    """What a table says, row by row in its own order."""

    files: FileListing  # (N,)
    classes: tuple[str, ...]
    labels: NDArray[np.int64]  # (N,) positions in `classes`
    splits: NDArray[np.uint8]  # (N,) positions in `SPLITS`


def looks_like_table(where: Path, start: bytes) -> bool:
    """Whether a file is meant as a CSV table: by its name, or by the names of its columns.

    Args:
        where: the file.
        start: its first bytes.
    """
    if where.suffix.lower() in (".csv", ".tsv", ".tab", ".txt"):
        return bool(start)
    names = _column_names(start.decode("utf-8-sig", "replace").splitlines()[0] if start else "")[0]
    return {*_REQUIRED} <= {_plain(name) for name in names}


def read_table(where: Path, *, parquet: bool) -> Table:
    """Read a table.

    Raises:
        SourceError: a column is missing, a cell is empty or strange, a file is named twice, or not
            one of the files is there.
    """
    rows: dict[str, str] = {}  # by path
    numbers: dict[str, int] = {}  # of the labels, in the order in which they are met
    labels, splits, sizes, times = array("q"), array("B"), array("q"), array("q")
    for row, name, label, split in _parquet_rows(where) if parquet else _csv_rows(where):
        if not name or not label:
            raise SourceError(
                f"{where}, {row}: the {'label' if name else 'path'} is empty. Fill it in, or take "
                "the line away."
            )
        path, size, time = _find_file(where.parent, name)
        if path in rows:
            raise SourceError(
                f"{where}, {row}: {path} is named in {rows[path]} already. Keep one row for each "
                "image."
            )
        rows[path] = row
        labels.append(numbers.setdefault(label, len(numbers)))
        splits.append(0 if split is None else _parse_split(where, row, split))
        sizes.append(size)
        times.append(time)
    _require_files(where, list(rows), times)
    classes = sorted(numbers, key=natural_key)
    rank = np.argsort([numbers[name] for name in classes])  # of each number
    zeros = np.zeros(len(rows), dtype=np.int64)
    files = FileListing(
        where,
        Paths.of(rows),
        np.array(sizes, dtype=np.int64),
        np.array(times, dtype=np.int64),
        zeros,
        ("",),
        zeros.astype(np.int32),
        FolderReader(where.parent),
    )
    return Table(files, tuple(classes), rank[np.array(labels)], np.array(splits, dtype=np.uint8))


def _find_file(folder: Path, path: str) -> tuple[str, int, int]:
    """Return a path as it is found here, its bytes and time; -1 as time where it is not.

    Tables made on Windows have backslashes between the folders.
    """
    for name in (path, path.replace("\\", "/")):
        try:
            # A Path for each of a million rows takes longer than asking the system.
            status = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(status.st_mode):
            return name, status.st_size, status.st_mtime_ns
    return path, 0, -1


def _require_files(where: Path, paths: Sequence[str], times: Sequence[int]) -> None:
    """Raise SourceError for a table without rows or files; single missing files are named later."""
    if not paths:
        raise SourceError(
            f"{where} has no rows under its column names. Write a row for each image: its path, "
            "its label, and its split if there is one."
        )
    if max(times) < 0:
        raise SourceError(
            f"{where}: not one of its {len(paths):,} files is there; the first is "
            f"{where.parent / paths[0]}. Paths are relative to the folder of the table."
        )


def _parse_split(where: Path, row: str, split: str) -> int:
    code = split_code(split)
    if code is None:
        raise SourceError(
            f'{where}, {row}: there is no split "{split}".{did_you_mean(split, SPLITS[1:])} '
            "Write train, val or test in every row, or leave the column out."
        )
    return code


def _csv_rows(where: Path) -> Iterator[_Row]:
    """Yield the rows of a CSV file, whatever delimiter it has."""
    with where.open("rb") as file:
        start = file.read(2)
    encoding = "utf-16" if start in _UTF16 else "utf-8-sig"
    try:
        with where.open(encoding=encoding, newline="") as text:
            yield from _split_rows(where, text)
    except UnicodeDecodeError as cause:
        raise SourceError(
            f"{where} is not written in UTF-8 (it has a byte {cause.object[cause.start]:#04x}). "
            'Save it as "CSV UTF-8".'
        ) from cause
    except csv.Error as cause:
        raise SourceError(
            f"{where} is no whole CSV table: {cause}. Save it again as CSV."
        ) from cause


def _split_rows(where: Path, text: TextIO) -> Iterator[_Row]:
    lines, header = 1, text.readline(_MAX_HEADER_LETTERS)
    while header.isspace() or header.startswith("sep="):  # Excel writes the delimiter so
        lines, header = lines + 1, text.readline(_MAX_HEADER_LETTERS)
    names, delimiter = _column_names(header)
    columns = _find_columns(where, names)
    reader = csv.reader(text, delimiter=delimiter)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            values = [cells[i].strip() if i < len(cells) else "" for i in columns]
            split = values[2] if len(values) > len(_REQUIRED) else None
            yield f"line {lines + reader.line_num}", values[0], values[1], split


def _column_names(header: str) -> tuple[list[str], str]:
    """Return the names of the columns and the delimiter: the one that gives most of the names."""
    readings = [([*csv.reader([header], delimiter=mark), [""]][0], mark) for mark in _DELIMITERS]

    def score(reading: tuple[list[str], str]) -> tuple[int, int]:
        return len({*_REQUIRED} & {*map(_plain, reading[0])}), len(reading[0])

    return max(readings, key=score)


def _find_columns(where: Path, names: Sequence[str]) -> list[int]:
    """Return the positions of path, label and, where there is one, split."""
    plain = [_plain(name) for name in names]
    for name in _REQUIRED:
        if name not in plain:
            listed = ", ".join(f'"{each.strip()[:40]}"' for each in names) or "none"
            raise SourceError(
                f'{where} has no column "{name}". Its columns: '
                f"{listed}. The first line of a table names its columns: path, label, and split "
                "if there is one."
            )
    return [plain.index(name) for name in (*_REQUIRED, "split") if name in plain]


def _plain(name: str) -> str:
    return name.strip().casefold()


def _parquet_rows(where: Path) -> Iterator[_Row]:
    """Yield the rows of a Parquet file, some thousands in memory at once."""
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise SourceError(
            f'{where} is a Parquet table, and reading it needs pyarrow: pip install "alexnet'
            '[tables]", or write the table as CSV.'
        ) from None
    try:
        with parquet.ParquetFile(where) as file:
            names: list[str] = list(file.schema_arrow.names)
            columns = [names[i] for i in _find_columns(where, names)]
            count = 0
            for batch in file.iter_batches(columns=columns):
                for cells in zip(
                    *(batch.column(name).to_pylist() for name in columns), strict=True
                ):
                    count += 1
                    values = [_text(cell) for cell in cells]
                    split = values[2] if len(values) > len(_REQUIRED) else None
                    yield f"row {count}", values[0], values[1], split
    except SourceError:
        raise
    except Exception as cause:  # pyarrow (17 to 26) raises errors of many types on damaged files
        what = (str(cause).splitlines() or [type(cause).__name__])[0].removesuffix(".")
        raise SourceError(
            f"{where} is no whole Parquet table: {what}. Write it again, or save it as CSV."
        ) from cause


def _text(cell: Any) -> str:
    """Return a cell as the text that a CSV file would hold; whole numbers without a point."""
    if cell is None or cell != cell:  # nothing, or not a number
        return ""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "surrogateescape")
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()
