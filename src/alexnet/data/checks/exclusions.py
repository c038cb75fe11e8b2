"""Lists of pictures to leave out: which ones a check proposes, reading such a list, applying it.

The rule of the proposal, picture by picture:

    it cannot be read, or is blank                 out
    copies (also near ones) of different classes   all out: nobody knows which label is right
    copies in different splits                     test keeps its own, then val, then train
    copies within a split                          the first in the source's order stays
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
from alexnet.data.sources.layout import some
from alexnet.data.sources.source import Source
from alexnet.errors import SourceError
from alexnet.text import counted

__all__ = ["Exclusion", "copies_to_leave_out", "leave_out", "read_exclusion"]

_log = logging.getLogger(__name__)

_DELIMITERS = ",;\t"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def copies_to_leave_out(
    group: Sequence[int], labels: NDArray[np.int64], splits: NDArray[np.uint8]
) -> tuple[list[int], int | None]:
    """Return which of some copies are better left out, and which one stays.

    Args:
        group: the copies, positions in a source, rising.
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
class Exclusion:
    """The entries of a list of pictures to leave out."""

    where: Path
    entries: tuple[str, ...]

    def apply(self, source: Source | Pack) -> Source | Pack:
        """Return a source or pack without the pictures of the list.

        How many went is said, and so is every entry that matches nothing.

        Raises:
            SourceError: not one picture is left.
        """
        position = {path: i for i, path in enumerate(source.paths)}
        out = np.zeros(len(position), dtype=np.bool_)
        strange: list[str] = []
        for entry in self.entries:
            place = next((position[each] for each in _readings(entry) if each in position), None)
            if place is None:
                strange.append(entry)
            else:
                out[place] = True
        self._say(source, int(out.sum()), strange)
        if not out.any():
            return source
        if out.all():
            raise SourceError(f"{self.where} excludes every picture of {source.where}.")
        return source.without(out)

    def _say(self, source: Source | Pack, count: int, strange: Sequence[str]) -> None:
        if count:
            _log.info("%s: %s left out (%s).", source.where, counted(count, "picture"), self.where)
        if strange and not count:
            _log.warning(
                "%s: not one of its %s matches a picture of %s. Paths are relative to the source, "
                "as in %s.",
                self.where,
                f"{len(strange):,} entries" if len(strange) > 1 else "1 entry",
                source.where,
                source.paths[0],
            )
        elif strange:
            matches = "entries match" if len(strange) > 1 else "entry matches"
            _log.warning(
                "%s: %d %s no picture of %s: %s.",
                self.where,
                len(strange),
                matches,
                source.where,
                some(strange),
            )


def leave_out(source: Source | Pack, listed: Path | None) -> Source | Pack:
    """Return a source or pack without the pictures of a list; as it is where there is none.

    Raises:
        SourceError: the list cannot be read, or leaves no picture.
    """
    return source if listed is None else read_exclusion(listed).apply(source)


def read_exclusion(where: Path) -> Exclusion:
    """Read a list: a path a line, or a CSV table with a column `path`.

    What `check --exclude-to` writes is such a list, and so is a run's skipped.csv.

    Raises:
        SourceError: it is missing, or no text.
    """
    where = Path(where)
    try:
        data = where.read_bytes()
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
    return Exclusion(where, tuple(dict.fromkeys(entries)))


def _entries(text: str) -> list[str]:
    header = text.partition("\n")[0].rstrip("\r")
    for mark in _DELIMITERS:
        cells = [*csv.reader([header], delimiter=mark), [""]][0]
        names = [name.strip().casefold() for name in cells]
        if "path" in names:
            column = names.index("path")
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))[1:]
            return [row[column] for row in rows if len(row) > column and row[column]]
    return [line for line in text.splitlines() if line.strip()]


def _readings(entry: str) -> list[str]:
    """Return what an entry may mean: as it is, without a spreadsheet's guard, as on Windows."""
    plain = entry.removeprefix("'")
    forward = entry.strip().replace("\\", "/").removeprefix("./")
    return [entry, plain, entry.strip(), forward]
