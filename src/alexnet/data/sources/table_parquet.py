"""Tables in Parquet: some thousands of rows in memory at once, of the columns that are read."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, cast

from alexnet.data.sources.table_columns import RawColumn
from alexnet.data.sources.table_labels import whole_number
from alexnet.data.sources.table_text import SAMPLE_ROWS
from alexnet.errors import SourceError

__all__ = ["ParquetTable"]

_SAMPLED_COLUMNS = 4096
_FEW_ROWS = 4
_BYTES = "bytes"  # the type of columns that hold text or the images themselves


class ParquetTable:
    """A Parquet table.

    Numbers of a Hugging Face ClassLabel become the names that the file holds for them. Lists of
    one element are taken apart.

    Args:
        where: for sentences.
        source: a file, or its bytes.

    Raises:
        SourceError: pyarrow is missing, or the file is damaged.
    """

    def __init__(self, where: str, source: Path | bytes) -> None:
        try:
            self._parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise SourceError(
                f'{where} is a Parquet table, and reading it needs pyarrow: pip install "alexnet'
                '[tables]", or write the table as CSV.'
            ) from None
        self._where, self._source = where, source
        with _sentences(where), self._open() as file:
            self._names: list[str] = list(file.schema_arrow.names)
            types = [file.schema_arrow.field(i).type for i in range(len(self._names))]
            self._class_names = _class_names(file.schema_arrow.metadata)
        self.columns = [_column(name, kind) for name, kind in zip(self._names, types, strict=True)]
        self.columns = [self._without_bytes(each, i) for i, each in enumerate(self.columns)]
        self.sample = self._look()

    def rows(
        self, wanted: Sequence[int], batch_rows: int = 1 << 14
    ) -> Iterator[tuple[str, list[str]]]:
        """Yield each row's place ("row 7") and the cells of some columns as text."""
        names = [self._names[i] for i in wanted]
        with _sentences(self._where), self._open() as file:
            count = 0
            for batch in file.iter_batches(batch_rows, columns=names):
                columns = [self._texts(name, batch.column(name).to_pylist()) for name in names]
                for cells in zip(*columns, strict=True):
                    count += 1
                    yield f"row {count}", list(cells)

    def _open(self) -> Any:
        source = io.BytesIO(self._source) if isinstance(self._source, bytes) else self._source
        return self._parquet.ParquetFile(source)

    def _without_bytes(self, column: RawColumn, index: int) -> RawColumn:
        """Return a column of bytes as one that is not read, where they are no text."""
        if column.nested != _BYTES or len({*self._names}) < len(self._names):
            return column
        with _sentences(self._where), self._open() as file:
            batch = next(file.iter_batches(_FEW_ROWS, columns=[self._names[index]]), None)
            cells: list[Any] = [] if batch is None else batch.column(0).to_pylist()
        return column if any(map(_is_no_text, cells)) else RawColumn(column.name)

    def _look(self) -> list[list[str]]:
        """Return the first rows; nested columns, which may hold whole images, stay empty."""
        if len({*self._names}) < len(self._names):
            return []  # two columns of one name: told where columns are chosen
        plain = [i for i, column in enumerate(self.columns) if column.nested is None]
        sample: list[list[str]] = []
        for _, cells in islice(self.rows(plain[:_SAMPLED_COLUMNS], SAMPLE_ROWS), SAMPLE_ROWS):
            texts = dict(zip(plain, cells, strict=False))
            sample.append([texts.get(i, "") for i in range(len(self.columns))])
        return sample

    def _texts(self, name: str, cells: Sequence[Any]) -> list[str]:
        names = self._class_names.get(name)
        if names is None:
            return [self._text(name, cell) for cell in cells]
        return [self._class_name(name, names, cell) for cell in cells]

    def _class_name(self, column: str, names: Sequence[str], cell: Any) -> str:
        if not isinstance(cell, int) or isinstance(cell, bool):
            return self._text(column, cell)
        if cell == -1:  # "no label"
            return ""
        if not 0 <= cell < len(names):
            raise SourceError(
                f'{self._where}: the column "{column}" has the label {cell}, and the file names '
                f"{len(names):,} classes, 0 to {len(names) - 1:,}. Write the table again."
            )
        return names[cell].strip()

    def _text(self, column: str, cell: Any) -> str:
        """Return a cell as the text that a CSV file would hold; whole numbers without a point."""
        if isinstance(cell, list):
            cell = self._only_element(column, cast("list[Any]", cell))
        if cell is None or cell != cell:  # nothing, or not a number
            return ""
        if isinstance(cell, bytes):
            return cell.decode("utf-8", "surrogateescape").strip()
        text = str(cell).strip()
        return text if isinstance(cell, str) else whole_number(text)

    def _only_element(self, column: str, cell: Sequence[Any]) -> Any:
        if len(cell) != 1 or isinstance(cell[0], list | dict):
            kind = next(each.nested for each in self.columns if each.name == column)
            count = "no element" if not cell else f"{len(cell):,} elements"
            raise SourceError(
                f'{self._where}: the column "{column}" holds {kind}, one of them with {count}, and '
                "an image has one class here. Write one name in every cell of that column."
            )
        return cell[0]


def _column(name: str, kind: Any) -> RawColumn:
    """Return what is known of a column before it is read."""
    types: Any = importlib.import_module("pyarrow").types
    text = " ".join(str(kind).split())[:60]
    is_list = bool(
        types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    )
    if is_list:
        inner = kind.value_type
        return RawColumn(name, nested=text, takes_apart=not types.is_nested(inner))
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return RawColumn(name, nested=_BYTES)
    return RawColumn(name, nested=text if types.is_nested(kind) else None)


def _is_no_text(cell: Any) -> bool:
    if not isinstance(cell, bytes):
        return False
    try:
        return "\0" in cell.decode()
    except UnicodeDecodeError:
        return True


def _class_names(metadata: Any) -> dict[str, list[str]]:
    """Return the class names of each column that Hugging Face's datasets wrote as a ClassLabel."""
    try:
        text: bytes = cast("dict[bytes, bytes]", metadata or {}).get(b"huggingface", b"{}")
        features: dict[str, Any] = json.loads(text)["info"]["features"]
        named = {
            column: feature["names"] for column, feature in features.items() if _named(feature)
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {column: [str(name) for name in names] for column, names in named.items()}


def _named(feature: Any) -> bool:
    return isinstance(feature, dict) and isinstance(
        cast("dict[str, Any]", feature).get("names"), list
    )


@contextmanager
def _sentences(where: str) -> Generator[None]:
    """Turn what pyarrow says of damaged files into a sentence."""
    try:
        yield
    except SourceError:
        raise
    except Exception as cause:  # pyarrow (17 to 26) raises errors of many types on damaged files
        what = (str(cause).splitlines() or [type(cause).__name__])[0].removesuffix(".")
        raise SourceError(
            f"{where} is no whole Parquet table: {what}. Write it again, or save it as CSV."
        ) from cause
