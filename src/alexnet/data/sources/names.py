"""What the names of files and folders say: splits, order of classes, what is no image at all."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SPLITS",
    "alike_groups",
    "alike_key",
    "decorated_split_code",
    "describe_suffixes",
    "differ_in_number_alone",
    "is_annotation",
    "is_generic",
    "is_hidden",
    "is_ignored",
    "is_image_folder",
    "join_alike",
    "looks_like_image",
    "natural_key",
    "normalize_name",
    "safe_path",
    "split_code",
    "words_without_split",
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
_SPLIT_WORDS = {**_SPLIT_NAMES, "dev": 2, "development": 2, "eval": 2, "evaluation": 2}
"""In the names of folders; the last four mean a split only where the structure says so, too."""

_CONTAINERS = frozenset(
    [
        *("all", "set", "sets", "data", "dataset", "datasets", "database", "split", "splits"),
        *("image", "images", "img", "imgs", "picture", "pictures", "pic", "pics"),
        *("photo", "photos"),
        *("file", "files", "folder", "folders", "dir", "directory", "class", "classes", "category"),
        *("categories", "label", "labels", "sample", "samples", "example", "examples", "subset"),
        *("archive", "download", "downloads", "input", "inputs", "content", "contents"),
        *("jpg", "jpeg", "png", "bmp", "tif", "tiff"),
    ]
)
_IMAGES = frozenset(["image", "images", "img", "imgs", "jpg", "jpeg", "png", "jpegimages"])
_ADJECTIVES = frozenset(
    [
        *("full", "new", "old", "raw", "orig", "original", "final", "small", "large", "mini"),
        *(
            "labeled",
            "labelled",
            "resized",
            "cropped",
            "part",
            "fold",
            "version",
            "v",
            "the",
            "my",
            "of",
        ),
    ]
)
"""Words of folders that say nothing of what their images show."""

_ANNOTATIONS = frozenset(
    [
        *("annotation", "annotations", "mask", "masks", "trimap", "trimaps", "groundtruth", "gt"),
        *("segmentation", "segmentations", "bbox", "bboxes", "boxes"),
    ]
)
"""Words of folders that hold what was drawn over images."""

_SYSTEM = frozenset(
    ["thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "icon\r", "lost+found"]
)

_OTHER_SUFFIXES = frozenset(
    [
        *(".txt", ".text", ".md", ".rst", ".log", ".html", ".htm", ".css", ".js"),
        *(".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg"),
        *(".parquet", ".arrow", ".feather", ".sqlite", ".db", ".lmdb", ".mdb", ".tfrecord"),
        *(".npy", ".npz", ".mat", ".pkl", ".pickle", ".proto", ".prototxt", ".pbtxt", ".names"),
        *(".py", ".pyc", ".ipynb", ".sh", ".bat", ".m", ".r", ".c", ".cpp", ".h", ".java"),
        *(".pt", ".pth", ".h5", ".hdf5", ".safetensors", ".onnx", ".caffemodel", ".weights"),
        *(".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".sha256", ".md5"),
        *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".flv", ".mpg", ".mpeg"),
        *(".pptx", ".3gp", ".wav", ".mp3", ".m4a", ".flac", ".ogg", ".aac", ".srt", ".vtt"),
        *(".pdf", ".doc", ".docx", ".odt", ".rtf", ".tex", ".xls", ".xlsx", ".ods", ".ppt"),
        *(".lnk", ".url", ".webloc", ".exe", ".dll", ".so", ".xmp", ".aae", ".svg", ".ply", ".idx"),
        *(".obj", ".stl", ".geojson", ".kml", ".gpx", ".shp", ".dbf", ".prj", ".lst", ".rec"),
    ]
)
"""Suffixes of texts, tables, annotations, programs, weights, archives, films and sounds."""

_OTHER_NAMES = frozenset(
    ["readme", "license", "licence", "notice", "authors", "changelog", "makefile"]
)


def split_code(name: str) -> int | None:
    """Return the position in `SPLITS` that a folder or a cell of a table names; None: no split."""
    return _SPLIT_NAMES.get(name.strip().casefold())


def decorated_split_code(name: str) -> int | None:
    """Return the split that one of a folder's words names: training_set, "Train Data", seg_val.

    None where there is no such word, or words of two splits (train_val). Whether a split is meant
    (train_station) only the folders in it tell.
    """
    codes = {code for word in _words(name) if (code := _split_of_word(word)) is not None}
    return codes.pop() if len(codes) == 1 else None


def is_generic(name: str) -> bool:
    """Whether no word of a folder says what its images show: "Train Data", images, all_2."""
    words = _words(name)
    rest = [word for word in words if word not in _ADJECTIVES]
    return bool(rest) and all(
        word in _CONTAINERS or _split_of_word(word) is not None for word in rest
    )


def is_annotation(name: str) -> bool:
    """Whether a folder holds what was drawn over images: trimaps, SegmentationClass, gt_masks."""
    rest = [word for word in _words(name) if word not in _ADJECTIVES]
    known = _ANNOTATIONS | _CONTAINERS | {"object"}
    return any(word in _ANNOTATIONS for word in rest) and all(word in known for word in rest)


def is_image_folder(name: str) -> bool:
    """Whether a folder's name says that images lie in it, and no more: images, JPEGImages."""
    return all(word in _IMAGES for word in _words(name) or [""]) and name.isalpha()


