"""Sources: labeled images in a folder, an archive or a table, listed and not yet read.

Legend: N images.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.journal import JOURNAL
from alexnet.data.packs.pack import HEADER, Pack, open_pack
from alexnet.data.sources.archive import list_archive
from alexnet.data.sources.folder import list_folder
from alexnet.data.sources.layout import read_class_words, read_class_words_beside, read_layout
from alexnet.data.sources.listing import FileListing, Paths
from alexnet.data.sources.table import PARQUET, looks_like_table, read_table
from alexnet.data.sources.validation import (
    ACCEPTED,
    missing_source,
    no_class_folders,
    unsupported_file,
    validate_classes,
)
from alexnet.errors import SourceError
from alexnet.files import require_usable_path

__all__ = ["Source", "open_source"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Source:
    """Labeled image files; made by `open_source`."""

    files: FileListing  # N of them
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
        """Where each image lies, relative, with "/" between the parts."""
        return self.files.paths

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(N,) bytes of each image file."""
        return self.files.sizes

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> bytes:
        """Return the bytes of an image file; several threads may read at once.

        Raises:
            UnreadableImage: it is gone, too large, or damaged inside its archive.
        """
        return self.files.read(index)

    def without(self, out: NDArray[np.bool_]) -> Source:
        """Return the source without some images; the classes and their order stay.

        Args:
            out: (N,) which images are left out.
        """
        kept = np.flatnonzero(~out)
        gone = tuple(self.paths[i] for i in np.flatnonzero(out).tolist())
        files, labels, splits = self.files.take(kept), self.labels[kept], self.splits[kept]
        rest = _with_signatures(files, self.classes, self.class_words, labels, splits)
        return replace(rest, excluded=(*self.excluded, *gone))


def open_source(path: Path, *, fewest_classes: int = 2, as_found: bool = False) -> Source | Pack:
    """List a source of labeled images; not one of them is read yet.

    Args:
        path: a folder with one folder for each class, with or without train, val and test above;
            the same inside a .zip, .tar or .tar.gz; a CSV or Parquet table with the columns path,
            label and perhaps split; or a pack.
        fewest_classes: fewer are an error; 1 where images are only measured.
        as_found: take any classes in any splits without a warning, to check and not to train on.

    Returns:
        The source, its images split by split, class by class and by path, or as the table has
        them; or the pack.

    Raises:
        SourceError: nothing is there, or it cannot be used; the sentence says what was seen.
    """
    path = Path(path)
    require_usable_path(path / HEADER, SourceError)
    if (path / HEADER).is_file() or (path / JOURNAL).is_file():
        return open_pack(path)
    if not path.exists():
        raise missing_source(path)
    files = list_folder(path) if path.is_dir() else list_archive(path)
    source = _from_table(path) if files is None else _from_folders(files)
    if as_found:
        return source
    warnings = validate_classes(
        path, source.classes, source.labels, source.splits, at_least=fewest_classes
    )
    for warning in warnings:
        _log.warning("%s", warning)
    return source


def _from_folders(files: FileListing) -> Source:
    layout = read_layout(files)
    if not len(layout.indices):
        raise no_class_folders(files)
    words = read_class_words(files, layout.base, layout.classes)
    images = files.take(layout.indices)
    return _with_signatures(images, layout.classes, words, layout.labels, layout.splits)


def _from_table(path: Path) -> Source:
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
        raise unsupported_file(path, start)
    table = read_table(path, parquet=parquet)
    words = read_class_words_beside(path, table.classes)
    return _with_signatures(table.files, table.classes, words, table.labels, table.splits)


def _with_signatures(
    files: FileListing,
    classes: tuple[str, ...],
    words: Mapping[str, str],
    labels: NDArray[np.int64],
    splits: NDArray[np.uint8],
) -> Source:
    state = hashlib.blake2b(repr(classes).encode(errors="surrogateescape"), digest_size=32)
    for column in (files.paths.ends, labels, splits, files.sizes):
        state.update(np.ascontiguousarray(column).data)
    state.update(files.paths.letters)
    signature = state.hexdigest()
    state.update(files.stamps.data)
    return Source(files, classes, words, labels, splits, signature, state.hexdigest())
