"""Tables as sources: a CSV or Parquet file that names each picture and its label.

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

from alexnet.data.packs.index import Paths
from alexnet.data.sources.folder import FolderContents, Listing
from alexnet.data.sources.names import SPLITS, natural_key, split_code
from alexnet.errors import SourceError, did_you_mean

__all__ = ["PARQUET", "Table", "looks_like_table", "read_table"]

PARQUET = b"PAR1"
"""First bytes of a Parquet file."""

_NEEDED = ("path", "label")
_DELIMITERS = ",;\t|"
_LONGEST_HEADER = 1 << 20  # letters
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_Row = tuple[str, str, str, str | None]
"""Where it stands ("line 7"), path, label, split (None: there is no such column)."""


@dataclass(frozen=True, eq=False)
class Table:
    """What a table says, row by row in its own order."""

    files: Listing  # (N,)
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
    return {*_NEEDED} <= {_plain(name) for name in names}


def read_table(where: Path, *, parquet: bool) -> Table:
    """Read a table.

    Raises:
        SourceError: a column is missing, a cell is empty or strange, a file is named twice, or not
            one of the files is there.
    """
    paths: dict[str, str] = {}
    numbers: dict[str, int] = {}  # of the labels, as they are met
    labels, splits, sizes, times = array("q"), array("B"), array("q"), array("q")
    for place, path, label, split in _parquet_rows(where) if parquet else _csv_rows(where):
        if not path or not label:
            raise SourceError(
                f"{where}, {place}: the {'label' if path else 'path'} is empty. Fill it in, or "
                "take the line away."
            )
        path, size, time = _found(where.parent, path)
        if path in paths:
            raise SourceError(
                f"{where}, {place}: {path} is named in {paths[path]} already. Keep one row for "
                "each picture."
            )
        paths[path] = place
        labels.append(numbers.setdefault(label, len(numbers)))
        splits.append(0 if split is None else _code(where, place, split))
        sizes.append(size)
        times.append(time)
    _check_files(where, list(paths), times)
    classes = sorted(numbers, key=natural_key)
    position = np.argsort([numbers[name] for name in classes])  # from meeting to rank
    zeros = np.zeros(len(paths), dtype=np.int64)
    files = Listing(
        where,
        Paths.of(paths),
        np.array(sizes, dtype=np.int64),
        np.array(times, dtype=np.int64),
        zeros,
        ("",),
        zeros.astype(np.int32),
        FolderContents(where.parent),
    )
    return Table(
        files, tuple(classes), position[np.array(labels)], np.array(splits, dtype=np.uint8)
    )


def _found(folder: Path, path: str) -> tuple[str, int, int]:
    """Return a path as it is found here, its bytes and time; -1 as time where it is not.

    Tables made on Windows part folders by backslashes.
    """
    for each in (path, path.replace("\\", "/")):
        try:
            known = os.stat(os.path.join(folder, each))  # noqa: PTH116, PTH118  # speed
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(known.st_mode):
            return each, known.st_size, known.st_mtime_ns
    return path, 0, -1


def _check_files(where: Path, paths: Sequence[str], times: Sequence[int]) -> None:
    """Refuse a table without rows or without files; single missing files are named later."""
    if not paths:
        raise SourceError(
            f"{where} has no rows under its column names. Write a row for each picture: its path, "
            "its label, and its split if there is one."
        )
    if max(times) < 0:
        raise SourceError(
            f"{where}: not one of its {len(paths):,} files is there; the first is "
            f"{where.parent / paths[0]}. Paths are relative to the folder of the table."
        )


def _code(where: Path, place: str, split: str) -> int:
    code = split_code(split)
    if code is None:
        raise SourceError(
            f'{where}, {place}: there is no split "{split}".{did_you_mean(split, SPLITS[1:])} '
            "Write train, val or test in every row, or leave the column out."
        )
    return code


def _csv_rows(where: Path) -> Iterator[_Row]:
    """Yield the rows of a CSV file, whatever mark stands between its cells."""
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
    lines, header = 1, text.readline(_LONGEST_HEADER)
    while header.isspace() or header.startswith("sep="):  # what spreadsheets write for each other
        lines, header = lines + 1, text.readline(_LONGEST_HEADER)
    names, mark = _column_names(header)
    columns = _columns(where, names)
    reader = csv.reader(text, delimiter=mark)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            found = [cells[i].strip() if i < len(cells) else "" for i in columns]
            split = found[2] if len(found) > len(_NEEDED) else None
            yield f"line {lines + reader.line_num}", found[0], found[1], split


def _column_names(header: str) -> tuple[list[str], str]:
    """Return the names of the columns and the mark between them: the one that names the most."""
    cells = {mark: [*csv.reader([header], delimiter=mark), [""]][0] for mark in _DELIMITERS}
    readings = [(names, mark) for mark, names in cells.items()]
    return max(readings, key=lambda each: (len({*_NEEDED} & {*map(_plain, each[0])}), len(each[0])))


def _columns(where: Path, names: Sequence[str]) -> list[int]:
    """Return where path, label and perhaps split stand."""
    plain = [_plain(name) for name in names]
    for name in _NEEDED:
        if name not in plain:
            listed = ", ".join(f'"{each.strip()[:40]}"' for each in names) or "none"
            raise SourceError(
                f'{where} has no column "{name}". Its columns: '
                f"{listed}. The first line of a table names its columns: path, label, and split "
                "if there is one."
            )
    return [plain.index(name) for name in (*_NEEDED, "split") if name in plain]


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
            wanted = [names[i] for i in _columns(where, names)]
            count = 0
            for portion in file.iter_batches(columns=wanted):
                columns = [portion.column(name).to_pylist() for name in wanted]
                for cells in zip(*columns, strict=True):
                    count += 1
                    texts = [_text(cell) for cell in cells]
                    split = texts[2] if len(texts) > len(_NEEDED) else None
                    yield f"row {count}", texts[0], texts[1], split
    except SourceError:
        raise
    except Exception as cause:  # whatever Arrow, or a cell of its own kind, stumbles over
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
