"""Which column of a table names the image, which one its label, and which one its split."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alexnet.errors import SourceError
from alexnet.text import join_words, quote_names

__all__ = [
    "Columns",
    "RawColumn",
    "SplitColumn",
    "choose_columns",
    "is_column_name",
    "is_label_name",
    "is_path_name",
]

_PATHS = (
    *("path", "imagepath", "imgpath", "filepath", "relativepath", "relpath", "fullpath", "paths"),
    *("filename", "imagefilename", "imagefile", "imgfile", "imagename", "imgname", "fname"),
    *("file", "files", "filenames", "image", "img", "images", "photo", "picture", "pic"),
    *("imageid", "imgid", "fileid", "photoid", "pictureid", "idcode", "isicid", "imageindex"),
    *("id", "name", "key", "uri", "url", "imageurl", "imageuri"),
)
"""Names of the column of images, without case, blanks and signs; the likeliest first."""

_NAMES_OF_CLASSES = (
    *("labels", "class", "classname", "classlabel", "labelname", "category", "categoryname"),
    *("target", "targetname", "species", "speciesname", "breed", "breedname", "y", "groundtruth"),
    *("gt", "annotation", "tag", "tags", "diagnosis", "dx", "variety", "celltype", "disease"),
    *(
        "findinglabels",
        "findinglabel",
        "choice",
        "cultivar",
        "kind",
        "emotion",
        "classes",
        "categories",
        "targets",
    ),
)
_NUMBERS_OF_CLASSES = (
    *("labelid", "classid", "categoryid", "targetid", "speciesid", "breedid"),
    *("labelidx", "classidx", "categoryidx", "labelindex", "classindex", "classno", "classnumber"),
)

_SPLIT_WORDS = (
    *("splits", "splitname", "splittype", "datasplit", "set", "setname", "subset", "partition"),
    *("phase", "usage", "dataset", "fold", "folds", "kfold", "foldid", "foldnumber"),
    *("traintest", "trainortest", "trainval", "trainvaltest"),
)
_FLAGS = {
    **dict.fromkeys(("isvalid", "isval", "isvalidation", "valid", "val", "validation"), (2, 1)),
    **dict.fromkeys(("istest", "istesting", "test"), (3, 1)),
    **dict.fromkeys(("istrain", "istraining", "istrainingimage", "train", "training"), (1, 3)),
}
"""Columns of yes and no: the split of yes, and of no; what is not for training is for testing."""

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")

_BINARY = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


@dataclass(frozen=True)
class RawColumn:
    """A column as it stands in the file."""

    name: str
    nested: str | None = None  # the type of cells that are no single value: "list<item: string>"
    takes_apart: bool = False  # lists of one element can be read all the same


@dataclass(frozen=True)
class SplitColumn:
    """A column that may tell the splits."""

    index: int
    name: str
    strict: bool = False  # called "split": every cell must be one
    flag: int = 0  # of yes and no: the split of yes; 0: cells are words
    otherwise: int = 0  # the split of no

    @property
    def is_fold(self) -> bool:
        """Whether it numbers the folds of a cross-validation."""
        return "fold" in _key(self.name)


@dataclass(frozen=True)
class Columns:
    """The columns that are read, by position."""

    path: int
    labels: tuple[int, ...]  # one; or several of 0 and 1, one for each class
    splits: tuple[SplitColumn, ...]

    @property
    def is_one_hot(self) -> bool:
        """Whether each class has a column of its own."""
        return len(self.labels) > 1


def is_path_name(name: str) -> bool:
    """Whether a column of this name may hold images."""
    return _key(name) in _PATHS


def is_label_name(name: str) -> bool:
    """Whether a column of this name may hold labels."""
    return _key(name) in ("label", *_NAMES_OF_CLASSES, *_NUMBERS_OF_CLASSES)


def is_column_name(name: str) -> bool:
    """Whether a text is the name of a column that is known here."""
    key = _key(name)
    return is_path_name(name) or is_label_name(name) or key == "split" or key in _SPLIT_WORDS


def choose_columns(
    where: str,
    columns: Sequence[RawColumn],
    sample: Sequence[Sequence[str]],
    is_file: Callable[[str], bool],
) -> Columns:
    """Return which columns are read.

    Args:
        where: the table, for sentences.
        columns: all of them.
        sample: the first rows as text.
        is_file: whether a cell names a file.

    Raises:
        SourceError: a column is missing, is there twice, or several may be meant.
    """
    path = _choose_path(where, columns, sample, is_file)
    splits = _choose_splits(where, columns, {path})
    labels = _choose_labels(where, columns, sample, path, {each.index for each in splits})
    splits = tuple(each for each in splits if each.index not in labels)
    return Columns(path, labels, splits)


def _choose_path(
    where: str,
    columns: Sequence[RawColumn],
    sample: Sequence[Sequence[str]],
    is_file: Callable[[str], bool],
) -> int:
    exact = _exact(where, columns, "path")
    if exact is not None:
        return _require_plain(where, columns, exact)
    named = [i for i, column in enumerate(columns) if is_path_name(column.name)]
    usable = [i for i in named if columns[i].nested is None]
    if named and not usable:
        return _require_plain(where, columns, named[0])
    candidates = usable or [i for i, each in enumerate(columns) if each.nested is None]
    files = [i for i in candidates if sample and all(_is_own_image(row[i]) for row in sample)]
    found = {i: sum(is_file(row[i]) for row in sample) for i in files or candidates}
    if not usable and not any(found.values()):
        raise _missing(where, columns, "path")
    order = {name: i for i, name in enumerate(_PATHS)}
    return max(found, key=lambda i: (found[i], -order.get(_key(columns[i].name), len(order))))


def _is_own_image(cell: str) -> bool:
    """Whether a cell is written as an image's path, and no address: then an id is none."""
    return "://" not in cell and cell.lower().endswith(_SUFFIXES)


