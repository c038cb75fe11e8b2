"""Lists of images to exclude: which ones a check proposes, reading such a list, applying it.

The rule of the proposal, image by image:

    it cannot be read, or is blank       out
    duplicates of different classes      all out: nobody knows which label is right
    duplicates in different splits       test keeps its own, then val, then train
    duplicates within a split            the first in the source's order stays

Near duplicates are treated as duplicates are.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.pack import Pack
from alexnet.data.sources.names import normalize_name
from alexnet.data.sources.source import Source
from alexnet.errors import SourceError
from alexnet.files import unescape_formula
from alexnet.reading import LimitExceeded, read_limited
from alexnet.text import format_count, quote_names

__all__ = ["ExclusionList", "duplicates_to_exclude", "exclude_listed", "read_exclusion_list"]

_log = logging.getLogger(__name__)

MAX_LIST_BYTES = 256 << 20
"""Of a list: some millions of paths."""

_DELIMITERS = ",;\t"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def duplicates_to_exclude(
    group: Sequence[int], labels: NDArray[np.int64], splits: NDArray[np.uint8]
) -> tuple[list[int], int | None]:
    """Return which of some duplicates are better left out, and which one stays.

    Args:
        group: the duplicates, positions in a source, rising.
        labels: (N,) of the whole source.
        splits: (N,) of the whole source.

    Returns:
        The positions of those to leave out, rising; the one that stays, None where labels differ.
    """
    if len(set(labels[group].tolist())) > 1:
        return list(group), None
    kept = max(group, key=lambda i: (int(splits[i]), -i))
    return [i for i in group if i != kept], kept


@dataclass(frozen=True)
class ExclusionList:
    """The entries of a list of images to exclude."""

    where: Path
    entries: tuple[str, ...]

    def apply(self, source: Source | Pack) -> Source | Pack:
        """Return a source or pack without the images of the list.

        Logs how many are excluded, and every entry that matches nothing.

        Raises:
            SourceError: not one image is left.
        """
        position = {normalize_name(path): i for i, path in enumerate(source.paths)}
        position |= {path: i for i, path in enumerate(source.paths)}
        out = np.zeros(len(source.paths), dtype=np.bool_)
        unmatched: list[str] = []
        for entry in self.entries:
            index = next((position[form] for form in _readings(entry) if form in position), None)
            if index is None:
                unmatched.append(entry)
            else:
                out[index] = True
        self._log(source, int(out.sum()), unmatched)
        if not out.any():
            return source
        if out.all():
            raise SourceError(f"{self.where} excludes every image of {source.where}.")
        return source.without(out)

    def _log(self, source: Source | Pack, count: int, unmatched: Sequence[str]) -> None:
        if count:
            _log.info(
                "%s: %s left out (%s).", source.where, format_count(count, "image"), self.where
            )
        if unmatched and not count:
            _log.warning(
                "%s: not one of its %s matches an image of %s. Paths are relative to the source, "
                "as in %s.",
                self.where,
                f"{len(unmatched):,} entries" if len(unmatched) > 1 else "1 entry",
                source.where,
                source.paths[0],
            )
        elif unmatched:
            matches = "entries match" if len(unmatched) > 1 else "entry matches"
            _log.warning(
                "%s: %d %s no image of %s: %s.",
                self.where,
                len(unmatched),
                matches,
                source.where,
                quote_names(unmatched),
            )


def exclude_listed(source: Source | Pack, exclude: Path | None) -> Source | Pack:
    """Return a source or pack without the images of a list; as it is where there is none.

    Raises:
        SourceError: the list cannot be read, or leaves no image.
    """
    return source if exclude is None else read_exclusion_list(exclude).apply(source)


def read_exclusion_list(where: Path) -> ExclusionList:
    """Read a list: a path a line, or a CSV table with a column `path`.

    What `check --exclude-to` writes is such a list, and so is a run's skipped.csv.

    Raises:
        SourceError: it is missing, or no text.
    """
    where = Path(where)
    try:
        data = read_limited(where, MAX_LIST_BYTES)
    except LimitExceeded as cause:
        raise SourceError(f"The list {where} is not read: {cause}. Name another.") from cause
    except OSError as cause:
        raise SourceError(
            f"The list {where} cannot be read: {str(cause.strerror).lower()}. Name a file with a "
            "path a line, such as alexnet check SOURCE --exclude-to writes."
        ) from cause
    if b"\0" in data and not data.startswith(_UTF16):
        raise SourceError(f"{where} is no text: a list has a path a line, or is a CSV table.")
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    errors = "strict" if encoding == "utf-16" else "surrogateescape"
    try:
        entries = _entries(data.decode(encoding, errors))
    except (UnicodeDecodeError, csv.Error) as cause:
        raise SourceError(f"{where} is damaged: {cause}. Write it again.") from cause
    return ExclusionList(where, tuple(dict.fromkeys(entries)))


def _entries(text: str) -> list[str]:
    header = text.partition("\n")[0].rstrip("\r")
    for mark in _DELIMITERS:
        cells = [*csv.reader([header], delimiter=mark), [""]][0]
        names = [name.strip().casefold() for name in cells]
        if "path" in names:
            column = names.index("path")
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))[1:]
            return [row[column] for row in rows if len(row) > column and row[column]]
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # names may hold other ends
    return [line for line in lines if line.strip()]


def _readings(entry: str) -> list[str]:
    """Return what an entry may mean: as it is, without a spreadsheet's escape, as on Windows.

    And each in composed Unicode: programs of a Mac write names decomposed.
    """
    plain = unescape_formula(entry)
    forward = entry.strip().replace("\\", "/").removeprefix("./")
    readings = [entry, plain, entry.strip(), forward]
    return [*readings, *map(normalize_name, readings)]
