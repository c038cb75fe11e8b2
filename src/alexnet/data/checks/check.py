"""Checking a source: what is broken, strange, twice there or missing among its pictures.

Legend: N pictures of the source, n of them that can be read, K classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.data.checks.duplicates import alike_from, near_groups
from alexnet.data.checks.exclusions import copies_to_leave_out
from alexnet.data.checks.hashing import MIRRORED_WAVES, correlations
from alexnet.data.checks.scan import Seen, look_at
from alexnet.data.loading.splits import content_numbers
from alexnet.data.sources.names import SPLITS
from alexnet.data.sources.source import Source
from alexnet.images import format_of_suffix
from alexnet.records import (
    FLAWS,
    CheckReport,
    ClassSize,
    CopyGroup,
    FoundPicture,
    MissingClass,
    PictureSizes,
)
from alexnet.text import counted

__all__ = ["check_source"]

_SMALL, _LARGE, _LONG = 4, 4, 3  # times the median, the median, the other side
_MANY_CROPPED = 0.25  # of a picture: worth a sentence
_UNEVEN = 3.0  # largest class to smallest: worth a sentence
_ROWS = 256  # pictures of a group that are held against all others of it at once


def check_source(
    source: Source, *, mirrored: bool = False, workers: int | None = None
) -> CheckReport:
    """Decode every picture of a source and say what is wrong with them; nothing is changed.

    Args:
        source: labelled pictures, opened `as_found`.
        mirrored: whether mirror images count as near copies.
        workers: decoding threads; None: one for each core.
    """
    seen = look_at(source, len(source), workers=workers)
    return _Check(source, seen, mirrored=mirrored).report()


@dataclass(frozen=True)
class _Copies:
    """Groups of copies by their positions in the source."""

    equal: list[list[int]]
    near: list[list[int]]
    alike_from: float


class _Check:
    """One check: what was seen, and the source it was seen in."""

    def __init__(self, source: Source, seen: Seen, *, mirrored: bool) -> None:
        self.source, self.seen, self.mirrored = source, seen, mirrored
        self.place = {int(i): row for row, i in enumerate(seen.indices.tolist())}

    def report(self) -> CheckReport:
        """Put everything together."""
        source, seen = self.source, self.seen
        copies = self._copies()
        flaws = self._flaws()
        classes = self._classes()
        codes: list[int] = np.unique(source.splits).tolist()
        readable = source.splits[seen.indices]
        splits = {SPLITS[code]: int((readable == code).sum()) for code in codes if code}
        formats = Counter(name.decode() for name in seen.about["format"].tolist())
        sizes = self._sizes()
        imbalance = _imbalance(classes, "train" if "train" in splits else None)
        return CheckReport(
            source=str(source.where),
            pictures=len(source),
            readable=len(seen.indices),
            classes=classes,
            splits=splits,
            missing=_missing(classes, splits),
            imbalance=imbalance,
            formats=dict(formats.most_common()),
            sizes=sizes,
            grey=int(seen.about["grey"].sum()),
            flaws={kind: found for kind, found in flaws.items() if found},
            copies=self._groups(copies.equal, alike=False),
            near_copies=self._groups(copies.near, alike=True),
            alike_from=copies.alike_from,
            exclude=self._exclude(copies),
            notes=_notes(imbalance, sizes),
        )

    def _copies(self) -> _Copies:
        """Find groups of equal pixels, then near ones among one of each; blank ones are none."""
        rows = np.flatnonzero(~self.seen.about["blank"])
        numbers = content_numbers(self.seen.about["digest"][rows])
        order = np.argsort(numbers, kind="stable")
        bounds = np.flatnonzero(np.diff(numbers[order])) + 1
        contents = [part.tolist() for part in np.split(rows[order], bounds)] if len(rows) else []
        contents.sort()
        first = np.array([each[0] for each in contents], dtype=np.int64)
        found = self.seen.waves[first]
        least = alike_from(found)
        near = [
            sorted(row for number in group for row in contents[number])
            for group in near_groups(found, least=least, mirrored=self.mirrored)
        ]
        equal = [rows for rows in contents if len(rows) > 1]
        return _Copies(self._in_source(equal), self._in_source(near), least)

    def _in_source(self, groups: list[list[int]]) -> list[list[int]]:
        return [self.seen.indices[group].tolist() for group in groups]

    def _groups(self, groups: list[list[int]], *, alike: bool) -> list[CopyGroup]:
        """Describe groups, the worst first: across classes and splits, across either, large."""
        found = [self._group(group, alike=alike) for group in groups]
        return sorted(
            found,
            key=lambda g: (-g.across_classes - g.across_splits, -g.across_splits, -len(g.pictures)),
        )

    def _group(self, group: list[int], *, alike: bool) -> CopyGroup:
        details = self._alike(group) if alike else [""] * len(group)
        return CopyGroup(
            pictures=[self._found(i, said) for i, said in zip(group, details, strict=True)],
            across_splits=len(set(self.source.splits[group].tolist())) > 1,
            across_classes=len(set(self.source.labels[group].tolist())) > 1,
        )

    def _alike(self, group: list[int]) -> list[str]:
        """Say of each picture of a group how alike it is to the nearest other of the group."""
        found = self.seen.waves[[self.place[i] for i in group]]
        straight = _nearest(found, found)
        mirrored = _nearest(found, found * MIRRORED_WAVES) if self.mirrored else straight - 1
        return [
            f"mirrored, {b:.2f} alike" if b > a else f"{a:.2f} alike"
            for a, b in zip(straight.tolist(), mirrored.tolist(), strict=True)
        ]

    def _found(self, index: int, detail: str = "") -> FoundPicture:
        return FoundPicture(
            path=self.source.paths[index],
            label=self.source.classes[int(self.source.labels[index])],
            split=SPLITS[int(self.source.splits[index])],
            detail=detail,
        )

    def _flaws(self) -> dict[str, list[FoundPicture]]:
        """Return every kind of finding about single pictures, by the order of FLAWS."""
        about = self.seen.about
        indices: list[int] = self.seen.indices.tolist()
        found = {kind: list[FoundPicture]() for kind in FLAWS}
        found["unreadable"] = [self._found(i, why) for i, why in self.seen.unreadable]
        for kind, rows in _strange_sizes(about).items():
            found[kind] = [self._found(indices[row], _size(about[row])) for row in rows]
        grey = np.flatnonzero(about["grey"] & ~about["blank"])
        if 2 * len(grey) < len(about):  # else grey is what the set is
            found["grey"] = self._named(grey)
        found["blank"] = self._named(np.flatnonzero(about["blank"]))
        found["cut_off"] = self._named(np.flatnonzero(about["cut_off"]))
        for row, index in enumerate(indices):
            path = self.source.paths[index]
            wrong = _misnamed(path, about[row]["format"].decode())
            if wrong:
                found["misnamed"].append(self._found(index, wrong))
        found["odd_names"] = [
            self._found(i) for i, path in enumerate(self.source.paths) if not path.isascii()
        ]
        return found

    def _named(self, rows: NDArray[np.int64]) -> list[FoundPicture]:
        return [self._found(i) for i in self.seen.indices[rows].tolist()]

    def _classes(self) -> list[ClassSize]:
        source, readable = self.source, self.seen.indices
        pairs = Counter(
            zip(source.labels[readable].tolist(), source.splits[readable].tolist(), strict=True)
        )
        there = np.unique(source.splits).tolist()
        return [
            ClassSize(
                name=name,
                words=source.class_words.get(name, ""),
                pictures=sum(pairs[k, code] for code in there),
                splits={SPLITS[code]: pairs[k, code] for code in there},
            )
            for k, name in enumerate(source.classes)
        ]

    def _sizes(self) -> PictureSizes | None:
        about = self.seen.about
        if not len(about):
            return None
        width, height = about["width"].astype(np.int64), about["height"].astype(np.int64)
        least, most = int((width * height).argmin()), int((width * height).argmax())
        kept = np.minimum(width, height) / np.maximum(width, height)
        return PictureSizes(
            smallest=[int(width[least]), int(height[least])],
            median=[int(np.median(width)), int(np.median(height))],
            largest=[int(width[most]), int(height[most])],
            cropped=float(1 - kept.mean()),
            turned=int(about["turned"].sum()),
        )

    def _exclude(self, copies: _Copies) -> list[tuple[str, str]]:
        """Return path and reason of what is better left out, in the source's order."""
        paths = self.source.paths
        reasons = {i: f"cannot be read: {why}" for i, why in self.seen.unreadable}
        blank = np.flatnonzero(self.seen.about["blank"])
        reasons |= dict.fromkeys(self.seen.indices[blank].tolist(), "blank")
        for groups, what in ((copies.equal, "a copy"), (copies.near, "nearly a copy")):
            for group in groups:
                out, kept = copies_to_leave_out(group, self.source.labels, self.source.splits)
                why = f"{what} of {paths[kept]}" if kept is not None else None
                for i in out:
                    reasons[i] = why or f"{what} under another class"
        return [(paths[i], reasons[i]) for i in sorted(reasons)]


