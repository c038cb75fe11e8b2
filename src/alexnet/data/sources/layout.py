"""What folders mean: which are splits, which are classes, and which only wrap everything.

    ant/..., bee/...                               classes, no split
    train/ant/..., val/ant/..., test/bee/...       splits above the classes
    photos/train/ant/2019/summer/...               one wrapper above; deeper folders belong to ant
    training_set/ant/..., "Test Data"/ant/...      splits in all but name: the same folders in both
    2019/ant/..., 2020/ant/...                     refused: either may be the classes

Legend: N images.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.sources.levels import Levels, find_levels
from alexnet.data.sources.listing import FileListing
from alexnet.data.sources.names import (
    describe_suffixes,
    looks_like_image,
    natural_key,
    normalize_name,
)
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


def read_layout(
    files: FileListing,
    *,
    images: NDArray[np.bool_] | None = None,
    class_depth: int | None = None,
) -> Layout:
    """Read classes and splits off the folders of a listing; without a class folder it is empty.

    Args:
        files: the images, and what lies beside them.
        images: (N,) which files are images; None: as their names say.
        class_depth: on which level the class folders lie, 1 for the top folders; None: as names
            and structure say.

    Raises:
        SourceError: a folder may be a split or a class.
    """
    if images is None:
        images = np.array([looks_like_image(path) for path in files.paths], dtype=np.bool_)
    with_images: list[int] = sorted(set(files.folder_of[images].tolist()))
    folders = [files.folders[i] for i in with_images]
    levels = find_levels(files.where, folders, class_depth)
    meanings = {folder: levels.class_and_split(folder) for folder in folders}
    known = {folder: meaning for folder, meaning in meanings.items() if meaning is not None}
    if known:
        _warn_of_files_outside(files, images, [name for name in folders if name not in known])
        _say_sidecars(files, images, known)
        _warn_of_empty_folders(files, levels, {(normalize_name(k), s) for k, s in known.values()})
    return _label_files(files, images, levels.base, known)


def _label_files(
    files: FileListing,
    images: NDArray[np.bool_],
    base: str,
    meanings: Mapping[str, tuple[str, int]],
) -> Layout:
    """Give each file the class and the split of its folder.

    Names in composed and in decomposed Unicode are one class: under the name that is there, or
    under the composed one where both are.
    """
    spellings: dict[str, set[str]] = {}
    for name, _ in meanings.values():
        spellings.setdefault(normalize_name(name), set()).add(name)
    names = {key: next(iter(seen)) if len(seen) == 1 else key for key, seen in spellings.items()}
    classes = sorted(names.values(), key=natural_key)
    position = {normalize_name(name): i for i, name in enumerate(classes)}
    label_of = np.full(len(files.folders), -1, dtype=np.int64)
    split_of = np.zeros(len(files.folders), dtype=np.uint8)
    for i, folder in enumerate(files.folders):
        if folder in meanings:
            name, split_of[i] = meanings[folder]
            label_of[i] = position[normalize_name(name)]
    labels, splits = label_of[files.folder_of], split_of[files.folder_of]
    order = np.lexsort((labels, splits))  # stable: within a class the files stay in order
    indices = order[(labels[order] >= 0) & images[order]]
    return Layout(base, tuple(classes), indices, labels[indices], splits[indices])


def _warn_of_files_outside(
    files: FileListing, images: NDArray[np.bool_], folders: Sequence[str]
) -> None:
    """Warn of images that lie outside all class folders."""
    outside = _in_folders(files, folders) & images
    paths = [files.paths[i] for i in np.flatnonzero(outside).tolist()]
    if paths:
        _log.warning(
            "%s: %s in no class folder left out: %s.",
            files.where,
            format_count(len(paths), "file"),
            quote_names(paths),
        )


def _say_sidecars(files: FileListing, images: NDArray[np.bool_], folders: Iterable[str]) -> None:
    """Say how many files of which kinds lie in class folders and are no images."""
    beside = _in_folders(files, folders) & ~images
    beside_paths = [files.paths[i] for i in np.flatnonzero(beside).tolist()]
    kinds = describe_suffixes(beside_paths, most=12)
    if kinds:
        _log.info("%s: passed over beside the images, for they are none: %s.", files.where, kinds)


def _in_folders(files: FileListing, folders: Iterable[str]) -> NDArray[np.bool_]:
    """Return (N,) which files lie in one of some folders, and not deeper."""
    wanted = {*folders}
    chosen = np.array([folder in wanted for folder in files.folders], dtype=np.bool_)
    return chosen[files.folder_of]


def _warn_of_empty_folders(files: FileListing, levels: Levels, used: set[tuple[str, int]]) -> None:
    """Warn of folders on the level of the classes that hold no image."""
    folders = [each for each in files.folders if each and each.rpartition("/")[0] in levels.roots]
    meanings = ((folder, levels.class_and_split(folder)) for folder in folders)
    empty = [
        folder
        for folder, meaning in meanings
        if meaning and (normalize_name(meaning[0]), meaning[1]) not in used
    ]
    if empty:
        _log.warning("%s: %s without images passed over.", files.where, quote_names(empty))


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
    known = {normalize_name(name): name for name in classes}
    lines = data.decode("utf-8-sig", "replace").splitlines()
    pairs = (line.split("\t")[:2] for line in lines if "\t" in line)
    coded = ((normalize_name(code), words.strip()) for code, words in pairs)
    return {known[code]: words for code, words in coded if code in known and words}


def _ancestors(folder: str) -> list[str]:
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:n]) for n in reversed(range(len(parts)))]