def differ_in_number_alone(names: Sequence[str]) -> bool:
    """Whether folders are numbered parts of one set of images: images_part_1, images_part_2."""
    words = {tuple(_words(name)) for name in names}
    return len(words) == 1 < len(names) and any(word in _IMAGES for word in next(iter(words)))


def words_without_split(name: str) -> list[str]:
    """Return the words of a folder but for those of splits: of pets_train "pets"."""
    return [word for word in _words(name) if _split_of_word(word) is None]


def _words(name: str) -> list[str]:
    """Return the words of a name in small letters: of trainData-2 "train" and "data"."""
    humps = re.sub("([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])", r"\1\3 \2\4", name)
    return re.findall(r"[^\W\d_]+", humps.casefold())


def _split_of_word(word: str) -> int | None:
    """Return the split that a word names, alone or grown together with a generic one: trainset."""
    if word in _SPLIT_WORDS:
        return _SPLIT_WORDS[word]
    for split, code in _SPLIT_WORDS.items():
        if word.startswith(split) and word[len(split) :] in _CONTAINERS:
            return code
        if word.endswith(split) and word[: -len(split)] in _CONTAINERS:
            return code
    return None


def normalize_name(name: str) -> str:
    """Return a name as names are compared: composed Unicode (NFC).

    Macs write an accent behind its letter (decomposed), others both as one: what looks the same is
    the same. Files are opened by their names as they are.
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def alike_key(name: str) -> str:
    """Return what names of classes share that differ in nothing a person means.

    Case, blanks and underscores, full width, accents written in one way or the other; and how a
    number is written: 1, 1.0, 01.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    text = re.sub(r"[\s_]+", " ", text).strip()
    if re.fullmatch(r"[+-]?[0-9]{1,300}(\.[0-9]{0,300})?", text):
        whole, _, fraction = text.lstrip("+").partition(".")
        sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
        fraction = fraction.rstrip("0")
        return sign + (digits.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return text


def alike_groups(names: Iterable[str]) -> list[list[str]]:
    """Return the names that look alike, group by group, in the order given."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(alike_key(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def join_alike(
    classes: Sequence[str], labels: NDArray[np.int64]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Take classes for one whose names look alike, under the name that has most images.

    Args:
        classes: K names.
        labels: (N,) positions in `classes`.

    Returns:
        The names that stay, in their order, and (N,) positions in them.
    """
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    images = dict(zip(classes, counts, strict=True))
    stays = {alike_key(name): name for name in reversed(classes)}
    for group in alike_groups(classes):
        best = max(group, key=lambda name: (images[name], name == name.strip()))
        stays[alike_key(group[0])] = best
    joined = tuple(name for name in classes if stays[alike_key(name)] == name)
    position = {name: i for i, name in enumerate(joined)}
    new = np.array([position[stays[alike_key(name)]] for name in classes], dtype=np.int64)
    return joined, new[labels]


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


def describe_suffixes(paths: Iterable[str], most: int = 5) -> str:
    """Return how many files have which suffix, the frequent ones first: "12 .json, 1 .txt".

    Args:
        paths: of the files.
        most: suffixes that are named.
    """
    counts = Counter(PurePosixPath(path).suffix.lower() or "no suffix" for path in paths)
    kinds = [f"{count:,} {suffix}" for suffix, count in counts.most_common(most)]
    rest = sum(counts.values()) - sum(count for _, count in counts.most_common(most))
    return ", ".join([*kinds, f"{rest:,} others"] if rest else kinds)


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
