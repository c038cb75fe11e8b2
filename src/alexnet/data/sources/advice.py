"""What to do with images of which no folder tells the classes: where their labels may lie."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from alexnet.data.sources.listing import FileListing
from alexnet.data.sources.names import looks_like_image, split_code
from alexnet.text import quote_names

__all__ = ["describe_unread", "where_labels_may_lie"]

_TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl")
_ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")
_NO_LABELS = ("submission", "submit")  # tables to be filled in
_NUMBERED = re.compile(r"(.*?[^\W\d])[\W_]*\d+")
_FEWEST = 2  # images that begin with the same word
_WRITE_TABLE = "write a table (CSV) with the columns path and label"

_LABELS = {
    **dict.fromkeys((".json", ".manifest"), "JSON"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "a spreadsheet"),
    ".xml": "XML",
    ".mat": "MATLAB's format",
    ".cls": "WebDataset's way, a label in each file",
    **dict.fromkeys((".yaml", ".yml"), "YAML"),
}
"""Kinds of files that may hold labels, and are not read."""

_IMAGES = {
    **dict.fromkeys((".tfrecord", ".tfrecords", ".tfrec"), "TensorFlow's format"),
    **dict.fromkeys((".npy", ".npz"), "NumPy's format"),
    **dict.fromkeys((".h5", ".hdf5"), "HDF5"),
    **dict.fromkeys((".pkl", ".pickle"), "Python's pickle"),
    **dict.fromkeys((".mdb", ".lmdb"), "LMDB"),
    **dict.fromkeys((".arrow", ".feather"), "Arrow"),
    ".rec": "MXNet's format",
    ".beton": "FFCV's format",
}
"""Kinds of files that may hold the images themselves, and are not read."""

_PACKED = {".rar": "RAR", ".7z": "7-Zip", ".zst": "Zstandard", ".lz4": "LZ4"}


def describe_unread(name: str) -> str:
    """Return what a single file is that is no source, and what to do; "" for an unknown kind."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _PACKED:
        return f"is an archive of {_PACKED[suffix]}, which is not read: unpack it"
    if suffix in _LABELS:
        return f"is written in {_LABELS[suffix]}, which is not read: {_WRITE_TABLE}"
    if suffix in _IMAGES:
        return f"holds images in {_IMAGES[suffix]}, which is not read: write them out as files"
    return ""


def where_labels_may_lie(files: FileListing) -> str:
    """Return a sentence, after a blank, on where the labels of some files may lie; or nothing."""
    in_folder = files.where.is_dir()
    tables = [
        path
        for path in files.paths
        if path.lower().endswith(_TABLE_SUFFIXES)
        and not any(word in path.rpartition("/")[2].lower() for word in _NO_LABELS)
    ]
    if tables:
        how = (
            "name that file as the source" if in_folder else "unpack the archive and name that file"
        )
        return f" To take the labels from {tables[0]}, {how}."
    archives = [path for path in files.paths if path.lower().endswith(_ARCHIVE_SUFFIXES)]
    if archives:
        return f" There are archives in it ({quote_names(archives)}): unpack them."
    words = _first_words(files.paths)
    if words:
        return (
            f" File names begin with {quote_names(words)}: if those are the classes, move the "
            f"images of each into a folder of its own, or {_WRITE_TABLE}."
        )
    return _unread(files.paths)


def _unread(paths: Iterable[str]) -> str:
    for path in paths:
        suffix = PurePosixPath(path).suffix.lower()
        if suffix in _LABELS:
            return (
                f" {path} is written in {_LABELS[suffix]}, which is not read. If it holds the "
                f"labels, {_WRITE_TABLE}."
            )
        if suffix in _IMAGES:
            return (
                f" {path} is in {_IMAGES[suffix]}, which is not read. If it holds the images, "
                "write them out as files, a folder for each class."
            )
    return ""


def _first_words(paths: Iterable[str]) -> list[str]:
    """Return what the names of numbered images begin with, where that may be the classes."""
    stems = (PurePosixPath(path).stem for path in paths if looks_like_image(path))
    matches = (_NUMBERED.fullmatch(stem) for stem in stems)
    counts = Counter(match[1] for match in matches if match is not None)
    words = [word for word in counts if split_code(word) is None]
    usable = len(words) > 1 and all(counts[word] >= _FEWEST for word in words)
    return sorted(words) if usable else []
