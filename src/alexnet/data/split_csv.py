"""What a run writes down about its pictures: who is in which split, and who could not be read."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.csv_files import unguarded, write_csv
from alexnet.data.names import SPLITS
from alexnet.data.pack import Pack
from alexnet.errors import RunError

__all__ = ["read_split_csv", "write_skipped_csv", "write_split_csv"]


def write_split_csv(path: Path, pack: Pack, splits: Mapping[str, NDArray[np.int64]]) -> None:
    """Write path, class and split of each picture, in the pack's order.

    No text is a formula for a spreadsheet (see `alexnet.csv_files`), and file names that are no
    UTF-8 keep their bytes; `read_split_csv` has both back as they were.

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
    write_csv(Path(path), chain([("path", "class", "split")], rows))


def read_split_csv(path: Path) -> list[tuple[str, str, str]]:
    """Return path, class and split of each picture, as `write_split_csv` was given them.

    Raises:
        RunError: the file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.DictReader(file)
            return [(unguarded(row["path"]), unguarded(row["class"]), row["split"]) for row in rows]
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
    write_csv(Path(path), [("path", "reason"), *skipped])
