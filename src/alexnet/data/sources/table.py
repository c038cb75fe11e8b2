"""Tables as sources: a CSV or Parquet file, or a list, that names each image and its label.

Columns: `path` (relative to the table's folder, or absolute), `label` (any text or number), and,
where there is one, `split` (train, val or test); or other names that are usual for them, as
`table_columns` has them. Other columns are passed over. How a cell leads to a file is told in
`table_paths`, what its label means in `table_labels`.

Legend: N rows.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alexnet.data.sources.folder import FolderReader
from alexnet.data.sources.list_words import read_number_words_beside
from alexnet.data.sources.listing import FileListing, Paths
from alexnet.data.sources.names import SPLITS, decorated_split_code, natural_key, split_code
from alexnet.data.sources.table_columns import (
    Columns,
    RawColumn,
    SplitColumn,
    choose_columns,
    is_label_name,
    is_path_name,
)
from alexnet.data.sources.table_json import JSON_LINES, json_lines_as_csv
from alexnet.data.sources.table_labels import DistinctTexts, clean_labels, read_splits
from alexnet.data.sources.table_parquet import ParquetTable
from alexnet.data.sources.table_paths import (
    AmbiguousPath,
    ExternalPath,
    FileFinder,
    ListedFiles,
    StoredFiles,
)
from alexnet.data.sources.table_text import (
    TextTable,
    column_names,
    open_stored_text,
    open_text,
)
from alexnet.errors import SourceError, did_you_mean
from alexnet.text import format_count, quote_names

__all__ = [
    "PARQUET",
    "Table",
    "TableRows",
    "looks_like_table",
    "parse_table",
    "read_table",
]

_log = logging.getLogger(__name__)

PARQUET = b"PAR1"
"""First bytes of a Parquet file."""


@dataclass(frozen=True, eq=False)
class Table:
    """What a table says, row by row in its own order."""

    files: FileListing  # (N,)
    classes: tuple[str, ...]
    labels: NDArray[np.int64]  # (N,) positions in `classes`
    splits: NDArray[np.uint8]  # (N,) positions in `SPLITS`
    words: dict[str, str] = field(default_factory=dict[str, str])  # of numbered classes


@dataclass(frozen=True, eq=False)
class TableRows:
    """What a table says of files that were listed before; rows without a file are left out."""

    indices: NDArray[np.int64]  # (N,) positions among the listed files, in the table's order
    classes: tuple[str, ...]
    labels: NDArray[np.int64]  # (N,) positions in `classes`
    splits: NDArray[np.uint8]  # (N,) positions in `SPLITS`
    missing: tuple[str, ...] = ()  # cells that name no listed file


def looks_like_table(where: Path, start: bytes) -> bool:
    """Whether a file is meant as a table: by its name, or by the names of its columns.

    Args:
        where: the file.
        start: its first bytes.
    """
    if where.suffix.lower() in (".csv", ".tsv", ".tab", ".txt", ".lst", ".list", *JSON_LINES):
        return bool(start)
    names = column_names(start.decode("utf-8-sig", "replace").splitlines()[0] if start else "")[0]
    return any(map(is_path_name, names)) and any(map(is_label_name, names))


def read_table(where: Path, *, parquet: bool) -> Table:
    """Read a table that lies on this machine.

    Raises:
        SourceError: a column is missing, a cell is empty or strange, a file is named twice, or not
            one of the files is there.
    """
    stored = StoredFiles(where.parent)
    finder = FileFinder(stored, decorated_split_code(where.stem) or 0)
    if where.suffix.lower() in JSON_LINES:
        data = json_lines_as_csv(str(where), where.read_bytes())
        rows = _read_rows(f"{where} (as a table)", open_text(data), finder)
    else:
        rows = _read_rows(str(where), where if parquet else open_stored_text(where), finder)
    sizes, times = array("q"), array("q")
    for path in rows.paths:
        status = stored.status(path) if path in rows.found else None
        sizes.append(0 if status is None else status.st_size)
        times.append(-1 if status is None else status.st_mtime_ns)
    if not rows.found:
        raise _no_file(str(where), rows.paths, where.parent)
    zeros = np.zeros(len(rows.paths), dtype=np.int64)
    files = FileListing(
        where,
        Paths.of(rows.paths),
        np.array(sizes, dtype=np.int64),
        np.array(times, dtype=np.int64),
        zeros,
        ("",),
        zeros.astype(np.int32),
        FolderReader(where.parent),
        np.maximum(np.array(times, dtype=np.int64), 0) // 1_000_000,
    )
    words = read_number_words_beside(where, rows.classes)
    return Table(files, rows.classes, rows.labels, rows.splits, words)


def parse_table(
    data: bytes,
    *,
    name: str,
    folder: str,
    files: Sequence[str],
    split: str = "",
    root: str = "",
    say: bool = True,
) -> TableRows:
    """Read a table of files that were listed before: beside folders, or inside an archive.

    Args:
        data: the bytes of the table, Parquet or text.
        name: what sentences call it.
        folder: the folder in which it lies, relative to the top of the listing; "" is the top.
        files: paths of all listed files, relative to the top, with "/" between the parts.
        split: of all rows, where no column tells it; of several files that a cell may mean the
            one in this split's folder is taken.
        root: where the listed files lie, for absolute paths; "" for those of an archive.
        say: whether to say how columns and paths were understood.

    Raises:
        SourceError: as for `read_table`.
    """
    listed = ListedFiles(files, folder, root)
    if name.lower().endswith(JSON_LINES):
        name, data = f"{name} (as a table)", json_lines_as_csv(name, data)
    source = data if data.startswith(PARQUET) else open_text(data)
    rows = _read_rows(name, source, FileFinder(listed, SPLITS.index(split)), say=say)
    found = np.array([path in rows.found for path in rows.paths], dtype=np.bool_)
    if not found.any():
        raise _no_file(name, rows.paths, None)
    positions = [listed.position(path) for path in rows.paths if path in rows.found]
    splits = rows.splits[found]
    return TableRows(
        np.array(positions, dtype=np.int64),
        rows.classes,
        rows.labels[found],
        splits if splits.any() else np.full_like(splits, SPLITS.index(split)),
        tuple(path for path in rows.paths if path not in rows.found),
    )


class _RawTable(Protocol):
    """A table of which the columns are known, and not yet what they mean."""

    columns: list[RawColumn]
    sample: list[list[str]]

    def rows(self, wanted: Sequence[int]) -> Iterator[tuple[str, list[str]]]: ...


@dataclass(frozen=True, eq=False)
class _Rows:
    paths: list[str]  # (N,) as the files are called, or the cell where none was found
    found: set[str]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    splits: NDArray[np.uint8]


def _read_rows(
    where: str,
    source: Path | bytes | Callable[[], object],
    finder: FileFinder,
    *,
    say: bool = True,
) -> _Rows:
    if isinstance(source, Path | bytes):
        raw: _RawTable = ParquetTable(where, source)
    else:
        raw = TextTable(where, source, finder.is_file)  # pyright: ignore[reportArgumentType]
    columns = choose_columns(where, raw.columns, raw.sample, finder.is_file)
    finder.settle([row[columns.path] for row in raw.sample if row[columns.path]])
    reader = _RowReader(where, raw.columns, columns, finder, say=say)
    wanted = [columns.path, *columns.labels, *(split.index for split in columns.splits)]
    for place, cells in raw.rows(wanted):
        reader.add(place, cells)
    return reader.finish()


class _RowReader:
    """Takes the rows of a table one by one.

    Args:
        where: the table, for sentences.
        raw: its columns.
        columns: those that are read.
        finder: finds the files.
        say: whether to say how columns and paths were understood.
    """

    def __init__(
        self,
        where: str,
        raw: Sequence[RawColumn],
        columns: Columns,
        finder: FileFinder,
        *,
        say: bool,
    ) -> None:
        self._say = say
        self._where, self._columns, self._finder = where, columns, finder
        self._class_columns = [raw[i].name.strip() for i in columns.labels]
        read = {columns.path, *columns.labels, *(split.index for split in columns.splits)}
        rest = [each.name.strip() for i, each in enumerate(raw) if i not in read]
        self._others = [name for name in rest if is_label_name(name)]
        self._rows: dict[str, str] = {}  # by path
        self._found: set[str] = set()
        self._labels = DistinctTexts()
        self._strict = array("B")
        self._splits = [DistinctTexts() for _ in columns.splits]

    def add(self, place: str, cells: Sequence[str]) -> None:
        """Add a row: its path, its labels, its splits."""
        name, last = cells[0], 1 + len(self._columns.labels)
        label = self._label(place, cells[1:last])
        if not name or not label:
            raise SourceError(
                f"{self._where}, {place}: the {'label' if name else 'path'} is empty. Fill it in, "
                "or take the line away."
            )
        path = self._path(place, name)
        if path in self._rows:
            raise SourceError(
                f"{self._where}, {place}: {path} is named in {self._rows[path]} already. Keep one "
                "row for each image."
            )
        self._rows[path] = place
        self._labels.add(label)
        for column, texts, cell in zip(
            self._columns.splits, self._splits, cells[last:], strict=True
        ):
            if column.strict:
                self._strict.append(self._parse_split(place, cell))
            else:
                texts.add(cell)

    def finish(self) -> _Rows:
        """Return what all rows together say."""
        if not self._rows:
            raise SourceError(
                f"{self._where} has no rows under its column names. Write a row for each image: "
                "its path, its label, and its split if there is one."
            )
        if self._say:
            self._tell_of_other_names()
            self._tell_of_label_column()
        clean = clean_labels(self._where, list(self._labels.numbers), say=self._say)
        classes = sorted(set(clean.values()), key=natural_key)
        position = {name: i for i, name in enumerate(classes)}
        of_text = np.array([position[clean[text]] for text in self._labels.numbers])
        labels = of_text[np.array(self._labels.cells, dtype=np.int64)].astype(np.int64)
        paths = list(self._rows)
        return _Rows(paths, self._found, tuple(classes), labels, self._all_splits(len(paths)))

    def _all_splits(self, rows: int) -> NDArray[np.uint8]:
        if self._strict:
            return np.array(self._strict, dtype=np.uint8)
        columns: Sequence[SplitColumn] = self._columns.splits
        splits = read_splits(self._where, columns, self._splits, rows, say=self._say)
        return np.zeros(rows, dtype=np.uint8) if splits is None else splits

    def _label(self, place: str, cells: Sequence[str]) -> str:
        if not self._columns.is_one_hot:
            return cells[0]
        ones = [
            name
            for name, cell in zip(self._class_columns, cells, strict=True)
            if cell.casefold() in ("1", "1.0", "true")
        ]
        if len(ones) != 1:
            raise SourceError(
                f"{self._where}, {place}: {format_count(len(ones), 'column')} of "
                f"{len(self._class_columns)} hold a 1, and an image has exactly one class here. "
                'Write that class into a column "label".'
            )
        return ones[0]

    def _path(self, place: str, cell: str) -> str:
        try:
            path = self._finder.find(cell)
        except (ExternalPath, AmbiguousPath) as error:
            raise SourceError(f"{self._where}, {place}: {error}.") from None
        if path is None:
            return cell
        self._found.add(path)
        return path

    def _parse_split(self, place: str, split: str) -> int:
        code = split_code(split)
        if code is None:
            raise SourceError(
                f'{self._where}, {place}: there is no split "{split}".'
                f"{did_you_mean(split, SPLITS[1:])} Write train, val or test in every row, or "
                "leave the column out."
            )
        return code

    def _tell_of_label_column(self) -> None:
        if not self._columns.is_one_hot and self._others:
            _log.info(
                '%s: the column "%s" is read as the label, and not %s; if another one is meant, '
                'call it "label".',
                self._where,
                self._class_columns[0],
                quote_names(self._others),
            )

    def _tell_of_other_names(self) -> None:
        count, cell, path = self._finder.renamed
        if count:
            rows = format_count(count, "image")
            _log.info('%s: %s found as %s for "%s".', self._where, rows, path, cell)
        count, cell, path = self._finder.moved
        if count:
            _log.warning(
                '%s: %s found in another folder than the table says, such as %s for "%s".',
                self._where,
                format_count(count, "image"),
                path,
                cell,
            )


def _no_file(where: str, paths: Sequence[str], folder: Path | None) -> SourceError:
    """Return the error for a table of which no file is there."""
    first = paths[0]
    absolute = first.startswith("/")
    named = first if absolute or folder is None else str(folder / first)
    advice = (
        "That is an absolute path, perhaps of another machine: write paths relative to the folder "
        "of the table."
        if absolute
        else "Paths are relative to the folder of the table."
    )
    return SourceError(
        f"{where}: not one of its {len(paths):,} files is there; the first is {named}. {advice}"
    )
