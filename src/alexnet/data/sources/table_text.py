"""Tables and lists as text: CSV with any delimiter, with a line of names or without, and lists.

    path,label             a line of names, whatever the columns are called
    img/0.jpg;ant          rows alone: the column of files is the path
    my img/0.jpg 3         a list of Caffe's and DIGITS': the path ends before the last blank, or
                           behind the suffix of an image

UTF-8 or UTF-16, with a byte order mark or, for UTF-8, without.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

from alexnet.data.sources.names import split_code
from alexnet.data.sources.table_columns import (
    RawColumn,
    is_column_name,
    is_label_name,
    is_path_name,
)
from alexnet.errors import SourceError

__all__ = [
    "SAMPLE_ROWS",
    "UTF16",
    "TextTable",
    "column_names",
    "open_stored_text",
    "open_text",
]

SAMPLE_ROWS = 64
"""Rows that are looked at before it is decided what the columns mean."""

_DELIMITERS = ",;\t|"
_MAX_HEADER_LETTERS = 1 << 20
UTF16 = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of UTF-16."""

_BLANKS = ""  # instead of a delimiter: a list

_SUFFIXES = (
    "jpe?g|jpe|jfif|png|bmp|dib|gif|tiff?|webp|avif|hei[cf]|jxl|jp2|j2k|ppm|pgm|pbm|pnm|tga|ico|qoi"
)
_IMAGE = re.compile(rf".*\.(?:{_SUFFIXES})", re.IGNORECASE | re.DOTALL)
_IMAGE_THEN_LABEL = re.compile(rf"(.*\.(?:{_SUFFIXES})[\"']?)\s+(\S.*)", re.IGNORECASE)
_LAST_BLANK = re.compile(r"(\S.*)\s+(\S+)")
_NUMBERS = re.compile(r"[-+\d.]+(\s+[-+\d.]+)+")

OpenText = Callable[[], TextIO]


def open_stored_text(where: Path) -> OpenText:
    """Return what opens a file as text, from its start."""
    with where.open("rb") as file:
        encoding = _encoding(file.read(2))
    return lambda: where.open(encoding=encoding, newline="")


def open_text(data: bytes) -> OpenText:
    """Return what opens some bytes as text, from their start."""
    encoding = _encoding(data[:2])
    return lambda: io.TextIOWrapper(io.BytesIO(data), encoding=encoding, newline="")


def _encoding(start: bytes) -> str:
    return "utf-16" if start in UTF16 else "utf-8-sig"


def column_names(header: str) -> tuple[list[str], str]:
    """Return the names of the columns and the delimiter: the one that gives most of the names."""
    readings = [(_split(header, mark), mark) for mark in _DELIMITERS]

    def score(reading: tuple[list[str], str]) -> tuple[int, int, int]:
        plain = {name.strip().casefold() for name in reading[0]}
        known = sum(map(is_column_name, reading[0]))
        return len({"path", "label"} & plain), known, len(reading[0])

    return max(readings, key=score)


def _split(line: str, mark: str) -> list[str]:
    """Return the cells of one line; a single empty one where there is none."""
    return [*csv.reader([line], delimiter=mark), [""]][0]


