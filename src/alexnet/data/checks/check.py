"""Checking a source: what is broken, unusual, duplicated or missing among its images.

Legend: N images of the source, n of them that can be read, K classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.cluster import Executor
from alexnet.data.checks.duplicates import choose_min_similarity, near_duplicate_groups
from alexnet.data.checks.exclusions import duplicates_to_exclude
from alexnet.data.checks.hashing import MIRROR_SIGNS, similarity_matrix
from alexnet.data.checks.issues import find_issues, flag_image
from alexnet.data.checks.scan import Scan, scan_images
from alexnet.data.checks.scan_shards import scan_by_cluster
from alexnet.data.checks.training_notes import training_notes
from alexnet.data.loading.copies import content_ids
from alexnet.data.sources.names import SPLITS
from alexnet.data.sources.source import Source
from alexnet.records import CheckReport, ClassCount, DuplicateGroup, ImageSizes, MissingClass
from alexnet.text import format_count

__all__ = ["check_source"]

_MUCH_CROPPED = 0.25  # of an image: worth a sentence
_UNEVEN = 3.0  # largest class to smallest: worth a sentence
_ROWS = 256  # images of a group that are compared with all others of it at once


def check_source(
    source: Source,
    *,
    mirrored: bool = False,
    workers: int | None = None,
    cluster: str | Executor | None = None,
    output: Path | None = None,
) -> CheckReport:
    """Decode every image of a source and say what is wrong with them; nothing is changed.

    Args:
        source: labeled images, opened `as_found`.
        mirrored: whether mirror images count as near duplicates.
        workers: decoding threads; None: one for each core.
        cluster: see `open_cluster`; None: this process decodes.
        output: beside it a cluster's shards wait that are done; None: in the cache.
    """
    if cluster is None:
        scan = scan_images(source, len(source), workers=workers)
    else:
        scan = scan_by_cluster(source, cluster, output=output, workers=workers)
    return _Check(source, scan, mirrored=mirrored).report()


@dataclass(frozen=True)
class _Duplicates:
    """Groups by positions in the source."""

    equal: list[list[int]]
    near: list[list[int]]
    min_similarity: float


class _Check:
    """One check: a source and the scan of its images."""

    def __init__(self, source: Source, scan: Scan, *, mirrored: bool) -> None:
        self.source, self.scan, self.mirrored = source, scan, mirrored
        self.row_of = {int(i): row for row, i in enumerate(scan.indices.tolist())}

    def report(self) -> CheckReport:
        """Put everything together."""
        source, scan = self.source, self.scan
        duplicates = self._find_duplicates()
        classes = self._class_counts()
        codes: list[int] = np.unique(source.splits).tolist()
        readable = source.splits[scan.indices]
        splits = {SPLITS[code]: int((readable == code).sum()) for code in codes if code}
        formats = Counter(name.decode() for name in scan.facts["format"].tolist())
        sizes = self._image_sizes()
        imbalance = _imbalance(classes, "train" if "train" in splits else None)
        return CheckReport(
            source=str(source.where),
            images=len(source),
            readable=len(scan.indices),
            classes=classes,
            splits=splits,
            missing=_missing_classes(classes, splits),
            imbalance=imbalance,
            formats=dict(formats.most_common()),
            sizes=sizes,
            gray=int(scan.facts["gray"].sum()),
            issues=find_issues(source, scan),
            duplicates=self._describe_groups(duplicates.equal, near=False),
            near_duplicates=self._describe_groups(duplicates.near, near=True),
            min_similarity=duplicates.min_similarity,
            exclude=self._propose_exclusions(duplicates),
            notes=[*_notes(imbalance, sizes), *training_notes(source, scan)],
        )

    def _find_duplicates(self) -> _Duplicates:
        """Group equal pixels, then near duplicates among one of each; blank ones are none."""
        rows = np.flatnonzero(~self.scan.facts["blank"])
        ids = content_ids(self.scan.facts["digest"][rows])
        order = np.argsort(ids, kind="stable")
        bounds = np.flatnonzero(np.diff(ids[order])) + 1
        contents = [part.tolist() for part in np.split(rows[order], bounds)] if len(rows) else []
        contents.sort()
        first = np.array([members[0] for members in contents], dtype=np.int64)
        coefficients = self.scan.coefficients[first]
        least = choose_min_similarity(coefficients)
        near = [
            sorted(row for content in group for row in contents[content])
            for group in near_duplicate_groups(
                coefficients, min_similarity=least, mirrored=self.mirrored
            )
        ]
        equal = [members for members in contents if len(members) > 1]
        return _Duplicates(self._in_source(equal), self._in_source(near), least)

    def _in_source(self, groups: list[list[int]]) -> list[list[int]]:
        return [self.scan.indices[group].tolist() for group in groups]

    def _describe_groups(self, groups: list[list[int]], *, near: bool) -> list[DuplicateGroup]:
        """Describe groups, the worst first: across classes and splits, across either, large."""
        described = [self._describe_group(group, near=near) for group in groups]
        return sorted(
            described,
            key=lambda g: (-g.across_classes - g.across_splits, -g.across_splits, -len(g.images)),
        )

    def _describe_group(self, group: list[int], *, near: bool) -> DuplicateGroup:
        details = self._describe_similarity(group) if near else [""] * len(group)
        return DuplicateGroup(
            images=[
                flag_image(self.source, i, detail) for i, detail in zip(group, details, strict=True)
            ],
            across_splits=len(set(self.source.splits[group].tolist())) > 1,
            across_classes=len(set(self.source.labels[group].tolist())) > 1,
        )

    def _describe_similarity(self, group: list[int]) -> list[str]:
        """Say of each image of a group how similar the most similar other one is."""
        coefficients = self.scan.coefficients[[self.row_of[i] for i in group]]
        plain = _largest_similarities(coefficients, coefficients)
        mirrored = plain - 1
        if self.mirrored:
            mirrored = _largest_similarities(coefficients, coefficients * MIRROR_SIGNS)
        return [
            f"mirrored, {b:.2f} alike" if b > a else f"{a:.2f} alike"
            for a, b in zip(plain.tolist(), mirrored.tolist(), strict=True)
        ]

    def _class_counts(self) -> list[ClassCount]:
        source, readable = self.source, self.scan.indices
        counts = Counter(
            zip(source.labels[readable].tolist(), source.splits[readable].tolist(), strict=True)
        )
        codes = np.unique(source.splits).tolist()
        return [
            ClassCount(
                name=name,
                words=source.class_words.get(name, ""),
                images=sum(counts[k, code] for code in codes),
                splits={SPLITS[code]: counts[k, code] for code in codes},
            )
            for k, name in enumerate(source.classes)
        ]

    def _image_sizes(self) -> ImageSizes | None:
        facts = self.scan.facts
        if not len(facts):
            return None
        width, height = facts["width"].astype(np.int64), facts["height"].astype(np.int64)
        least, most = int((width * height).argmin()), int((width * height).argmax())
        kept = np.minimum(width, height) / np.maximum(width, height)
        return ImageSizes(
            smallest=[int(width[least]), int(height[least])],
            median=[int(np.median(width)), int(np.median(height))],
            largest=[int(width[most]), int(height[most])],
            center_crop_loss=float(1 - kept.mean()),
            exif_rotated=int(facts["turned"].sum()),
        )

    def _propose_exclusions(self, duplicates: _Duplicates) -> list[tuple[str, str]]:
        """Return path and reason of what is better left out, in the source's order."""
        source = self.source
        reasons = {i: f"cannot be read: {why}" for i, why in self.scan.unreadable}
        blank = np.flatnonzero(self.scan.facts["blank"])
        reasons |= dict.fromkeys(self.scan.indices[blank].tolist(), "blank")
        kinds = ((duplicates.equal, "duplicate"), (duplicates.near, "near duplicate"))
        for groups, kind in kinds:
            for group in groups:
                out, kept = duplicates_to_exclude(group, source.labels, source.splits)
                of = "under another class" if kept is None else f"of {source.paths[kept]}"
                reasons |= dict.fromkeys(out, f"{kind} {of}")
        return [(source.paths[i], reasons[i]) for i in sorted(reasons)]


