"""What folders mean: which name a split, which a class, and which are mere wrappers.

    ant/..., bee/...                               classes, no split
    train/ant/..., val/ant/..., test/bee/...       splits above the classes
    photos/train/ant/2019/summer/...               one wrapper above; deeper folders belong to ant

Legend: N pictures.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.sources.folder import Listing
from alexnet.data.sources.names import SPLITS, looks_like_picture, natural_key, split_code
from alexnet.errors import SourceError
from alexnet.text import counted, some

__all__ = ["Layout", "laid_out", "words_beside", "words_in"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Layout:
    """The pictures among some files: split by split, class by class, by path."""

    base: str  # the folder that holds the splits or classes, below any wrappers
    classes: tuple[str, ...]
    chosen: NDArray[np.int64]  # (N,) positions in the listing
    labels: NDArray[np.int64]  # (N,) positions in `classes`
    splits: NDArray[np.uint8]  # (N,) positions in `SPLITS`


@dataclass(frozen=True)
class _Reading:
    """How the folders are read."""

    base: str
    splits: Mapping[str, int] | None  # folders in `base` that are splits; None: it holds classes

    def home(self, folder: str) -> tuple[str, int] | None:
        """Return class and split of what lies in a folder; None: it lies above the classes."""
        parts = _parts_below(folder, self.base)
        if self.splits is None:
            return (parts[0], 0) if parts else None
        if len(parts) < 2 or parts[0] not in self.splits:
            return None
        return parts[1], self.splits[parts[0]]


@dataclass
class _Child:
    """What a folder at the level of splits or classes holds."""

    direct: bool = False  # files that may be pictures lie in it
    inner: set[str] = field(default_factory=set[str])  # folders in it with such files below


def laid_out(files: Listing) -> Layout:
    """Read classes and splits off the folders of a listing; without a class folder it is empty.

    Raises:
        SourceError: a folder may be a split or a class.
    """
    full = _folders_with_pictures(files)
    base, children = _below_wrappers(full)
    reading = _Reading(base, _split_folders(files, children))
    homes = {each: home for each in full if (home := reading.home(each)) is not None}
    if homes:
        _say_what_is_left_out(files, [each for each in full if each not in homes])
        _say_empty(files, reading, set(homes.values()))
    return _columns(files, base, homes)


def _columns(files: Listing, base: str, homes: Mapping[str, tuple[str, int]]) -> Layout:
    """Give each file the class and the split of its folder."""
    classes = sorted({name for name, _ in homes.values()}, key=natural_key)
    position = {name: i for i, name in enumerate(classes)}
    label_of = np.full(len(files.folders), -1, dtype=np.int64)
    split_of = np.zeros(len(files.folders), dtype=np.uint8)
    for i, folder in enumerate(files.folders):
        if folder in homes:
            label_of[i], split_of[i] = position[homes[folder][0]], homes[folder][1]
    labels, splits = label_of[files.folder_of], split_of[files.folder_of]
    order = np.lexsort((labels, splits))  # stable: within a class the files stay in order
    chosen = order[labels[order] >= 0]
    return Layout(base, tuple(classes), chosen, labels[chosen], splits[chosen])


def _folders_with_pictures(files: Listing) -> list[str]:
    """Return the folders in which at least one file may be a picture."""
    found: set[int] = set()
    for home, path in zip(files.folder_of.tolist(), files.paths, strict=True):
        if home not in found and looks_like_picture(path):
            found.add(home)
    return [files.folders[i] for i in sorted(found)]


def _below_wrappers(full: Sequence[str]) -> tuple[str, dict[str, _Child]]:
    """Go down where a single folder wraps everything; return the base and the folders in it."""
    base = ""
    while True:
        children = _children(full, base)
        name, only = next(iter(children.items()), ("", _Child()))
        wraps = len(only.inner) > (1 if only.direct else 0)
        if len(children) != 1 or not wraps or split_code(name) is not None:
            return base, children
        base = f"{base}/{name}" if base else name


def _children(full: Sequence[str], base: str) -> dict[str, _Child]:
    found: dict[str, _Child] = {}
    for folder in full:
        name, *deeper = _parts_below(folder, base) or [""]
        if name:
            child = found.setdefault(name, _Child())
            child.direct |= not deeper
            child.inner.update(deeper[:1])
    return found


def _split_folders(files: Listing, children: Mapping[str, _Child]) -> dict[str, int] | None:
    """Return the folders that are splits, with their codes; None: all folders are classes."""
    codes = {name: code for name in children if (code := split_code(name)) is not None}
    others = [name for name in children if name not in codes]
    whole = [name for name in codes if children[name].inner]
    if codes and others and not whole:
        _log.warning(
            "%s: %s is taken for a class, for it lies beside %s and holds no class folders.",
            files.where,
            some(codes),
            some(others),
        )
        return None
    if others and len({codes[name] for name in whole}) == 1:
        raise SourceError(
            f"{files.where} has {some(whole)} beside {some(others)}, and nobody can tell whether "
            f"that is a split or a class. Splits are called {', '.join(SPLITS[1:])}: rename the "
            "folders, or move away what does not belong there."
        )
    if codes and others:
        _log.warning("%s: %s left out: splits have other names.", files.where, some(others))
    return codes or None


def _say_what_is_left_out(files: Listing, folders: Sequence[str]) -> None:
    """Say which files that may be pictures lie outside all class folders."""
    outside = [i for i, folder in enumerate(files.folders) if folder in set(folders)]
    loose = np.flatnonzero(np.isin(files.folder_of, outside)).tolist()
    paths = [path for path in map(files.paths.__getitem__, loose) if looks_like_picture(path)]
    if paths:
        _log.warning(
            "%s: %s in no class folder left out: %s.",
            files.where,
            counted(len(paths), "file"),
            some(paths),
        )


def _say_empty(files: Listing, reading: _Reading, used: set[tuple[str, int]]) -> None:
    """Say which folders at the level of the classes hold no picture."""
    depth = 1 if reading.splits is None else 2
    level = [each for each in files.folders if len(_parts_below(each, reading.base)) == depth]
    homes = ((folder, reading.home(folder)) for folder in level)
    empty = [folder for folder, home in homes if home is not None and home not in used]
    if empty:
        _log.warning("%s: %s without pictures passed over.", files.where, some(empty))


def _parts_below(folder: str, base: str) -> list[str]:
    """Return the names on the way from `base` to `folder`; none where it does not lie below."""
    start = f"{base}/" if base else ""
    rest = folder[len(start) :] if folder.startswith(start) else ""
    return rest.split("/") if rest else []


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
