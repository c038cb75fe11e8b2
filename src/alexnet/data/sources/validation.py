"""What a source must be, and the errors of those that are not: what was found, what is accepted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.sources.advice import describe_unread, where_labels_may_lie
from alexnet.data.sources.listing import FileListing
from alexnet.data.sources.names import SPLITS, alike_groups, alike_key, describe_suffixes
from alexnet.errors import SourceError, did_you_mean
from alexnet.text import format_count, quote_names

__all__ = [
    "ACCEPTED",
    "alike_warnings",
    "annotation_folders",
    "missing_source",
    "no_class_folders",
    "unreadable_source",
    "unsupported_file",
    "validate_classes",
]

ACCEPTED = (
    "A source is a folder with one folder for each class (train, val and test above them or not), "
    "the same inside a .zip, .tar or .tar.gz, a table (CSV or Parquet) with the columns path and "
    "label, or a pack"
)

_IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
_ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")


def missing_source(where: Path) -> SourceError:
    """Return the error for a path that leads nowhere, with the nearest names that are there."""
    missing = where
    while not missing.parent.exists() and missing != missing.parent:
        missing = missing.parent
    parent = missing.parent
    names = [path.name for path in parent.iterdir()] if parent.is_dir() else []
    place = "" if missing == where else f": {parent} holds no {missing.name}"
    return SourceError(
        f"There is no file or folder {where}{place}.{did_you_mean(missing.name, names)} Name the "
        "source of the images."
    )


def no_class_folders(files: FileListing) -> SourceError:
    """Return the error for files among which no class folder was found."""
    kinds = describe_suffixes(files.paths)
    folders = [folder for folder in files.folders if folder]
    if not len(files) and not folders:
        return SourceError(f"{files.where} is empty (hidden files are not counted). {ACCEPTED}.")
    content = format_count(len(files), "file") + (f" ({kinds})" if kinds else "")
    if folders:
        content += f" and {format_count(len(folders), 'folder')} ({quote_names(folders)})"
    return SourceError(
        f"{files.where} has no images in class folders; it holds {content}. {ACCEPTED}."
        f"{where_labels_may_lie(files)}"
    )


def annotation_folders(where: Path, classes: Sequence[str]) -> SourceError:
    """Return the error for folders of images, and of what was drawn over them."""
    return SourceError(
        f"{where} holds {quote_names(classes)}: images, it seems, and what was drawn over them, "
        "and no classes. Make a folder for each class, or a table (CSV) with the columns path and "
        "label. If those are the classes all the same: --class-depth 1."
    )


def unreadable_source(where: object, failures: Sequence[tuple[str, str]]) -> SourceError:
    """Return the error for images of which not one can be read.

    Args:
        where: the source.
        failures: path and reason of each image, at least one.
    """
    (path, reason), count = failures[0], format_count(len(failures), "image")
    return SourceError(
        f"{where}: not one of its {count} can be read. The first, {path}: {reason}. Open it in "
        "another program: if it is whole there, convert it to PNG or JPEG."
    )


def unsupported_file(where: Path, start: bytes) -> SourceError:
    """Return the error for a file that is no source.

    Args:
        where: the file.
        start: its first bytes.
    """
    what = describe_unread(where.name) or "is neither an archive nor a table"
    if not start:
        what = "is empty"
    elif where.suffix.lower() in _ARCHIVE_SUFFIXES:
        what = f'is called "{where.suffix}", and its content is something else'
    elif start.startswith(_IMAGE_STARTS):
        what = "looks like a single image (alexnet predict says what is in it)"
    return SourceError(f"{where} {what}. {ACCEPTED}.")


def validate_classes(
    where: Path,
    classes: Sequence[str],
    labels: NDArray[np.int64],
    splits: NDArray[np.uint8],
    *,
    at_least: int,
    warn_alike: bool = True,
    files: FileListing | None = None,
) -> list[str]:
    """Require classes that a classifier can be trained on; return what else is worth a warning.

    Args:
        where: the source.
        classes: K names.
        labels: (N,) positions in `classes`.
        splits: (N,) positions in `SPLITS`.
        at_least: classes that there must be.
        warn_alike: whether names that look alike are worth a warning.
        files: all that there is, for advice.

    Raises:
        SourceError: too few classes, or a class that train lacks and another split has.
    """
    if len(classes) < at_least:
        raise SourceError(
            f"{where} has images of one class only, {quote_names(classes)}. A classifier tells at "
            "least two apart: add a folder with images of something else."
            f"{'' if files is None else where_labels_may_lie(files)}"
        )
    classes_of: dict[int, set[int]] = {
        code: set(labels[splits == code].tolist())
        for code in range(1, len(SPLITS))
        if bool((splits == code).any())
    }
    warnings = alike_warnings(where, classes) if warn_alike else []
    trained = classes_of.get(SPLITS.index("train"), set[int]())
    for code, present in classes_of.items():
        untrained = [classes[k] for k in sorted(present - trained)]
        if trained and untrained:
            known = [classes[k] for k in sorted(trained)]
            raise SourceError(
                f"{where}: {SPLITS[code]} has {quote_names(untrained)}, and train has no such "
                f"class.{_how_to_join(untrained[0], known) or did_you_mean(untrained[0], known)} "
                "Rename the class, move some of its images to train, or take it away."
            )
        missing = [classes[k] for k in sorted(trained - present)]
        if missing:
            warnings.append(f"{where}: {SPLITS[code]} has no images of {quote_names(missing)}.")
    return warnings


def alike_warnings(where: object, classes: Sequence[str]) -> list[str]:
    """Return a warning for each group of classes whose names differ in nothing a person means."""
    return [
        f"{where}: the classes {quote_names(group, most=len(group))} look alike. If they are one, "
        "join them: --join-classes."
        for group in alike_groups(classes)
    ]


def _how_to_join(name: str, known: Sequence[str]) -> str:
    """Say how a class is joined with one that looks alike; nothing where none does."""
    same = [other for other in known if alike_key(other) == alike_key(name)]
    return f' If that is "{same[0]}", join them: --join-classes.' if same else ""
