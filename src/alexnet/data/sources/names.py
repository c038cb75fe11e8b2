"""What the names of files and folders say: splits, order of classes, what is no image at all."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

__all__ = [
    "SPLITS",
    "is_hidden",
    "is_ignored",
    "looks_like_image",
    "natural_key",
    "safe_path",
    "split_code",
]

SPLITS = ("", "train", "val", "test")
"""The splits in the order of their codes; "" stands for images of no split."""

_SPLIT_NAMES = {
    "train": 1,
    "training": 1,
    "val": 2,
    "valid": 2,
    "validation": 2,
    "test": 3,
    "testing": 3,
}

_SYSTEM = frozenset(
    ["thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "icon\r", "lost+found"]
)

_OTHER_SUFFIXES = frozenset(
    [
        *(".txt", ".text", ".md", ".rst", ".log", ".html", ".htm", ".css", ".js"),
        *(".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg"),
        *(".parquet", ".arrow", ".sqlite", ".npy", ".npz", ".mat", ".pkl", ".pickle"),
        *(".py", ".pyc", ".ipynb", ".sh", ".bat", ".m", ".r"),
        *(".pt", ".pth", ".h5", ".hdf5", ".safetensors", ".onnx"),
        *(".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".sha256", ".md5"),
    ]
)
"""Suffixes of texts, tables, programs, weights and archives."""

_OTHER_NAMES = frozenset(
    ["readme", "license", "licence", "notice", "authors", "changelog", "makefile"]
)


def split_code(name: str) -> int | None:
    """Return the position in `SPLITS` that a folder or a cell of a table names; None: no split."""
    return _SPLIT_NAMES.get(name.strip().casefold())


def is_ignored(name: str) -> bool:
    """Whether a file or folder is hidden or the system's own: no image."""
    return name.startswith(".") or name.casefold() in _SYSTEM


def is_hidden(path: str) -> bool:
    """Whether a file or a folder that it lies in is ignored."""
    return any(is_ignored(part) for part in path.split("/"))


def looks_like_image(name: str) -> bool:
    """Whether a file might be an image: all but texts, tables, archives and the like.

    Only the content tells for sure. This is for files whose folder does not say that they are
    images.
    """
    path = PurePosixPath(name)
    return path.suffix.lower() not in _OTHER_SUFFIXES and path.name.casefold() not in _OTHER_NAMES


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return what sorts names as people do: "2" before "10", "img9" before "img10".

    Digits count as whole numbers, whatever zeros lead them; all other letters by their code.
    """
    parts = re.split("([0-9]+)", name)
    key = [
        (len(part.lstrip("0")), part.lstrip("0")) if number % 2 else (0, part)
        for number, part in enumerate(parts)
    ]
    return key, name


def safe_path(name: str) -> str | None:
    """Return the path of an archive's member relative to the archive; None where it leaves it.

    Absolute names, drives and ".." are refused; "./" and doubled separators mean nothing.
    """
    if "\0" in name or name.startswith("/") or re.match("[A-Za-z]:", name):
        return None
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        return None
    return "/".join(parts)
