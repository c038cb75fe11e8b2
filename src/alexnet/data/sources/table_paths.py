r"""From what a table calls an image to a file: as it is written, else by the one way that fits.

    img\0.jpg          img/0.jpg         backslashes of Windows
    café.jpg           café.jpg          the same letters, composed or decomposed (a Mac's)
    0001               0001.jpg          an id; also 1, where a spreadsheet took the zeros away
    0001.jpg           train/0001.jpg    below other folders, where no second file is called so
    train/0001.jpg     0001.jpg          the table lies in train itself
    data/set/0.jpg     0.jpg             leading folders that are gone, the same for all rows
    IMG_1.JPG          img_1.jpg         capitals

Of several files that fit equally well none is taken: that is an error.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from alexnet.data.sources.folder import list_folder
from alexnet.data.sources.names import (
    decorated_split_code,
    looks_like_image,
    normalize_name,
    split_code,
)
from alexnet.errors import SourceError
from alexnet.text import quote_names

__all__ = [
    "AmbiguousPath",
    "ExternalPath",
    "FileFinder",
    "KnownFiles",
    "ListedFiles",
    "StoredFiles",
]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")  # a drive has one letter
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_DOWNLOAD = "Download the images, and write their paths relative to the folder of the table"
_RELATIVE = "Copy the images here, and write their paths relative to the folder of the table"


class AmbiguousPath(SourceError):
    """Several files that a cell may mean; the text is the end of a sentence."""


class ExternalPath(SourceError):
    """A path of another system; the text is the end of a sentence."""


class KnownFiles(Protocol):
    """The files that there are, by path relative to the folder of the table."""

    def has(self, path: str) -> bool:
        """Whether exactly this file is there."""
        ...

    def listed(self) -> Sequence[str]:
        """Return the paths of all files below the folder that may be meant."""
        ...

    def shortened(self, path: str) -> str | None:
        """Return the path without the folders that lead to the table, where it begins so."""
        ...


class StoredFiles:
    """The files below a folder; they are listed at the first one that is not where it should be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, path: str) -> bool:
        """Whether there is such a file; see `KnownFiles`."""
        return self.status(path) is not None

    def status(self, path: str) -> os.stat_result | None:
        """Return size and time of a file; None where none is there."""
        try:
            # A Path for each of a million rows takes longer than asking the system.
            status = os.stat(os.path.join(self._folder, path))  # noqa: PTH116, PTH118
        except (OSError, ValueError):
            return None
        return status if stat.S_ISREG(status.st_mode) else None

    def listed(self) -> Sequence[str]:
        """Return all files; none where a folder cannot be opened: nothing is guessed then."""
        try:
            return list(list_folder(self._folder).paths)
        except SourceError:
            return []

    def shortened(self, path: str) -> str | None:
        """Return what follows the last folders of the table's own path; see `KnownFiles`."""
        return _shorten(path, self._folder.resolve().parts)


class ListedFiles:
    """Files of a folder or an archive that were listed before.

    Args:
        paths: relative to the top.
        folder: the table's folder; "" is the top.
        root: where the files lie on this machine; "" for those of an archive.
    """

    def __init__(self, paths: Sequence[str], folder: str, root: str = "") -> None:
        self._root = f"{root.rstrip('/')}/" if root else ""
        self._start = f"{folder}/" if folder else ""
        self._paths = paths
        self._position = {path: i for i, path in enumerate(paths)}

    def position(self, path: str) -> int | None:
        """Return the position of a file among all paths."""
        if self._root and path.startswith(self._root):
            return self._position.get(path.removeprefix(self._root))
        position = self._position.get(self._from_top(path))
        return self._position.get(path) if position is None else position

    def has(self, path: str) -> bool:
        """Whether there is such a file, from the table's folder or from the top."""
        return self.position(path) is not None

    def listed(self) -> Sequence[str]:
        """Return the files below the table's folder; where there are none but itself, all."""
        below = [p.removeprefix(self._start) for p in self._paths if p.startswith(self._start)]
        return below if any(map(looks_like_image, below)) else self._paths

    def shortened(self, path: str) -> str | None:
        """Return what follows the last folders of the table's own path; see `KnownFiles`."""
        return _shorten(path, self._start.rstrip("/").split("/"))

    def _from_top(self, path: str) -> str:
        if "./" not in path and "//" not in path:
            return self._start + path
        parts: list[str] = []
        for part in (self._start + path).split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        return "/".join(parts)