def _choose_labels(
    where: str,
    columns: Sequence[RawColumn],
    sample: Sequence[Sequence[str]],
    path: int,
    splits: set[int],
) -> tuple[int, ...]:
    exact = _exact(where, columns, "label")
    if exact is not None:
        return (_require_plain(where, columns, exact),)
    for names in (_NAMES_OF_CLASSES, _NUMBERS_OF_CLASSES):
        named = [i for i, each in enumerate(columns) if _key(each.name) in names and i != path]
        words = [i for i in named if not all(_is_number(row[i]) for row in sample)]
        chosen = words if len(named) > 1 and words else named
        if len(chosen) > 1:
            listed = join_words([f'"{columns[i].name.strip()}"' for i in chosen])
            raise SourceError(
                f"{where} has the columns {listed}, and each of them may be the label. Call the "
                'one that is meant "label".'
            )
        if chosen:
            return (_require_plain(where, columns, chosen[0]),)
    rest = [i for i in range(len(columns)) if i != path and i not in splits]
    one_hot = _one_hot_columns(where, columns, sample, rest)
    if not one_hot:
        raise _missing(where, columns, "label")
    return one_hot


def _one_hot_columns(
    where: str, columns: Sequence[RawColumn], sample: Sequence[Sequence[str]], rest: Sequence[int]
) -> tuple[int, ...]:
    """Return the columns of 0 and 1 of which each row has a single 1; none where that is not so."""
    plain = [i for i in rest if columns[i].nested is None and columns[i].name.strip()]
    binary = [i for i in plain if all(row[i].casefold() in _BINARY for row in sample)]
    if len(binary) < 2 or not sample:
        return ()
    sums = [sum(_BINARY[row[i].casefold()] for i in binary) for row in sample]
    if set(sums) == {1}:
        return tuple(binary)
    names = quote_names([columns[i].name.strip() for i in binary])
    raise SourceError(
        f'{where} has no column "label". Its columns {names} hold 0 and 1, and a row has '
        f"{min(sums)} to {max(sums)} of the 1s: an image has exactly one class here. Write that "
        'class into a column "label".'
    )


def _choose_splits(
    where: str, columns: Sequence[RawColumn], taken: set[int]
) -> tuple[SplitColumn, ...]:
    exact = _exact(where, columns, "split")
    if exact is not None:
        _require_plain(where, columns, exact)
        return (SplitColumn(exact, columns[exact].name.strip(), strict=True),)
    found: list[SplitColumn] = []
    for i, column in enumerate(columns):
        key, name = _key(column.name), column.name.strip()
        if i in taken or column.nested is not None:
            continue
        if key in _SPLIT_WORDS:
            found.append(SplitColumn(i, name))
        elif key in _FLAGS:
            flag, otherwise = _FLAGS[key]
            found.append(SplitColumn(i, name, flag=flag, otherwise=otherwise))
    return tuple(sorted(found, key=lambda each: each.is_fold))


def _exact(where: str, columns: Sequence[RawColumn], name: str) -> int | None:
    """Return the column of exactly this name, whatever its case; there must not be two of them."""
    plain = [column.name.strip().casefold() for column in columns]
    if Counter(plain)[name] > 1:
        both = quote_names([each.name for each in columns if each.name.strip().casefold() == name])
        raise SourceError(
            f'{where} has {plain.count(name)} columns called "{name}" ({both}). Keep the one that '
            "is meant, and give the other another name."
        )
    return plain.index(name) if name in plain else None


def _require_plain(where: str, columns: Sequence[RawColumn], index: int) -> int:
    column = columns[index]
    if column.nested is not None and not column.takes_apart:
        raise SourceError(
            f'{where}: the column "{column.name}" holds {column.nested}, and not one text or '
            "number in each row. Write paths and class names as plain columns, and images as "
            "files beside the table."
        )
    return index


def _missing(where: str, columns: Sequence[RawColumn], name: str) -> SourceError:
    listed = quote_names([each.name.strip()[:40] for each in columns], most=12) or "none"
    nested = [each for each in columns if each.nested is not None and not each.takes_apart]
    hint = (
        f' "{nested[0].name}" holds {nested[0].nested}: write images as files beside the table.'
        if nested
        else ""
    )
    return SourceError(
        f'{where} has no column "{name}". Its columns: {listed}.{hint} The first line of a table '
        "names its columns: path, label, and split if there is one."
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _key(name: str) -> str:
    """Return a column's name without case, blanks and signs: "Image Name" is "imagename"."""
    return re.sub(r"[\W_]", "", name.casefold())
