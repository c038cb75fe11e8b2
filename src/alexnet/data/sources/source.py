"""Sources: labelled pictures in a folder, an archive or a table, listed and not yet read.

Legend: N pictures.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.index import Paths
from alexnet.data.packs.journal import JOURNAL
from alexnet.data.packs.pack import HEADER, Pack, open_pack
from alexnet.data.sources.archive import list_archive
from alexnet.data.sources.errors import (
    ACCEPTED,
    check_classes,
    no_class_folders,
    no_such_source,
    strange_file,
)
from alexnet.data.sources.folder import Listing, list_folder
from alexnet.data.sources.layout import laid_out, words_beside, words_in
from alexnet.data.sources.table import PARQUET, looks_like_table, read_table
from alexnet.errors import SourceError
from alexnet.files import refuse_long

__all__ = ["Source", "open_source"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Source:
    """Labelled picture files; made by `open_source`."""

    files: Listing  # N of them
    classes: tuple[str, ...]
    class_words: Mapping[str, str]  # of classes whose names are codes
    labels: NDArray[np.int64]  # (N,) positions in `classes`
    splits: NDArray[np.uint8]  # (N,) positions in `SPLITS`
    signature: str  # 64 hex digits that stand for classes, paths, labels, splits and sizes
    stat_signature: str  # the same with the files' times or checksums
    excluded: tuple[str, ...] = field(default=(), repr=False)  # paths that were left out on purpose

    @property
    def where(self) -> Path:
        """The folder, archive or table as it was named."""
        return self.files.where

    @property
    def paths(self) -> Paths:
        """Where each picture lies, relative, with "/" between the parts."""
        return self.files.paths

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(N,) bytes of each picture file."""
        return self.files.sizes

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> bytes:
        """Return the bytes of a picture file; several threads may read at once.

        Raises:
            UnreadablePicture: it is gone, too large, or damaged inside its archive.
        """
        return self.files.read(index)

    def without(self, out: NDArray[np.bool_]) -> Source:
        """Return the source without some pictures; the classes and their order stay.

        Args:
            out: (N,) which pictures are left out.
        """
        kept = np.flatnonzero(~out)
        gone = tuple(self.paths[i] for i in np.flatnonzero(out).tolist())
        files, labels, splits = self.files.take(kept), self.labels[kept], self.splits[kept]
        left = _source(files, self.classes, self.class_words, labels, splits)
        return replace(left, excluded=(*self.excluded, *gone))


def open_source(path: Path, *, fewest_classes: int = 2, as_found: bool = False) -> Source | Pack:
    """Look through a source of labelled pictures; not one of them is read yet.

    Args:
        path: a folder with one folder for each class, with or without train, val and test above;
            the same inside a .zip, .tar or .tar.gz; a CSV or Parquet table with the columns path,
            label and perhaps split; or a pack.
        fewest_classes: fewer are refused; 1 where pictures are only measured.
        as_found: take any classes in any splits without a remark, to look at and not to learn from.

    Returns:
        The source, its pictures split by split, class by class and by path, or as the table has
        them; or the pack.

    Raises:
        SourceError: nothing is there, or it cannot be used; the sentence says what was seen.
    """
    path = Path(path)
    refuse_long(path / HEADER, SourceError)
    if (path / HEADER).is_file() or (path / JOURNAL).is_file():
        return open_pack(path)
    if not path.exists():
        raise no_such_source(path)
    files = list_folder(path) if path.is_dir() else list_archive(path)
    source = _of_table(path) if files is None else _of_folders(files)
    if as_found:
        return source
    remarks = check_classes(
        path, source.classes, source.labels, source.splits, at_least=fewest_classes
    )
    for remark in remarks:
        _log.warning("%s", remark)
    return source


def _of_folders(files: Listing) -> Source:
    layout = laid_out(files)
    if not len(layout.chosen):
        raise no_class_folders(files)
    words = words_in(files, layout.base, layout.classes)
    return _source(files.take(layout.chosen), layout.classes, words, layout.labels, layout.splits)


def _of_table(path: Path) -> Source:
    if not path.is_file():
        raise SourceError(f"{path} is a device or a pipe. {ACCEPTED}.")
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as cause:
        raise SourceError(
            f"{path} cannot be read: {str(cause.strerror).lower()}. Give yourself the right to "
            "read it."
        ) from cause
    parquet = start.startswith(PARQUET)
    if not parquet and not looks_like_table(path, start):
        raise strange_file(path, start)
    table = read_table(path, parquet=parquet)
    words = words_beside(path, table.classes)
    return _source(table.files, table.classes, words, table.labels, table.splits)


def _source(
    files: Listing,
    classes: tuple[str, ...],
    words: Mapping[str, str],
    labels: NDArray[np.int64],
    splits: NDArray[np.uint8],
) -> Source:
    about = hashlib.blake2b(repr(classes).encode(errors="surrogateescape"), digest_size=32)
    for column in (files.paths.ends, labels, splits, files.sizes):
        about.update(np.ascontiguousarray(column).data)
    about.update(files.paths.letters)
    signature = about.hexdigest()
    about.update(files.stamps.data)
    return Source(files, classes, words, labels, splits, signature, about.hexdigest())
