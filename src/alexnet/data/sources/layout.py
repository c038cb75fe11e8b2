"""What folders mean: which are splits, which are classes, and which only wrap everything.

    ant/..., bee/...                               classes, no split
    train/ant/..., val/ant/..., test/bee/...       splits above the classes
    photos/train/ant/2019/summer/...               one wrapper above; deeper folders belong to ant

Legend: N images.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.sources.listing import FileListing
from alexnet.data.sources.names import SPLITS, looks_like_image, natural_key, split_code
from alexnet.errors import SourceError
from alexnet.text import format_count, quote_names

__all__ = ["Layout", "read_class_words", "read_class_words_beside", "read_layout"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Layout:
    """The images among some files: split by split, class by class, by path."""

    base: str  # the folder that holds the splits or classes, below any wrappers
    classes: tuple[str, ...]
    indices: NDArray[np.int64]  # (N,) in the listing
    labels: NDArray[np.int64]  # (N,) positions in `classes`
    splits: NDArray[np.uint8]  # (N,) positions in `SPLITS`


@dataclass(frozen=True)
class _Levels:
    """On which level the classes lie."""

    base: str
    splits: Mapping[str, int] | None  # folders in `base` that are splits; None: it holds classes

    def class_and_split(self, folder: str) -> tuple[str, int] | None:
        """Return class and split of the files in a folder; None: it lies above the classes."""
        parts = _parts_below(folder, self.base)
        if self.splits is None:
            return (parts[0], 0) if parts else None
        if len(parts) < 2 or parts[0] not in self.splits:
            return None
        return parts[1], self.splits[parts[0]]


@dataclass
class _Child:
    """What a folder at the level of splits or classes holds."""

    has_files: bool = False  # that may be images, not in a deeper folder
    inner: set[str] = field(default_factory=set[str])  # folders in it with such files below


def read_layout(files: FileListing) -> Layout:
    """Read classes and splits off the folders of a listing; without a class folder it is empty.

    Raises:
        SourceError: a folder may be a split or a class.
    """
    folders = _folders_with_images(files)
    base, children = _unwrap(folders)
    levels = _Levels(base, _find_splits(files, children))
    meanings = {folder: levels.class_and_split(folder) for folder in folders}
    known = {folder: meaning for folder, meaning in meanings.items() if meaning is not None}
    if known:
        _warn_of_files_outside(files, [folder for folder in folders if folder not in known])
        _warn_of_empty_folders(files, levels, set(known.values()))
    return _label_files(files, base, known)


def _label_files(files: FileListing, base: str, meanings: Mapping[str, tuple[str, int]]) -> Layout:
    """Give each file the class and the split of its folder."""
    classes = sorted({name for name, _ in meanings.values()}, key=natural_key)
    position = {name: i for i, name in enumerate(classes)}
    label_of = np.full(len(files.folders), -1, dtype=np.int64)
    split_of = np.zeros(len(files.folders), dtype=np.uint8)
    for i, folder in enumerate(files.folders):
        if folder in meanings:
            label_of[i], split_of[i] = position[meanings[folder][0]], meanings[folder][1]
    labels, splits = label_of[files.folder_of], split_of[files.folder_of]
    order = np.lexsort((labels, splits))  # stable: within a class the files stay in order
    indices = order[labels[order] >= 0]
    return Layout(base, tuple(classes), indices, labels[indices], splits[indices])


def _folders_with_images(files: FileListing) -> list[str]:
    """Return the folders in which at least one file may be an image."""
    with_images: set[int] = set()
    for folder, path in zip(files.folder_of.tolist(), files.paths, strict=True):
        if folder not in with_images and looks_like_image(path):
            with_images.add(folder)
    return [files.folders[i] for i in sorted(with_images)]


def _unwrap(folders: Sequence[str]) -> tuple[str, dict[str, _Child]]:
    """Go down where a single folder wraps everything; return the base and the folders in it."""
    base = ""
    while True:
        children = _children(folders, base)
        name, only = next(iter(children.items()), ("", _Child()))
        wraps = len(only.inner) > (1 if only.has_files else 0)
        if len(children) != 1 or not wraps or split_code(name) is not None:
            return base, children
        base = f"{base}/{name}" if base else name


def _children(folders: Sequence[str], base: str) -> dict[str, _Child]:
    children: dict[str, _Child] = {}
    for folder in folders:
        name, *deeper = _parts_below(folder, base) or [""]
        if name:
            child = children.setdefault(name, _Child())
            child.has_files |= not deeper
            child.inner.update(deeper[:1])
    return children


def _find_splits(files: FileListing, children: Mapping[str, _Child]) -> dict[str, int] | None:
    """Return the folders that are splits, with their codes; None: all folders are classes."""
    codes = {name: code for name in children if (code := split_code(name)) is not None}
    others = [name for name in children if name not in codes]
    with_folders = [name for name in codes if children[name].inner]
    if codes and others and not with_folders:
        _log.warning(
            "%s: %s is taken for a class, for it lies beside %s and holds no class folders.",
            files.where,
            quote_names(codes),
            quote_names(others),
        )
        return None
    if others and len({codes[name] for name in with_folders}) == 1:
        raise SourceError(
            f"{files.where} has {quote_names(with_folders)} beside {quote_names(others)}, and "
            "nobody can tell whether that is a split or a class. Splits are called "
            f"{', '.join(SPLITS[1:])}: rename the folders, or move away what does not belong there."
        )
    if codes and others:
        _log.warning("%s: %s left out: splits have other names.", files.where, quote_names(others))
    return codes or None


def _warn_of_files_outside(files: FileListing, folders: Sequence[str]) -> None:
    """Warn of files that may be images and lie outside all class folders."""
    outside = [i for i, folder in enumerate(files.folders) if folder in set(folders)]
    loose = np.flatnonzero(np.isin(files.folder_of, outside)).tolist()
    paths = [path for path in map(files.paths.__getitem__, loose) if looks_like_image(path)]
    if paths:
        _log.warning(
            "%s: %s in no class folder left out: %s.",
            files.where,
            format_count(len(paths), "file"),
            quote_names(paths),
        )


def _warn_of_empty_folders(files: FileListing, levels: _Levels, used: set[tuple[str, int]]) -> None:
    """Warn of folders on the level of the classes that hold no image."""
    depth = 1 if levels.splits is None else 2
    folders = [each for each in files.folders if len(_parts_below(each, levels.base)) == depth]
    meanings = ((folder, levels.class_and_split(folder)) for folder in folders)
    empty = [folder for folder, meaning in meanings if meaning and meaning not in used]
    if empty:
        _log.warning("%s: %s without images passed over.", files.where, quote_names(empty))


def _parts_below(folder: str, base: str) -> list[str]:
    """Return the names between `base` and `folder`; none where it does not lie below."""
    start = f"{base}/" if base else ""
    rest = folder[len(start) :] if folder.startswith(start) else ""
    return rest.split("/") if rest else []


_WORD_FILES = ("classes.tsv", "words.txt")  # the second is ImageNet's own
_MAX_WORD_BYTES = 64 << 20


def read_class_words(files: FileListing, base: str, classes: Sequence[str]) -> dict[str, str]:
    """Return the words of the classes, from a file beside the class or split folders or above.

    Args:
        files: the listing of the source.
        base: the folder that holds the splits or classes.
        classes: whose words are wanted.
    """
    for name in _WORD_FILES:
        for folder in [base, *_ancestors(base)]:
            path = f"{folder}/{name}" if folder else name
            number = files.folders.index(folder)
            for index in np.flatnonzero(files.folder_of == number).tolist():
                if files.paths[index] == path and files.sizes[index] <= _MAX_WORD_BYTES:
                    return _parse_words(_read(files, index), classes)
    return {}


def read_class_words_beside(table: Path, classes: Sequence[str]) -> dict[str, str]:
    """Return the words of the classes, from a file in the folder of a table."""
    for path in (table.with_name(name) for name in _WORD_FILES):
        try:
            if path.is_file() and path.stat().st_size <= _MAX_WORD_BYTES:
                return _parse_words(path.read_bytes(), classes)
        except OSError:
            continue
    return {}


def _read(files: FileListing, index: int) -> bytes:
    try:
        return files.read(index)
    except SourceError:  # nothing fails for lack of words
        return b""


def _parse_words(data: bytes, classes: Sequence[str]) -> dict[str, str]:
    known = set(classes)
    lines = data.decode("utf-8-sig", "replace").splitlines()
    pairs = (line.split("\t")[:2] for line in lines if "\t" in line)
    return {code: words.strip() for code, words in pairs if code in known and words.strip()}


def _ancestors(folder: str) -> list[str]:
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:n]) for n in reversed(range(len(parts)))]
