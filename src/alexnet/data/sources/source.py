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
from alexnet.data.sources.layout import (
    Layout,
    read_class_words,
    read_class_words_beside,
    read_layout,
)
from alexnet.data.sources.levels import require_class_depth
from alexnet.data.sources.listing import FileListing, Paths
from alexnet.data.sources.name_encoding import require_name_encoding
from alexnet.data.sources.names import (
    alike_key,
    decorated_split_code,
    differ_in_number_alone,
    is_annotation,
    is_generic,
    join_alike,
    words_without_split,
)
from alexnet.data.sources.nested import list_files
from alexnet.data.sources.sidecars import image_mask
from alexnet.data.sources.table import PARQUET, looks_like_table, read_table
from alexnet.data.sources.table_beside import (
    InnerTable,
    find_tables,
    how_to_name_table,
    read_inner_table,
    say_inner_table,
)
from alexnet.data.sources.validation import (
    ACCEPTED,
    alike_warnings,
    annotation_folders,
    missing_source,
    no_class_folders,
    unsupported_file,
    validate_classes,
)
from alexnet.errors import SourceError
from alexnet.files import as_path, require_usable_path
from alexnet.text import quote_names
from alexnet.urls import as_url, shown_place

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

    @property
    def times(self) -> NDArray[np.int64] | None:
        """(N,) milliseconds since 1970 when each file was last written; 0 or None: unknown."""
        return self.files.times

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


def open_source(
    path: Path | str,
    *,
    fewest_classes: int = 2,
    as_found: bool = False,
    class_depth: int | None = None,
    join_classes: bool = False,
    name_encoding: str | None = None,
    cache_gb: float | None = None,
) -> Source | Pack:
    """List a source of labeled images; not one of them is read yet.

    Args:
        path: a folder with one folder for each class, with or without train, val and test above;
            the same inside a .zip, .tar or .tar.gz; a CSV or Parquet table with the columns path,
            label and perhaps split, or images with such a table among them; or a pack, also by the
            address of one that lies elsewhere (s3://, gs://, az://, hf://, https://).
        fewest_classes: fewer are an error; 1 where images are only measured.
        as_found: take any classes in any splits without a warning, to check and not to train on.
        class_depth: on which level the class folders lie, 1 for the top folders; None: as names
            and structure say.
        join_classes: take classes for one whose names look alike (Cat, cat; 1, 1.0), under the
            name that has most images.
        name_encoding: of names in a zip or tar that does not say it; None: as their bytes tell.
        cache_gb: as in `open_pack`, of a pack that lies elsewhere.

    Returns:
        The source, its images split by split, class by class and by path, or as the table has
        them; or the pack.

    Raises:
        SourceError: nothing is there, or it cannot be used; the sentence says what was seen.
    """
    require_class_depth(class_depth)
    require_name_encoding(name_encoding)
    if (url := as_url(path)) is not None:
        return _open_pack(url, join_classes=join_classes, cache_gb=cache_gb)
    path = as_path(path, SourceError, "A source of images")
    require_usable_path(path / HEADER, SourceError)
    if (path / HEADER).is_file() or (path / JOURNAL).is_file():
        return _open_pack(path, join_classes=join_classes)
    if not path.exists():
        raise missing_source(path)
    files = list_files(path, name_encoding=name_encoding)
    source = _from_table(path) if files is None else _from_files(files, class_depth)
    if join_classes:
        source = _join_classes(source)
    if as_found:
        return source
    warnings = validate_classes(
        path, source.classes, source.labels, source.splits, at_least=fewest_classes, files=files
    )
    for warning in warnings:
        _log.warning("%s", warning)
    return source


def _open_pack(path: Path | str, *, join_classes: bool, cache_gb: float | None = None) -> Pack:
    pack = open_pack(path, cache_gb=cache_gb)
    if join_classes:
        classes, labels = join_alike(pack.classes, pack.labels)
        index = replace(pack.index, labels=labels)
        words = {name: pack.header.class_words.get(name, "") for name in classes}
        words = {name: text for name, text in words.items() if text}
        header = replace(pack.header, classes=classes, class_words=words)
        header = replace(header, fingerprint=index.fingerprint(header.identity()))
        pack = pack if classes == pack.classes else replace(pack, header=header, index=index)
    for warning in alike_warnings(shown_place(path), pack.classes):
        _log.warning("%s", warning)
    return pack


def _join_classes(source: Source) -> Source:
    classes, labels = join_alike(source.classes, source.labels)
    if classes == source.classes:
        return source
    words = {name: text for name, text in source.class_words.items() if name in classes}
    return _with_signatures(source.files, classes, words, labels, source.splits)


