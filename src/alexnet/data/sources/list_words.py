"""Names of numbered classes, from a file of words beside a list: DIGITS' labels.txt and others.

labels.txt          a name a line, the first one that of class 0
synset_words.txt    the same with ImageNet's code before each name
classes.txt         either of them, or a number before each name
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from alexnet.data.sources.listing import FileListing

__all__ = ["NUMBER_WORD_FILES", "number_words", "number_words_among", "read_number_words_beside"]

NUMBER_WORD_FILES = (
    *("labels.txt", "synset_words.txt", "classes.txt", "class_names.txt", "label_names.txt"),
    *("names.txt", "synsets.txt"),
)
"""Where the names of numbered classes are looked for, in this order."""

_MAX_BYTES = 64 << 20
_SYNSET = re.compile(r"n\d{8}\s+(\S.*)")
_NUMBERED = re.compile(r"(\d+)[\s,:;=]+(\S.*)")
_PATH = re.compile(r"\.(jpe?g|png|bmp|gif|tiff?|webp)(\s|[,;\t]|$)", re.IGNORECASE)


def number_words(data: bytes, classes: Sequence[str]) -> dict[str, str]:
    """Return the names of numbered classes; none where the file cannot mean these.

    Args:
        data: the file's bytes.
        classes: "0", "1" and so on, as they are called in the table.
    """
    if not classes or not all(name.isdecimal() for name in classes):
        return {}
    lines = [line.strip() for line in data.decode("utf-8-sig", "replace").splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines or any(_PATH.search(line) for line in lines):  # a list of images itself
        return {}
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    if all(numbered):
        words = {int(match[1]): match[2].strip() for match in numbered if match is not None}
    else:
        codes = [_SYNSET.fullmatch(line) for line in lines]
        texts = [match[1] if match else line for match, line in zip(codes, lines, strict=True)]
        first = _first_number(len(lines), [int(name) for name in classes])
        words = dict(enumerate(texts, first))
    named = {name: words.get(int(name), "") for name in classes}
    return named if all(named.values()) else {}


def _first_number(lines: int, numbers: Sequence[int]) -> int:
    """Return the number of the first line: 1 where the numbers go from 1 to the last line."""
    return 1 if min(numbers) > 0 and max(numbers) == lines else 0


def read_number_words_beside(table: Path, classes: Sequence[str]) -> dict[str, str]:
    """Return the names of numbered classes, from a file in the folder of a table or list."""
    for name in NUMBER_WORD_FILES:
        path = table.with_name(name)
        try:
            if path != table and path.is_file() and path.stat().st_size <= _MAX_BYTES:
                words = number_words(path.read_bytes(), classes)
                if words:
                    return words
        except OSError:
            continue
    return {}


def number_words_among(files: FileListing, table: str, classes: Sequence[str]) -> dict[str, str]:
    """Return the names of numbered classes, from a listed file beside the table or at the top."""
    folder = table.rpartition("/")[0]
    position = {path: i for i, path in enumerate(files.paths)} if _all_numbers(classes) else {}
    for name in NUMBER_WORD_FILES:
        for path in dict.fromkeys((f"{folder}/{name}".lstrip("/"), name)):
            if path in position and path != table:
                words = number_words(files.read(position[path]), classes)
                if words:
                    return words
    return {}


def _all_numbers(classes: Sequence[str]) -> bool:
    return all(name.isdecimal() for name in classes)
