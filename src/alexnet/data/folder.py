"""Folders as sources of files: walked once, read by path."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from alexnet.data.listing import MOST_FILE_BYTES, Finds, Listing
from alexnet.data.names import passed_over
from alexnet.errors import SourceError
from alexnet.images import UnreadablePicture
from alexnet.words import shortened

__all__ = ["FolderContents", "list_folder"]

_MOST_WAYS = 1000
"""Ways to one folder through links. Links to links to links make as many as there is time for."""

_Identity = tuple[int, int]  # device and inode: what makes two names the same folder


class FolderContents:
    """Reads files by their path relative to a folder."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)

    def read(self, path: str, place: int, size: int) -> bytes:
        """Return the bytes of a file; see `Contents`."""
        del place, size
        try:
            with open(os.path.join(self._root, path), "rb") as file:  # noqa: PTH118, PTH123  # speed
                return file.read(MOST_FILE_BYTES)
        except FileNotFoundError as cause:
            raise UnreadablePicture(path, "it is gone") from cause
        except (OSError, ValueError) as cause:
            said = cause.strerror if isinstance(cause, OSError) else str(cause)
            raise UnreadablePicture(path, (said or str(cause)).lower()) from cause


def list_folder(where: Path) -> Listing:
    """Return the files below a folder, hidden and system files left out.

    Symbolic links are followed, but never into a folder that the way leads through already. Links
    that lead nowhere are listed: reading them says that the picture is gone.

    Raises:
        SourceError: a folder cannot be opened, or links lead to it on more than 1,000 ways.
    """
    finds = Finds()
    ways = Counter[_Identity]()
    waiting: list[tuple[str, tuple[_Identity, ...]]] = [("", ())]
    while waiting:
        folder, above = waiting.pop()
        full = os.path.join(where, folder) if folder else os.fspath(where)  # noqa: PTH118
        try:
            known = os.stat(full)  # noqa: PTH116
            identity = (known.st_dev, known.st_ino)
            if identity in above:
                continue
            ways[identity] += 1
            if ways[identity] > _MOST_WAYS:
                raise SourceError(
                    f"{where}: symbolic links lead to one folder, {shortened(folder)}, on more "
                    f"than {_MOST_WAYS:,} ways. Name a folder without such links."
                )
            finds.folders.add(folder)
            waiting += [(each, (*above, identity)) for each in _scan(full, folder, finds)]
        except OSError as cause:
            raise SourceError(
                f"The folder {full} cannot be opened: {(cause.strerror or str(cause)).lower()}. "
                "Give yourself the right to read it, or move it out of the way."
            ) from cause
    return finds.listing(where, FolderContents(where))


def _scan(full: str, folder: str, finds: Finds) -> list[str]:
    """Note the files of one folder; return the folders in it."""
    inner: list[str] = []
    start = f"{folder}/" if folder else ""
    with os.scandir(full) as entries:
        for entry in entries:
            if passed_over(entry.name):
                continue
            path = start + entry.name
            try:
                if entry.is_dir():
                    inner.append(path)
                elif entry.is_file():
                    known = entry.stat()
                    finds.add(path, known.st_size, known.st_mtime_ns)
                elif entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110
                    finds.add(path, 0, 0)
            except OSError:  # it vanished meanwhile, or links go round in a ring
                finds.add(path, 0, 0)
    return inner