class FileFinder:
    """Finds the files of a table's rows.

    Args:
        files: those that there are.
        split: code of the table's own split, or 0: of several files that a cell may mean, the one
            in a folder of this split is taken.

    Attributes:
        renamed: how many rows were found under another name, and the first of them.
        moved: the same of those found in another folder.
    """

    def __init__(self, files: KnownFiles, split: int = 0) -> None:
        self._files, self._split = files, split
        self._index: dict[str, list[str]] | None = None
        self._gone_folders = 0
        self.renamed: tuple[int, str, str] = (0, "", "")
        self.moved: tuple[int, str, str] = (0, "", "")

    def find(self, cell: str) -> str | None:
        """Return the path of the file that a cell means; None: there is none.

        Raises:
            ExternalPath, AmbiguousPath: their text begins behind "FILE, line 7: ".
        """
        for spelling in _spellings(cell):
            if self._files.has(spelling):
                return spelling
        _require_own_path(cell)
        name = cell.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/"):
            return None
        name = name.removeprefix("./")
        path = self._find_near_table(name) or self._search(self._without_gone_folders(name))
        if path is not None:
            self._count(cell, path)
        return path

    def is_file(self, cell: str) -> bool:
        """Whether a cell means a file, or one of several: it is no name of a column."""
        try:
            return bool(cell) and self._found_quietly(cell) is not None
        except AmbiguousPath:
            return True
        except ExternalPath:
            return False

    def _is_one_file(self, cell: str) -> bool:
        try:
            return self._found_quietly(cell) is not None
        except (AmbiguousPath, ExternalPath):
            return False

    def _found_quietly(self, cell: str) -> str | None:
        """Find a file without counting it."""
        before = self.renamed, self.moved
        try:
            return self.find(cell)
        finally:
            self.renamed, self.moved = before

    def settle(self, cells: Sequence[str]) -> None:
        """Find out, from the first rows, how many leading folders of all rows are gone."""
        if not cells or any(map(self.is_file, cells)):
            return
        for count in range(1, min(cell.replace("\\", "/").count("/") for cell in cells) + 1):
            self._gone_folders = count
            if all(map(self._is_one_file, cells)):
                return
        self._gone_folders = 0

    def _without_gone_folders(self, name: str) -> str:
        return name.split("/", self._gone_folders)[-1]

    def _find_near_table(self, name: str) -> str | None:
        rest = self._files.shortened(name)
        return rest if rest and self._files.has(rest) else None

    def _count(self, cell: str, path: str) -> None:
        same_folder = str(PurePosixPath(cell.replace("\\", "/")).parent) == str(
            PurePosixPath(path).parent
        )
        count, first_cell, first_path = self.renamed if same_folder else self.moved
        first = (first_cell, first_path) if count else (cell, path)
        if same_folder:
            self.renamed = (count + 1, *first)
        else:
            self.moved = (count + 1, *first)

    def _search(self, name: str) -> str | None:
        """Return the one file that fits best; see the module's head for the order."""
        if self._index is None:
            self._index = _index(self._files.listed())
        last = _fold(name.rpartition("/")[2])
        candidates = self._index.get(last, []) + (
            self._index.get(_number_key(last), []) if last.isdecimal() else []
        )
        for fits in _FITS:
            fitting = self._in_split({path for path in candidates if fits(path, name)})
            if len(fitting) > 1:
                raise AmbiguousPath(
                    f'"{name}" may be {quote_names(fitting)}. Write the whole path from the '
                    "folder of the table on"
                )
            if fitting:
                return fitting[0]
        return None

    def _in_split(self, paths: set[str]) -> list[str]:
        """Return files in order; of several those that lie in the table's split, if any do."""
        inside = {path for path in paths if _lies_in_split(path, self._split)}
        return sorted(inside if len(paths) > 1 and self._split and inside else paths)