@dataclass
class TextTable:
    """A table as text, opened once for a look and once for its rows.

    Args:
        where: for sentences.
        open_again: opens it from its start.
        is_file: whether a cell names a file.

    Raises:
        SourceError: it is not in UTF-8 or UTF-16, is no table, or a list without labels.
    """

    where: str
    open_again: OpenText
    is_file: Callable[[str], bool]
    columns: list[RawColumn] = field(init=False)
    sample: list[list[str]] = field(init=False)
    _delimiter: str = field(init=False)
    _has_names: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        with _sentences(self.where), self.open_again() as text:
            _, header = _first_line(text)
        with _sentences(self.where):
            self._choose_form(header)
            self.sample = [cells for _, cells in islice(self._cells(), SAMPLE_ROWS)]
        if not self._has_names:
            self.columns = self._name_columns()
        width = len(self.columns)
        self.sample = [[*cells, *[""] * width][:width] for cells in self.sample]

    def rows(self, wanted: Sequence[int]) -> Iterator[tuple[str, list[str]]]:
        """Yield each row's place ("line 7") and the cells of some columns, stripped of blanks."""
        with _sentences(self.where):
            for line, cells in self._cells():
                width = len(cells)
                yield f"line {line}", [cells[i] if i < width else "" for i in wanted]

    def _choose_form(self, header: str) -> None:
        """Find out the delimiter, and whether the first line names the columns or is a row."""
        names, self._delimiter = column_names(header)
        blank_names = header.split()
        if len(names) == 1 and len(blank_names) == 2 and all(map(is_column_name, blank_names)):
            names, self._delimiter = blank_names, _BLANKS
        self.columns = [RawColumn(name) for name in names]
        images = any(_IMAGE.fullmatch(name.strip()) for name in names)
        if any(map(is_column_name, names)) and not images:
            return
        for mark in "\t;|,":
            cells = [cell.strip() for cell in _split(header, mark)]
            if len(cells) > 1 and any(_IMAGE.fullmatch(c) or self.is_file(c) for c in cells):
                self._delimiter, self._has_names = mark, False
                return
        path, label = self._list_line(header)
        if _IMAGE.fullmatch(path) or self.is_file(path):
            self._delimiter, self._has_names = _BLANKS, False
            if not label:
                raise SourceError(
                    f"{self.where} has no column names, and its first line, {path}, has no label. "
                    "Write path and label in every line, or name the folder of the images."
                )

    def _name_columns(self) -> list[RawColumn]:
        """Return which column of rows without names is what."""
        width = max(map(len, self.sample))
        columns = [
            [cells[i] if i < len(cells) else "" for cells in self.sample] for i in range(width)
        ]
        named = [sum(bool(_IMAGE.fullmatch(cell)) for cell in column) for column in columns]
        files = [sum(map(self.is_file, column)) for column in columns]
        path = max(range(width), key=lambda i: (min(named[i], files[i]), named[i], files[i], -i))
        rest = [i for i in range(width) if i != path and any(columns[i])]
        splits = [i for i in rest if all(map(split_code, columns[i]))]
        labels = [i for i in rest if i not in splits] if len(rest) > 1 else rest
        if len(labels) != 1 or len(splits) > 1:
            raise SourceError(
                f"{self.where} has no column names: its first line is a row of {width} cells, and "
                "which of them is the label cannot be told. Write a first line that names the "
                "columns, such as path,label"
            )
        names = {path: "path", labels[0]: "label"} | dict.fromkeys(splits, "split")
        self._require_one_label(columns[labels[0]])
        return [RawColumn(names.get(i, "")) for i in range(width)]

    def _require_one_label(self, labels: Sequence[str]) -> None:
        several = next(filter(_NUMBERS.fullmatch, labels), None)
        if several is not None and self._delimiter == _BLANKS:
            raise SourceError(
                f'{self.where} has several numbers behind a path, "{several}", and an image has '
                "one class here. Write one label in every line."
            )
        if any(map(_IMAGE.fullmatch, labels)):
            raise SourceError(
                f"{self.where} has no column names, and two columns of files. Write a first line "
                "that names the columns, such as path,label"
            )

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        """Yield line number and cells of all rows that are not empty."""
        with self.open_again() as text:
            lines, _ = _first_line(text)
            if not self._has_names:
                text.seek(0)
                lines = _skip(text, lines - 1)
            if self._delimiter == _BLANKS:
                for number, line in enumerate(text, lines + 1):
                    if line.strip() and not _is_comment(line):
                        yield number, self._list_cells(line)
                return
            reader = csv.reader(text, delimiter=self._delimiter)
            for cells in reader:
                stripped = [cell.strip() for cell in cells]
                if any(stripped):
                    yield lines + reader.line_num, stripped

    def _list_cells(self, line: str) -> list[str]:
        names = [column.name for column in self.columns]
        if self._has_names and is_label_name(names[0]) and not is_path_name(names[0]):
            return [*line.split(None, 1), ""][:2]
        return [*self._list_line(line)]

    def _list_line(self, line: str) -> tuple[str, str]:
        """Return path and label; of `0001 Boeing 717` the first word, where that is a file."""
        path, label = _split_list_line(line)
        if not _IMAGE.fullmatch(path) and " " in path and not self.is_file(path):
            first, _, rest = line.strip().partition(" ")
            if self.is_file(first):
                return first, rest.strip()
        return path, label


@contextmanager
def _sentences(where: str) -> Generator[None]:
    """Turn what Python says of text that is no table into a sentence."""
    try:
        yield
    except UnicodeError as cause:
        byte = cause.object[cause.start] if isinstance(cause, UnicodeDecodeError) else None
        which = "" if byte is None else f" (it has a byte {byte:#04x})"
        raise SourceError(
            f'{where} is not written in UTF-8{which}. Save it as "CSV UTF-8".'
        ) from cause
    except csv.Error as cause:
        if "field limit" in str(cause):
            raise SourceError(
                f"{where} has a cell of more than {csv.field_size_limit():,} letters; a "
                "quotation mark may not be closed. Mend it, or leave out the column of long texts."
            ) from cause
        raise SourceError(
            f"{where} is no whole CSV table: {cause}. Save it again as CSV."
        ) from cause


def _first_line(text: TextIO) -> tuple[int, str]:
    """Return number and text of the first line that says something."""
    number, line = 1, text.readline(_MAX_HEADER_LETTERS)
    # Excel writes the delimiter so.
    while line.isspace() or line.startswith("sep=") or _is_comment(line):
        number, line = number + 1, text.readline(_MAX_HEADER_LETTERS)
    return number, line


def _skip(text: TextIO, count: int) -> int:
    for _ in range(count):
        text.readline()
    return count


def _is_comment(line: str) -> bool:
    return (
        line.startswith("#")
        and not _IMAGE.match(line)
        and not is_column_name(line[1:].split(",")[0])
    )


def _split_list_line(line: str) -> tuple[str, str]:
    """Return path and label of a line of a list; the label is empty where there is none."""
    line = line.strip()
    match = _IMAGE_THEN_LABEL.fullmatch(line)
    if match is None and not _IMAGE.fullmatch(line):
        match = _LAST_BLANK.fullmatch(line)
    path, label = match.groups() if match else (line, "")
    if len(path) > 1 and path[0] == path[-1] and path[0] in "\"'":
        path = path[1:-1]
    return path.strip(), label.strip()
