"""What `check` finds in a source, as plain values that turn into JSON by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

from alexnet.records.results import Record

__all__ = [
    "FLAWS",
    "CheckReport",
    "ClassSize",
    "CopyGroup",
    "Flaw",
    "FoundPicture",
    "MissingClass",
    "PictureSizes",
]


@dataclass(frozen=True)
class Flaw:
    """A kind of finding about single pictures, in words."""

    title: str  # "cannot be read", as in "3 cannot be read"
    advice: str  # what it means and what to do, a sentence or two


FLAWS: dict[str, Flaw] = {
    "unreadable": Flaw(
        "cannot be read",
        "Trainings leave them out and say so. Fetch them again, or remove them.",
    ),
    "cut_off": Flaw(
        "can be read, though the end of the file is missing",
        "The lower part of such a picture may be grey or repeated. Look at it, or fetch it again.",
    ),
    "misnamed": Flaw(
        "named for another format than they have",
        "Here the content counts and nothing has to be done; other programs go by the name.",
    ),
    "blank": Flaw(
        "of one colour",
        "Nothing can be learnt from a blank picture, and one label for it is as wrong as another.",
    ),
    "grey": Flaw(
        "grey among colour",
        "Fine where every class has its share of them. Where one class has them all, greyness is "
        "what will be learnt.",
    ),
    "small": Flaw(
        "far smaller than the others",
        "A shorter side of less than a quarter of the median: enlarged, it shows little. Icons and "
        "previews often get in by mistake.",
    ),
    "large": Flaw(
        "far larger than the others",
        "A longer side of more than four times the median: slow to decode, and perhaps a scan or a "
        "panorama among photographs.",
    ),
    "long": Flaw(
        "far from square",
        "One side is at least three times the other: the centre crop throws most of it away. "
        "--fit pad keeps it all.",
    ),
    "odd_names": Flaw(
        "named with letters beyond ASCII",
        "Read here as they are. Other systems and archives may spell them otherwise, so lists of "
        "paths may not match there.",
    ),
}
"""Every kind of finding about single pictures, the gravest first."""


@dataclass(frozen=True, kw_only=True)
class FoundPicture(Record):
    """A picture that something is said about."""

    path: str
    label: str  # its class
    split: str  # "train", "val", "test", or "" where the source has none
    detail: str = ""  # what was found, in words


@dataclass(frozen=True, kw_only=True)
class CopyGroup(Record):
    """Pictures that show the same, in the source's order."""

    pictures: list[FoundPicture]
    across_splits: bool
    across_classes: bool


@dataclass(frozen=True, kw_only=True)
class ClassSize(Record):
    """How many readable pictures a class has."""

    name: str
    words: str  # what the name means where it is a code, else ""
    pictures: int
    splits: dict[str, int]  # by split, those of none under ""


@dataclass(frozen=True, kw_only=True)
class MissingClass(Record):
    """A class of which a split has no picture."""

    split: str
    name: str


@dataclass(frozen=True, kw_only=True)
class PictureSizes(Record):
    """Widths and heights in pixels, as the pictures are seen upright."""

    smallest: list[int]  # width, height of the picture of the fewest pixels
    median: list[int]  # median width, median height
    largest: list[int]
    cropped: float  # mean share of a picture that the centre crop throws away, in 0..1
    turned: int  # pictures whose EXIF says that they lie on their side or head


@dataclass(frozen=True, kw_only=True)
class CheckReport(Record):
    """Everything that `check` found; nothing in the source was changed."""

    source: str
    pictures: int  # files with a label
    readable: int
    classes: list[ClassSize]
    splits: dict[str, int]  # readable pictures of each split that the source has
    missing: list[MissingClass]
    imbalance: float | None  # pictures of the largest training class for one of the smallest
    formats: dict[str, int]  # by content, the most frequent first
    sizes: PictureSizes | None  # None: nothing can be read
    grey: int  # pictures without colour, also where all are
    flaws: dict[str, list[FoundPicture]]  # by the kinds of FLAWS, in the source's order
    copies: list[CopyGroup]  # equal pixels; across classes and splits first
    near_copies: list[CopyGroup]  # nearly the same, copies of equal pixels among them
    alike_from: float  # how alike near copies are at least, 1 for the same
    exclude: list[tuple[str, str]]  # path and reason of what is better left out, by the stated rule
    exclude_to: str | None = None  # where that list was written
    report: str | None = None  # the page
    seconds: float = 0.0
    images_per_s: float = 0.0
    peak_memory_mb: float | None = None
    notes: list[str] = field(default_factory=list[str])  # sentences about the set as a whole
