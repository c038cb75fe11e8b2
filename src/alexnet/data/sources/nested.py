"""Archives in folders and archives: one tar for each class, as ImageNet's training images come.

Where a folder or an archive holds archives and no image, those are listed in its place, each as a
folder of its own name without the suffix. Nothing is unpacked that can be read where it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from alexnet.data.sources.archive import is_compressed, list_archive, list_inner_archive
from alexnet.data.sources.file_bytes import FileBytes
from alexnet.data.sources.folder import list_folder
from alexnet.data.sources.listing import FileListing, ListingBuilder
from alexnet.data.sources.sidecars import image_mask
from alexnet.images import UnreadableImage

__all__ = ["list_files"]

_SUFFIXES = (".tar", ".zip", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
_MAX_DEPTH = 3  # of archives in archives in archives
_MAX_ARCHIVES = 10_000


class _MemberOpener(Protocol):
    """What a reader can do whose files may be archives."""

    def open_member(self, path: str, position: int, size: int) -> FileBytes:
        """Return one of the files, to be read by position."""
        ...


class NestedReader:
    """Reads files of several listings by one number."""

    def __init__(self, listings: Sequence[FileListing]) -> None:
        self._listings = listings
        self._ends = np.cumsum([len(each) for each in listings])

    def read(self, path: str, position: int, size: int) -> bytes:
        """Return the bytes of a file; see `FileReader`."""
        del size
        files, index = self._find(position)
        try:
            return files.read(index)
        except UnreadableImage as error:
            raise UnreadableImage(path, error.reason) from error

    def read_start(self, path: str, position: int, count: int) -> bytes:
        """Return the first bytes of a file; see `FileReader`."""
        files, index = self._find(position)
        try:
            return files.read_start(index, count)
        except UnreadableImage as error:
            raise UnreadableImage(path, error.reason) from error

    def open_member(self, path: str, position: int, size: int) -> FileBytes:
        """Return one of the files, to be read by position."""
        del path, size
        return _open_file(*self._find(position))

    def _find(self, position: int) -> tuple[FileListing, int]:
        number = int(np.searchsorted(self._ends, position, side="right"))
        return self._listings[number], position - int(self._ends[number]) + len(
            self._listings[number]
        )


def list_files(where: Path, *, name_encoding: str | None = None) -> FileListing | None:
    """Return the files of a folder or an archive; None: it is neither.

    Args:
        where: the folder or archive.
        name_encoding: of names in archives that do not say it; None: as they are told by.

    Raises:
        SourceError: it is damaged, or holds archives that cannot be read in place.
    """
    if where.is_dir():
        files = list_folder(where)
    else:
        files = list_archive(where, name_encoding=name_encoding)
    for _ in range(_MAX_DEPTH):
        archives = [] if files is None else _inner_archives(files)
        if files is None or not archives:
            break
        files = _join(files, archives, name_encoding)
    return files


def _inner_archives(files: FileListing) -> list[int]:
    """Return the archives among some files, where there is no image beside them."""
    archives = [i for i, path in enumerate(files.paths) if path.lower().endswith(_SUFFIXES)]
    if not archives or len(archives) > _MAX_ARCHIVES or image_mask(files).any():
        return []
    return archives


def _join(files: FileListing, archives: Sequence[int], name_encoding: str | None) -> FileListing:
    """List the files of inner archives under their names, and what lies beside them."""
    beside = np.ones(len(files), dtype=np.bool_)
    beside[list(archives)] = False
    rest = files.take(np.flatnonzero(beside))
    prefixes = ["", *(_without_suffix(files.paths[i]) for i in archives)]
    listings = [rest, *(_list_inner(files, i, name_encoding) for i in archives)]
    outer_stamps = [0, *files.stamps[list(archives)].tolist()]  # for tars, which have none inside
    builder = ListingBuilder()
    builder.folders.update(files.folders)
    position = 0
    for prefix, listing, outer in zip(prefixes, listings, outer_stamps, strict=True):
        start = f"{prefix}/" if prefix else ""
        builder.folders.update(start + folder for folder in listing.folders if folder)
        builder.folders.update([prefix] if prefix else [])
        times = [0] * len(listing) if listing.times is None else listing.times.tolist()
        for path, size, stamp, time in zip(
            listing.paths, listing.sizes.tolist(), listing.stamps.tolist(), times, strict=True
        ):
            builder.add(start + path, size, stamp or outer, position, time)
            position += 1
    return builder.build(files.where, NestedReader(listings))


def _list_inner(files: FileListing, index: int, name_encoding: str | None) -> FileListing:
    where = files.where / files.paths[index]
    inner = _open_file(files, index)
    on_disk = is_compressed(inner) and where.is_file()
    listing = list_archive(where, name_encoding=name_encoding) if on_disk else None
    if listing is not None:
        return listing
    return list_inner_archive(where, inner, name_encoding=name_encoding)


def _open_file(files: FileListing, index: int) -> FileBytes:
    opener = cast("_MemberOpener", files.reader)
    return opener.open_member(
        files.paths[index], int(files.positions[index]), int(files.sizes[index])
    )


def _without_suffix(path: str) -> str:
    """Return an archive's path without its suffix, both parts of .tar.gz."""
    length = max(len(suffix) for suffix in _SUFFIXES if path.lower().endswith(suffix))
    return path[:-length] or path
