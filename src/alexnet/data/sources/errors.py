"""The sentences for sources that cannot be used: what was seen, and what is accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from alexnet.data.sources.folder import Listing
from alexnet.data.sources.names import SPLITS
from alexnet.errors import SourceError, did_you_mean
from alexnet.text import counted, some

__all__ = [
    "ACCEPTED",
    "check_classes",
    "no_class_folders",
    "no_such_source",
    "nothing_readable",
    "strange_file",
]

ACCEPTED = (
    "A source is a folder with one folder for each class (train, val and test above them or not), "
    "the same inside a .zip, .tar or .tar.gz, a table (CSV or Parquet) with the columns path and "
    "label, or a pack"
)

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")
_KINDS = 5  # suffixes named in a sentence


def no_such_source(where: Path) -> SourceError:
    """Return the error for a path that leads nowhere, with the nearest names that are there."""
    lost = where
    while not lost.parent.exists() and lost != lost.parent:
        lost = lost.parent
    names = [each.name for each in lost.parent.iterdir()] if lost.parent.is_dir() else []
    place = "" if lost == where else f": {lost.parent} holds no {lost.name}"
    return SourceError(
        f"There is no file or folder {where}{place}.{did_you_mean(lost.name, names)} Name the "
        "source of the pictures."
    )


def no_class_folders(files: Listing) -> SourceError:
    """Return the error for files among which no class folder was found."""
    suffixes = Counter(PurePosixPath(path).suffix.lower() or "no suffix" for path in files.paths)
    kinds = [f"{count:,} {suffix}" for suffix, count in suffixes.most_common(_KINDS)]
    kinds += ["..."] if len(suffixes) > _KINDS else []
    inside = [each for each in files.folders if each]
    if not len(files) and not inside:
        return SourceError(f"{files.where} is empty (hidden files are not counted). {ACCEPTED}.")
    seen = counted(len(files), "file") + (f" ({', '.join(kinds)})" if kinds else "")
    seen += f" and {counted(len(inside), 'folder')} ({some(inside)})" if inside else ""
    tables = [each for each in files.paths if each.lower().endswith((".csv", ".tsv", ".parquet"))]
    hint = f" To take the labels from {tables[0]}, name that file as the source." if tables else ""
    return SourceError(
        f"{files.where} has no pictures in class folders; it holds {seen}. {ACCEPTED}.{hint}"
    )


def nothing_readable(where: object, failures: Sequence[tuple[str, str]]) -> SourceError:
    """Return the error for pictures of which not one can be read.

    Args:
        where: the source.
        failures: path and reason of each picture, at least one.
    """
    (path, reason), count = failures[0], counted(len(failures), "picture")
    return SourceError(
        f"{where}: not one of its {count} can be read. The first, {path}: {reason}. Open it in "
        "another program: if it is whole there, convert it to PNG or JPEG."
    )


def strange_file(where: Path, start: bytes) -> SourceError:
    """Return the error for a file of no known kind.

    Args:
        where: the file.
        start: its first bytes.
    """
    what = "is neither an archive nor a table"
    if not start:
        what = "is empty"
    elif where.suffix.lower() in _ARCHIVES:
        what = f'is called "{where.suffix}", and its content is something else'
    elif start.startswith(_PICTURES):
        what = "looks like a single picture (alexnet predict says what is in it)"
    return SourceError(f"{where} {what}. {ACCEPTED}.")


def check_classes(
    where: Path,
    classes: Sequence[str],
    labels: NDArray[np.int64],
    splits: NDArray[np.uint8],
    *,
    at_least: int,
) -> list[str]:
    """Refuse classes that nothing could be learnt about; return what else is worth saying.

    Args:
        where: the source.
        classes: K names.
        labels: (N,) positions in `classes`.
        splits: (N,) positions in `SPLITS`.
        at_least: classes that there must be.

    Raises:
        SourceError: too few classes, or a class that train lacks and another split has.
    """
    if len(classes) < at_least:
        raise SourceError(
            f"{where} has pictures of one class only, {some(classes)}. A classifier tells at least "
            "two apart: add a folder with pictures of something else."
        )
    there: dict[int, set[int]] = {
        code: set(np.unique(labels[splits == code]).tolist())
        for code in range(1, len(SPLITS))
        if bool((splits == code).any())
    }
    remarks: list[str] = []
    trained = there.get(SPLITS.index("train"), set[int]())
    for code, held in there.items():
        strange = [classes[k] for k in sorted(held - trained)]
        if trained and strange:
            known = [classes[k] for k in sorted(trained)]
            raise SourceError(
                f"{where}: {SPLITS[code]} has {some(strange)}, and train has no such class."
                f"{did_you_mean(strange[0], known)} Rename the class, move some of its pictures to "
                "train, or take it away."
            )
        lacking = [classes[k] for k in sorted(trained - held)]
        if lacking:
            remarks.append(f"{where}: {SPLITS[code]} has no pictures of {some(lacking)}.")
    return remarks