def _from_files(files: FileListing, class_depth: int | None) -> Source:
    """Read labels off the folders, or off a table among the files where folders tell no classes."""
    images = image_mask(files)
    try:
        layout = read_layout(files, images=images, class_depth=class_depth)
    except SourceError:
        table = _inner_table(files, images)
        if table is None:
            raise
        return _from_inner_table(files, images, table)
    if class_depth is None and _tells_no_classes(layout):
        # Where nothing else is to be had, what is wrong with the table is what is said.
        needed = len(layout.classes) < 2 and all(map(is_generic, layout.classes))
        table = (read_inner_table if needed else _inner_table)(files, images)
        if table is not None:
            return _from_inner_table(files, images, table)
        if len(layout.classes) > 1 and any(map(is_annotation, layout.classes)):
            raise annotation_folders(files.where, layout.classes)
    if not len(layout.indices):
        raise no_class_folders(files)
    if class_depth is None:
        _warn_of_table(files, images, layout)
    words = read_class_words(files, layout.base, layout.classes)
    chosen = files.take(layout.indices)
    return _with_signatures(chosen, layout.classes, words, layout.labels, layout.splits)


def _tells_no_classes(layout: Layout) -> bool:
    """Whether class folders are none, a single one, or called as folders of any images are."""
    names = layout.classes
    plain = all(is_generic(name) or is_annotation(name) for name in names)
    return len(names) < 2 or plain or differ_in_number_alone(names)


def _inner_table(
    files: FileListing, images: NDArray[np.bool_], *, say: bool = True
) -> InnerTable | None:
    try:
        return read_inner_table(files, images, say=say)
    except SourceError:
        return None


def _from_inner_table(files: FileListing, images: NDArray[np.bool_], table: InnerTable) -> Source:
    say_inner_table(files, images, table)
    chosen = files.take(table.indices)
    words = table.words or read_class_words(files, "", table.classes)
    return _with_signatures(chosen, table.classes, words, table.labels, table.splits)


def _warn_of_table(files: FileListing, images: NDArray[np.bool_], layout: Layout) -> None:
    """Where a table names other labels than the folders do, say that it is not read."""
    at_top = any("/" not in files.paths[i] for i in find_tables(files))
    if not at_top or (table := _inner_table(files, images, say=False)) is None:
        return
    if len(table.classes) == len(table.indices) and all(map(str.isdecimal, table.classes)):
        return  # numbers of images, and no labels
    named = {*map(alike_key, table.classes)} <= {*map(alike_key, layout.classes)}
    numbers = all(map(str.isdecimal, table.classes))
    agrees = named or (numbers and _is_same_division(layout, table))
    if agrees and (layout.splits.any() or len({*table.splits.tolist()}) < 2):
        return
    several = len(table.names) > 1
    own = f"{'splits' if agrees else 'labels'} of {'their' if several else 'its'} own"
    _log.warning(
        "%s: the folders are taken for classes (%s), and %s, which %s, %s not read. %s",
        files.where,
        quote_names(layout.classes),
        quote_names(table.names) if several else table.names[0],
        f"{'have' if several else 'has'} {own}",
        "are" if several else "is",
        "To use them, join them into one table with the columns path, label and split, and name "
        "it as the source."
        if several
        else how_to_name_table(files, table.names[0]),
    )


def _is_same_division(layout: Layout, table: InnerTable) -> bool:
    """Whether a table's labels divide its images as the folders do, whatever they are called."""
    of_file = dict(zip(layout.indices.tolist(), layout.labels.tolist(), strict=True))
    pairs = {
        (of_file[index], label)
        for index, label in zip(table.indices.tolist(), table.labels.tolist(), strict=True)
        if index in of_file
    }
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


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
    if not table.splits.any():
        _tell_of_other_splits(path)
    words = table.words or read_class_words_beside(path, table.classes)
    return _with_signatures(table.files, table.classes, words, table.labels, table.splits)


def _tell_of_other_splits(table: Path) -> None:
    """Say that val.txt beside train.txt is not read where train.txt alone is named."""
    code = decorated_split_code(table.stem)
    if code is None:
        return
    others = sorted(
        each.name
        for each in table.parent.glob(f"*{table.suffix}")
        if decorated_split_code(each.stem) not in (None, code)
        and words_without_split(each.stem) == words_without_split(table.stem)
    )
    if others:
        _log.info(
            "%s: %s not read, though %s beside it. To use each as its split, name the folder as "
            "the source.",
            table,
            f"{quote_names(others)} {'is' if len(others) == 1 else 'are'}",
            "it lies" if len(others) == 1 else "they lie",
        )


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