def _largest_similarities(
    coefficients: NDArray[np.float16], others: NDArray[np.float16]
) -> NDArray[np.float32]:
    """Return how similar each of n images is to the most similar of the others, (n,)."""
    largest = np.empty(len(coefficients), dtype=np.float32)
    for start in range(0, len(coefficients), _ROWS):
        matrix = similarity_matrix(coefficients[start : start + _ROWS], others)
        rows = np.arange(len(matrix))
        matrix[rows, start + rows] = -1  # itself
        largest[start : start + _ROWS] = matrix.max(axis=1)
    return largest


def _missing_classes(classes: Sequence[ClassCount], splits: Iterable[str]) -> list[MissingClass]:
    """Return which classes each split lacks; splits without any image lack none."""
    return [
        MissingClass(split=split, name=each.name)
        for split in splits
        if any(each.splits.get(split) for each in classes)
        for each in classes
        if not each.splits.get(split)
    ]


def _imbalance(classes: Sequence[ClassCount], split: str | None) -> float | None:
    """Return how many times the smallest class the largest is, of what is trained on."""
    sizes = [each.splits.get(split, 0) if split else each.images for each in classes]
    present = [size for size in sizes if size]
    return max(present) / min(present) if present else None


def _notes(imbalance: float | None, sizes: ImageSizes | None) -> list[str]:
    notes: list[str] = []
    if imbalance is not None and imbalance >= _UNEVEN:
        notes.append(
            f"The largest class has {imbalance:.1f} times the images of the smallest: look at "
            "balanced accuracy, and try --class-weights auto or --sampling balanced."
        )
    if sizes and sizes.center_crop_loss >= _MUCH_CROPPED:
        notes.append(
            f"The center crop throws away {sizes.center_crop_loss:.0%} of the average image. Where "
            "what counts lies near the edges, compare --resize-mode squash and --resize-mode pad, "
            "which keep all of it; of photographs whose object is in the middle the crop shows it "
            "the largest."
        )
    if sizes and sizes.exif_rotated:
        notes.append(
            f"{format_count(sizes.exif_rotated, 'image')} lie on their side or head by EXIF; here "
            "they are turned upright, in other programs perhaps not."
        )
    return notes