def _nearest(found: NDArray[np.float16], others: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return how alike each of n pictures is to the most alike of the others, (n,)."""
    nearest = np.empty(len(found), dtype=np.float32)
    for start in range(0, len(found), _ROWS):
        alike = correlations(found[start : start + _ROWS], others)
        rows = np.arange(len(alike))
        alike[rows, start + rows] = -1  # itself
        nearest[start : start + _ROWS] = alike.max(axis=1)
    return nearest


def _strange_sizes(about: NDArray[Any]) -> dict[str, list[int]]:
    """Return the rows of pictures that are far smaller, far larger or far longer than usual."""
    if not len(about):
        return {}
    shorter = np.minimum(about["width"], about["height"])
    longer = np.maximum(about["width"], about["height"])
    found = {
        "small": shorter * _SMALL < np.median(shorter),
        "large": longer > np.median(longer) * _LARGE,
        "long": longer >= shorter * _LONG,
    }
    return {kind: np.flatnonzero(rows).tolist() for kind, rows in found.items()}


def _size(row: Any) -> str:
    return f"{int(row['width']):,} x {int(row['height']):,} pixels"


def _misnamed(path: str, content: str) -> str:
    """Say how a name and a content differ; nothing where they do not."""
    promised = format_of_suffix(path)
    if promised == content:
        return ""
    name = path.rpartition("/")[2]
    suffix = name[name.rfind(".") :] if "." in name[1:] else ""
    return f"{content}, called {suffix}" if suffix else f"{content}, without a suffix"


def _missing(classes: Sequence[ClassSize], splits: Iterable[str]) -> list[MissingClass]:
    """Return which classes each split lacks; splits without any picture lack none."""
    return [
        MissingClass(split=split, name=each.name)
        for split in splits
        if any(each.splits.get(split) for each in classes)
        for each in classes
        if not each.splits.get(split)
    ]


def _imbalance(classes: Sequence[ClassSize], split: str | None) -> float | None:
    """Return how many times the smallest class the largest is, of what is trained on."""
    sizes = [each.splits.get(split, 0) if split else each.pictures for each in classes]
    there = [size for size in sizes if size]
    return max(there) / min(there) if there else None


def _notes(imbalance: float | None, sizes: PictureSizes | None) -> list[str]:
    notes: list[str] = []
    if imbalance is not None and imbalance >= _UNEVEN:
        notes.append(
            f"The largest class has {imbalance:.1f} times the pictures of the smallest: look at "
            "balanced accuracy, and try --class-weights auto or --sampling balanced."
        )
    if sizes and sizes.cropped >= _MANY_CROPPED:
        notes.append(
            f"The centre crop throws away {sizes.cropped:.0%} of the average picture; --fit pad "
            "keeps all of it."
        )
    if sizes and sizes.turned:
        notes.append(
            f"{counted(sizes.turned, 'picture')} lie on their side or head by EXIF; here they are "
            "turned upright, in other programs perhaps not."
        )
    return notes
