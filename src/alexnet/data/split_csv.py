"""What a run writes down about its pictures: who is in which split, and who could not be read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from alexnet.data.names import SPLITS
from alexnet.data.pack import Pack
from alexnet.errors import RunError
from alexnet.files import replace_file

__all__ = ["read_split_csv", "write_skipped_csv", "write_split_csv"]

_SHIELDED = ("=", "+", "-", "@", "\t", "\r", "'")
"""What makes a spreadsheet compute a cell, and the apostrophe that keeps it from that."""


def write_split_csv(path: Path, pack: Pack, splits: Mapping[str, NDArray[np.int64]]) -> None:
    """Write path, class and split of each picture, in the pack's order.

    A text that a spreadsheet would take for a formula gets an apostrophe in front, and so does one
    that begins with an apostrophe; `read_split_csv` takes it away.

    Args:
        path: the file to make or replace.
        pack: the pictures.
        splits: as `assign_splits` gives them.

    Raises:
        RunError: the disk refuses.
    """
    codes = np.zeros(len(pack), dtype=np.uint8)
    for name, indices in splits.items():
        codes[indices] = SPLITS.index(name)
    labels: list[int] = pack.labels.tolist()
    code_of: list[int] = codes.tolist()
    columns = zip(pack.paths, labels, code_of, strict=True)
    rows = ((each, pack.classes[label], SPLITS[code]) for each, label, code in columns)
    _write(path, ("path", "class", "split"), rows)


def read_split_csv(path: Path) -> list[tuple[str, str, str]]:
    """Return path, class and split of each picture, as `write_split_csv` was given them.

    Raises:
        RunError: the file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.DictReader(file)
            return [
                (row["path"].removeprefix("'"), row["class"].removeprefix("'"), row["split"])
                for row in rows
            ]
    except (OSError, AttributeError, KeyError, ValueError, csv.Error) as cause:
        raise RunError(
            f"{path} cannot be read ({cause!r}), and it alone says which pictures are in which "
            "split. Restore it, or train again into another folder."
        ) from cause


def write_skipped_csv(path: Path, skipped: Sequence[tuple[str, str]]) -> None:
    """Write path and reason of each picture that could not be read.

    Args:
        path: the file to make or replace.
        skipped: as `Pack.skipped` gives them.

    Raises:
        RunError: the disk refuses.
    """
    _write(path, ("path", "reason"), skipped)


def _write(path: Path, names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    def write(file: BinaryIO) -> None:
        # File names that are no UTF-8 are written with the bytes that they have on disk.
        text = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
        writer = csv.writer(text)
        writer.writerow(names)
        writer.writerows([_plain(cell) for cell in row] for row in rows)
        text.detach()

    replace_file(Path(path), write)


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_SHIELDED) else text