def _lies_in_split(path: str, split: int) -> bool:
    folders = path.split("/")[:-1]
    return any(split in (split_code(name), decorated_split_code(name)) for name in folders)


def _index(paths: Sequence[str]) -> dict[str, list[str]]:
    """Return files by name, with and without suffix, and by number where the name is one."""
    index: defaultdict[str, list[str]] = defaultdict(list)
    for path in filter(looks_like_image, paths):
        name = _fold(path.rpartition("/")[2])
        stem = name.rpartition(".")[0]
        for key in {name, stem} - {""}:
            index[key].append(path)
        if stem.isdecimal():
            index[_number_key(stem)].append(path)
    return dict(index)


def _number_key(digits: str) -> str:
    return f"/{digits.lstrip('0')}"  # no name has a slash


def _fold(text: str) -> str:
    return normalize_name(text).casefold()


def _stem(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)


def _ends(path: str, name: str) -> bool:
    return path == name or path.endswith(f"/{name}")


def _ends_in_order(path: str, name: str) -> bool:
    """Whether the names are the same, and the file's folders hold the cell's in their order."""
    *folders, last = path.split("/")
    *wanted, name = name.split("/")
    rest = iter(folders)
    return last == name and all(folder in rest for folder in wanted)


def _same_number(path: str, name: str) -> bool:
    folder, _, last = _stem(path).rpartition("/")
    wanted, _, digits = name.rpartition("/")
    same = last.isdecimal() and digits.isdecimal() and last.lstrip("0") == digits.lstrip("0")
    return same and _ends_in_order(f"{folder}/x", f"{wanted}/x" if wanted else "x")


_FITS: tuple[Callable[[str, str], bool], ...] = (
    lambda path, name: normalize_name(path) == normalize_name(name),
    lambda path, name: normalize_name(_stem(path)) == normalize_name(name),
    lambda path, name: _ends(normalize_name(path), normalize_name(name)),
    lambda path, name: _ends(normalize_name(_stem(path)), normalize_name(name)),
    lambda path, name: _ends(_fold(path), _fold(name)),
    lambda path, name: _ends(_fold(_stem(path)), _fold(name)),
    lambda path, name: _ends_in_order(_fold(path), _fold(name)),
    lambda path, name: _ends_in_order(_fold(_stem(path)), _fold(name)),
    _same_number,
)
"""`fits(path, cell)`, the closest first."""


def _spellings(cell: str) -> list[str]:
    """Return what one path may be written as, the cell itself first."""
    texts = [cell, cell.replace("\\", "/")]
    if not cell.isascii():
        texts += [unicodedata.normalize(form, text) for text in texts for form in ("NFC", "NFD")]
    return list(dict.fromkeys(texts))


def _shorten(path: str, above: Sequence[str]) -> str | None:
    """Return a path without its first folders, where those are the last ones of `above`."""
    parts = path.split("/")
    for count in range(min(len(parts) - 1, len(above)), 0, -1):
        if [*map(_fold, parts[:count])] == [*map(_fold, above[-count:])]:
            return "/".join(parts[count:])
    return None


def _require_own_path(cell: str) -> None:
    """Raise ExternalPath for addresses, and for absolute paths of other systems."""
    if scheme := _SCHEME.match(cell):
        what = "a file's address" if scheme[1].lower() == "file" else "an address of the network"
        raise ExternalPath(f'"{cell}" is {what}, and a table names files. {_DOWNLOAD}')
    if _DRIVE.match(cell):
        there = "is not there" if os.name == "nt" else "this is another system"
        raise ExternalPath(f'"{cell}" is an absolute path of Windows, and {there}. {_RELATIVE}')
    if cell.startswith("\\\\"):
        raise ExternalPath(f'"{cell}" is a path to a shared folder of Windows. {_RELATIVE}')
    if cell.startswith(("~/", "~\\")):
        raise ExternalPath(f'"{cell}" begins with somebody\'s home folder. {_RELATIVE}')
