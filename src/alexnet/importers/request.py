"""What every importer takes and returns, and names for the classes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from alexnet.data import open_source
from alexnet.errors import RecipeError, WeightsError
from alexnet.images import ChannelOrder
from alexnet.importers.file_kinds import file_kind, require_regular_file
from alexnet.recipe import ResizeMode
from alexnet.weights.weights import Weights

__all__ = ["ImportRequest", "ImportedModel", "class_names"]

_MAX_BYTES = 16 << 20
_MAX_PX = 4096
_LISTS = (".txt", ".tsv", ".names", "")
_TABLES = (".csv", ".json", ".jsonl")
_CODE = re.compile(r"(n\d{8}) +(.+)")  # ImageNet's synset_words.txt


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """The files of a trained model, and what its files do not say; None: as the importer knows.

    Raises:
        RecipeError: a side or a scale out of range.
    """

    files: tuple[Path, ...]
    classes: Path | None = None
    mean: str | None = None  # a file, or numbers such as "104,117,123"
    order: ChannelOrder | None = None
    image_px: int | None = None
    scale: float | None = None  # what is left after the mean is multiplied by this
    resize_mode: ResizeMode | None = None

    def __post_init__(self) -> None:
        if self.image_px is not None and not 1 <= self.image_px <= _MAX_PX:
            raise RecipeError(f"image_px must be between 1 and {_MAX_PX}; got {self.image_px}.")
        if self.scale is not None and not 1e-6 <= self.scale <= 1e6:
            raise RecipeError(f"scale must be between 1e-6 and 1e6; got {self.scale:g}.")


@dataclass(frozen=True, kw_only=True)
class ImportedModel:
    """Weights made of other programs' files, and what should be reported of them."""

    weights: Weights
    format: str  # of the files, in a word
    name: str  # what they call the network
    remarks: tuple[str, ...] = ()  # what was taken for granted, in sentences


def class_names(place: Path | None, count: int) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return names for K classes, and words for those that are codes.

    Args:
        place: a text file with a name a line (words for it may follow after a tab, or after a code
            such as n01440764), or labeled images whose classes are taken in their order; None:
            the classes are called "0", "1" and so on.
        count: K.

    Raises:
        WeightsError: no such file, another number of names, or a name twice.
        SourceError: the images cannot be used.
    """
    if place is None:
        return tuple(str(each) for each in range(count)), {}
    require_regular_file(place)
    listed = not place.is_dir() and (place.suffix.lower() in _LISTS or _is_list(place))
    names, words = _listed(place) if listed else (_class_folders(place), {})
    if len(names) != count:
        raise WeightsError(
            f"{place} names {len(names):,} classes, and the network has {count:,} outputs. Give "
            "the names of its own classes, in the order of its outputs."
        )
    if len(set(names)) != count:
        twice = next(each for each, count in Counter(names).items() if count > 1)
        raise WeightsError(f'{place} names the class "{twice}" twice. Give each its own name.')
    return tuple(names), words


def _is_list(place: Path) -> bool:
    """Whether a file of another suffix is plain text; a table is a source of images."""
    return place.suffix.lower() not in _TABLES and file_kind(place) == "text"


def _class_folders(place: Path) -> list[str]:
    return list(open_source(place, fewest_classes=1).classes)


def _listed(path: Path) -> tuple[list[str], dict[str, str]]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise WeightsError(f"{path} has more than {_MAX_BYTES >> 20} MiB: no list of classes.")
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except OSError as error:
        raise WeightsError(f"Could not read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise WeightsError(f"{path} is no text; a name a line is expected.") from error
    names: list[str] = []
    words: dict[str, str] = {}
    for line in filter(str.strip, lines):
        code = _CODE.fullmatch(line.strip())
        name, _, said = line.strip().partition("\t")
        if code:
            name, said = code[1], code[2]
        names.append(name.strip())
        if said.strip():
            words[name.strip()] = said.strip()
    return names, words
