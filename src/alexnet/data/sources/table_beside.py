"""Tables that lie among the images whose labels they hold, in a folder or inside an archive."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from alexnet.data.sources.list_words import number_words_among
from alexnet.data.sources.listing import FileListing
from alexnet.data.sources.names import (
    SPLITS,
    decorated_split_code,
    natural_key,
    split_code,
)
from alexnet.data.sources.table import TableRows, parse_table
from alexnet.data.sources.table_json import JSON_LINES
from alexnet.errors import SourceError
from alexnet.text import format_count, quote_names

__all__ = ["InnerTable", "find_tables", "how_to_name_table", "read_inner_table", "say_inner_table"]

_log = logging.getLogger(__name__)

_TABLES = (".csv", ".tsv", ".tab", ".parquet", *JSON_LINES)
_LISTS = (".txt", ".lst")  # which may be anything: only what can be read counts
_MAX_TABLE_BYTES = 256 << 20
_MAX_DEPTH = 3  # folders above a table
_MAX_TRIED = 8
_NO_LABELS = ("submission", "submit")  # tables to be filled in: their labels are placeholders


@dataclass(frozen=True, eq=False)
class InnerTable:
    """Labels that a table gives to some of the files beside it."""

    names: tuple[str, ...]  # paths of the tables
    missing: tuple[str, ...]  # what they name and what is not there
    indices: NDArray[np.int64]  # (N,) in the listing
    classes: tuple[str, ...]
    labels: NDArray[np.int64]  # (N,) positions in `classes`
    splits: NDArray[np.uint8]  # (N,) positions in `SPLITS`
    words: dict[str, str] = field(default_factory=dict[str, str])  # of numbered classes


def find_tables(files: FileListing) -> list[int]:
    """Return the positions of the files that may be tables of labels, the likeliest first."""
    tables = [
        i
        for i, path in enumerate(files.paths)
        if path.lower().endswith((*_TABLES, *_LISTS))
        and path.count("/") <= _MAX_DEPTH
        and 0 < files.sizes[i] <= _MAX_TABLE_BYTES
        and not any(word in path.rpartition("/")[2].lower() for word in _NO_LABELS)
    ]
    return sorted(tables, key=lambda i: (*_rank(files.paths[i]), files.paths[i]))


def _rank(path: str) -> tuple[bool, int]:
    return path.lower().endswith(_LISTS), path.count("/")


def read_inner_table(
    files: FileListing, images: NDArray[np.bool_], *, say: bool = True
) -> InnerTable | None:
    """Read the labels of files from the table among them; None: there is none that names them.

    Several tables are read as one where their names, or their folders', are those of splits:
    train.csv and test.csv, train/labels.csv and test/labels.csv.

    Args:
        files: tables and images.
        images: (N,) which files are images.
        say: whether to say how columns and paths were understood.

    Raises:
        SourceError: several tables name the images, or the only one cannot be used.
    """
    readable: dict[int, TableRows] = {}
    errors: list[SourceError] = []
    tables = find_tables(files)[:_MAX_TRIED]
    for index in tables:
        try:
            readable[index] = _parse(files, index, say=say and len(tables) == 1)
        except SourceError as error:
            if not files.paths[index].lower().endswith(_LISTS):
                errors.append(error)
    if not readable:
        if errors:
            errors.sort(key=lambda error: "has no column" in str(error))  # the nearest miss first
            raise SourceError(
                f"{files.where} has no folders that are classes, and its table cannot give the "
                f"labels. {errors[0]} {how_to_name_table(files, 'a table of path and label')}"
            ) from errors[0]
        return None
    if len(readable) > 1 and not _are_splits(files, readable):
        names = quote_names(files.paths[index] for index in readable)
        raise SourceError(
            f"{files.where} holds several tables that name its images: {names}. "
            f"{how_to_name_table(files, 'the one to read')}"
        )
    if say and len(tables) > 1:  # only of those that are used
        readable = {index: _parse(files, index, say=True) for index in readable}
    joined = _join(files, readable)
    words = (number_words_among(files, name, joined.classes) for name in joined.names)
    nothing: dict[str, str] = {}
    return replace(joined, words=next(filter(None, words), nothing))


def _split_of(path: str) -> int:
    """Return the split that a table's name says, or else the folders in which it lies; or 0."""
    *folders, name = path.split("/")
    code = decorated_split_code(name.rpartition(".")[0])
    names = folders[::-1] if code is None else []
    codes = (split_code(each) or decorated_split_code(each) for each in names)
    return code or next(filter(None, codes), 0)


def _parse(files: FileListing, index: int, *, say: bool) -> TableRows:
    path = files.paths[index]
    return parse_table(
        files.read(index),
        name=f"{files.where}/{path}",
        folder=path.rpartition("/")[0],
        files=files.paths,
        split=SPLITS[_split_of(path)],
        root=str(files.where.resolve()) if files.where.is_dir() else "",
        say=say,
    )


def _are_splits(files: FileListing, tables: Mapping[int, TableRows]) -> bool:
    """Whether several tables are those of splits; two of one split name no image both."""
    codes = [_split_of(files.paths[index]) for index in tables]
    if not all(codes):
        return False
    for code in {*codes}:
        same = [
            rows.indices for rows, each in zip(tables.values(), codes, strict=True) if each == code
        ]
        named = np.concatenate(same)
        if len(np.unique(named)) < len(named):
            return False
    return True


def _join(files: FileListing, tables: Mapping[int, TableRows]) -> InnerTable:
    """Join the rows of tables; of an image that two of them name the first one counts."""
    names = tuple(files.paths[index] for index in tables)
    rows = list(tables.values())
    missing = tuple(path for each in rows for path in each.missing)
    if len(rows) == 1:
        only = rows[0]
        return InnerTable(names, missing, only.indices, only.classes, only.labels, only.splits)
    classes = tuple(sorted({name for each in rows for name in each.classes}, key=natural_key))
    position = {name: i for i, name in enumerate(classes)}
    labels = [
        np.array([position[name] for name in each.classes], dtype=np.int64)[each.labels]
        for each in rows
    ]
    indices = np.concatenate([each.indices for each in rows])
    _, first = np.unique(indices, return_index=True)
    first.sort()
    splits = np.concatenate([each.splits for each in rows])
    return InnerTable(
        names, missing, indices[first], classes, np.concatenate(labels)[first], splits[first]
    )


def say_inner_table(files: FileListing, images: NDArray[np.bool_], table: InnerTable) -> None:
    """Say where the labels are from, and which images and rows have no partner.

    Args:
        files: tables and images.
        images: (N,) which files are images.
        table: what is used of them.
    """
    named = np.zeros(len(files), dtype=np.bool_)
    named[table.indices] = True
    unnamed = int(np.count_nonzero(images & ~named))
    rest = f"; {format_count(unnamed, 'image')} that it does not name left out" if unnamed else ""
    names = quote_names(table.names)
    count = format_count(len(table.indices), "image")
    _log.info("%s: the labels of %s are from %s%s.", files.where, count, names, rest)
    if table.missing:
        rows = format_count(len(table.missing), "row")
        missing = quote_names(table.missing)
        _log.warning("%s: %s of %s name no file: %s.", files.where, rows, names, missing)


def how_to_name_table(files: FileListing, table: str) -> str:
    """Say how a table among some files becomes the source."""
    if files.where.is_dir():
        return f"Name {table} as the source."
    return f"Unpack the archive, and name {table} as the source."
