"""What packing, the cache of packs and the check of a source return."""

from __future__ import annotations

from dataclasses import dataclass, field

from alexnet.records.record import Record

__all__ = [
    "ISSUES",
    "CacheReport",
    "CachedGraph",
    "CachedPack",
    "CheckReport",
    "ClassCount",
    "DuplicateGroup",
    "FlaggedImage",
    "ImageSizes",
    "Issue",
    "MissingClass",
    "PackReport",
]


@dataclass(frozen=True, kw_only=True)
class PackReport(Record):
    """What `pack` made."""

    source: str
    folder: str
    images: int
    classes: list[str]
    splits: dict[str, int]  # images of each split that the source has
    image_px: int
    resize_mode: str
    store: str  # "pixels" or "jpeg"
    bytes: int  # of all stored images
    shards: int
    fingerprint: str
    unreadable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # path, reason
    quarantine: str | None = None  # where unreadable files were copied to
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CachedPack(Record):
    """One pack of the cache."""

    name: str
    folder: str
    source: str | None  # None: unknown
    images: int  # 0 while it is incomplete
    image_px: int | None
    resize_mode: str | None
    bytes: int  # on the disk
    last_used: float  # seconds since 1970
    complete: bool  # False: it is being written, or was interrupted


@dataclass(frozen=True, kw_only=True)
class CachedGraph(Record):
    """The graphs of one weights file in the cache, by which few images are predicted sooner."""

    name: str
    folder: str
    weights: str | None  # the file; None: unknown
    outputs: list[str]  # "probabilities", and names of layers
    bytes: int  # on the disk
    last_used: float  # seconds since 1970


@dataclass(frozen=True, kw_only=True)
class CacheReport(Record):
    """What the cache holds, and what was removed from it."""

    folder: str
    packs: list[CachedPack]  # last used first
    removed: list[CachedPack] = field(default_factory=list[CachedPack])
    graphs: list[CachedGraph] = field(default_factory=list[CachedGraph])  # last used first
    removed_graphs: list[CachedGraph] = field(default_factory=list[CachedGraph])


@dataclass(frozen=True)
class Issue:
    """What an issue of single images is called, and what to do about it."""

    title: str  # "cannot be read", as in "3 cannot be read"
    advice: str  # what it means and what to do, a sentence or two


ISSUES: dict[str, Issue] = {
    "unreadable": Issue(
        "cannot be read",
        "Trainings leave them out and say so. Fetch them again, or remove them.",
    ),
    "truncated": Issue(
        "can be read, though the end of the file is missing",
        "The lower part of such an image may be gray or repeated. Look at it, or fetch it again.",
    ),
    "wrong_extension": Issue(
        "named for another format than they have",
        "Here the content counts and nothing has to be done; other programs go by the name.",
    ),
    "blank": Issue(
        "of one color",
        "Nothing can be learned from a blank image, and one label for it is as wrong as another.",
    ),
    "gray": Issue(
        "gray among color",
        "Fine where every class has its share of them. Where one class has them all, grayness is "
        "what will be learned.",
    ),
    "small": Issue(
        "far smaller than the others",
        "A shorter side of less than a quarter of the median: enlarged, it shows little. Icons and "
        "previews often get in by mistake.",
    ),
    "large": Issue(
        "far larger than the others",
        "A longer side of more than four times the median: slow to decode, and perhaps a scan or a "
        "panorama among photographs.",
    ),
    "long": Issue(
        "far from square",
        "One side is at least three times the other: the center crop throws most of it away. "
        "--resize-mode pad keeps it all.",
    ),
    "non_ascii_names": Issue(
        "named with letters beyond ASCII",
        "Read here as they are. Other systems and archives may spell them otherwise, so lists of "
        "paths may not match there.",
    ),
}
"""Every issue that single images can have, the gravest first."""


@dataclass(frozen=True, kw_only=True)
class FlaggedImage(Record):
    """An image with an issue, or of a group of duplicates."""

    path: str
    label: str  # its class
    split: str  # "train", "val", "test", or "" where the source has none
    detail: str = ""  # what was found, a phrase


@dataclass(frozen=True, kw_only=True)
class DuplicateGroup(Record):
    """Images that are duplicates of each other, in the source's order."""

    images: list[FlaggedImage]
    across_splits: bool
    across_classes: bool


@dataclass(frozen=True, kw_only=True)
class ClassCount(Record):
    """How many readable images a class has."""

    name: str
    words: str  # what the name means where it is a code, else ""
    images: int
    splits: dict[str, int]  # by split, those of none under ""


@dataclass(frozen=True, kw_only=True)
class MissingClass(Record):
    """A class of which a split has no image."""

    split: str
    name: str


@dataclass(frozen=True, kw_only=True)
class ImageSizes(Record):
    """Widths and heights in pixels, as the images are seen upright."""

    smallest: list[int]  # width, height of the image of the fewest pixels
    median: list[int]  # median width, median height
    largest: list[int]
    center_crop_loss: float  # mean fraction of an image outside of the center crop
    exif_rotated: int  # images that EXIF says to rotate


@dataclass(frozen=True, kw_only=True)
class CheckReport(Record):
    """Everything that `check` found; nothing in the source was changed."""

    source: str
    images: int  # files with a label
    readable: int
    classes: list[ClassCount]
    splits: dict[str, int]  # readable images of each split that the source has
    missing: list[MissingClass]
    imbalance: float | None  # images of the largest training class for one of the smallest
    formats: dict[str, int]  # by content, the most frequent first
    sizes: ImageSizes | None  # None: nothing can be read
    gray: int  # images without color, also where all are
    issues: dict[str, list[FlaggedImage]]  # by the keys of ISSUES, in the source's order
    duplicates: list[DuplicateGroup]  # equal pixels; across classes and splits first
    near_duplicates: list[DuplicateGroup]  # nearly the same, duplicates among them
    min_similarity: float  # of near duplicates, 1 for the same
    exclude: list[tuple[str, str]]  # path and reason of what is better left out, by the stated rule
    exclude_to: str | None = None  # where that list was written
    report: str | None = None  # the page
    seconds: float = 0.0
    images_per_s: float = 0.0
    peak_memory_mb: float | None = None
    notes: list[str] = field(default_factory=list[str])  # sentences about the set as a whole
