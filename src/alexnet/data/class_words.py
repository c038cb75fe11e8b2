"""Words for classes whose names are codes: `n01443537<TAB>goldfish`, one class a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alexnet.data.listing import Listing
from alexnet.errors import SourceError

__all__ = ["words_beside", "words_in"]

_NAMES = ("classes.tsv", "words.txt")  # the second is ImageNet's own
_MOST_BYTES = 64 << 20


def words_in(files: Listing, base: str, classes: Sequence[str]) -> dict[str, str]:
    """Return the words of the classes, from a file beside the class or split folders or above.

    Args:
        files: the listing of the source.
        base: the folder that holds the splits or classes.
        classes: whose words are wanted.
    """
    for name in _NAMES:
        for folder in [base, *_above(base)]:
            path = f"{folder}/{name}" if folder else name
            home = files.folders.index(folder)
            for index in np.flatnonzero(files.folder_of == home).tolist():
                if files.paths[index] == path and files.sizes[index] <= _MOST_BYTES:
                    return _words(_read(files, index), classes)
    return {}


def words_beside(table: Path, classes: Sequence[str]) -> dict[str, str]:
    """Return the words of the classes, from a file in the folder of a table."""
    for path in (table.with_name(name) for name in _NAMES):
        try:
            if path.is_file() and path.stat().st_size <= _MOST_BYTES:
                return _words(path.read_bytes(), classes)
        except OSError:
            continue
    return {}


def _read(files: Listing, index: int) -> bytes:
    try:
        return files.read(index)
    except SourceError:  # words are an ornament: nothing fails for lack of them
        return b""


def _words(data: bytes, classes: Sequence[str]) -> dict[str, str]:
    wanted = set(classes)
    lines = data.decode("utf-8-sig", "replace").splitlines()
    pairs = (line.split("\t")[:2] for line in lines if "\t" in line)
    return {code: words.strip() for code, words in pairs if code in wanted and words.strip()}


def _above(folder: str) -> list[str]:
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:n]) for n in reversed(range(len(parts)))]
