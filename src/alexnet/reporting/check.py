"""The page of a check: duplicates side by side, odd images by kind, classes, what to leave out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.data import Source
from alexnet.errors import RunError, SourceError
from alexnet.files import write_json
from alexnet.images import decode
from alexnet.records import ISSUES, CheckReport, DuplicateGroup, FlaggedImage, Issue
from alexnet.reporting.html.format import percent
from alexnet.reporting.html.render import render, write_page
from alexnet.reporting.thumbnails import data_uri, make_thumbnails
from alexnet.text import format_count, join_words

__all__ = ["draw_check", "require_check_folder", "shown_images", "write_check_report"]

_DATA = "check.json"
_MOST_PX = 128  # of an image in the page
_BUDGET = 3_000_000  # bytes of encoded images; base64 adds a third
_NAMED = 10  # classes that a split lacks


class _Limits(NamedTuple):
    """How much of a long list the page shows; check.json has everything."""

    groups: int = 48
    in_a_group: int = 6  # a row of them
    of_a_kind: int = 24
    rows: int = 2000


class _Kind(NamedTuple):
    issue: Issue
    images: list[FlaggedImage]


class _Group(NamedTuple):
    images: list[FlaggedImage]
    across: str  # in words
    across_classes: bool


_LIMITS = _Limits()


def write_check_report(folder: Path, report: CheckReport, source: Source) -> Path:
    """Write `index.html`, which needs nothing else, and `check.json`; return the page.

    Args:
        folder: made where missing; the files of an earlier check are replaced.
        report: what was found.
        source: where the images are, to show some hundreds of them at most.

    Raises:
        RunError: the folder holds something else, or the disk refuses.
    """
    require_check_folder(folder)
    write_json(folder / _DATA, report.to_json())
    paths = shown_images(report)
    chosen = set(paths)
    index = {path: i for i, path in enumerate(source.paths) if path in chosen}
    thumbnails = make_thumbnails(
        lambda item: _read_small(source, index.get(paths[item])), range(len(paths)), budget=_BUDGET
    )
    images = {paths[item]: data for item, data in thumbnails.encoded.items()}
    return write_page(folder / "index.html", draw_check(report, images, side_px=thumbnails.side_px))


def require_check_folder(folder: Path) -> None:
    """Raise RunError where a folder is none, or holds something else than a check."""
    other = folder.is_dir() and any(folder.iterdir()) and not (folder / _DATA).is_file()
    if other or (folder.exists() and not folder.is_dir()):
        raise RunError(
            f"{folder} holds something else than a check. Name a new or an empty folder with "
            "--report."
        )


def draw_check(report: CheckReport, images: Mapping[str, bytes], *, side_px: int) -> str:
    """Draw the whole page.

    Args:
        report: what was found.
        images: encoded images by path; those that are missing leave a word in their place.
        side_px: the longest side among them.
    """

    def thumbnail(path: str) -> str | None:
        data = images.get(path)
        return None if data is None else data_uri(data)

    return render(
        "check.html",
        side_px=side_px,
        report=report,
        headline=_headline(report),
        remarks=[*_missing(report), *report.notes],
        duplicates=_groups(report.duplicates),
        near_duplicates=_groups(report.near_duplicates),
        kinds=[_Kind(ISSUES[kind], flagged) for kind, flagged in report.issues.items()],
        not_found=[issue.title for kind, issue in ISSUES.items() if kind not in report.issues],
        largest=max((size.images for size in report.classes), default=0) or 1,
        commands=_commands(report),
        limits=_LIMITS,
        words={size.name: size.words.partition(",")[0] for size in report.classes if size.words},
        thumbnail=thumbnail,
        images_of=_images,
        numbers_of=_numbers,
    )


def shown_images(report: CheckReport) -> list[str]:
    """Return the paths of the images that the page shows, the most important first, each once."""
    groups = chain(report.duplicates[: _LIMITS.groups], report.near_duplicates[: _LIMITS.groups])
    in_groups = (image.path for group in groups for image in group.images[: _LIMITS.in_a_group])
    single = (
        image.path for flagged in report.issues.values() for image in flagged[: _LIMITS.of_a_kind]
    )
    return list(dict.fromkeys(chain(in_groups, single)))


def _headline(report: CheckReport) -> dict[str, str]:
    facts = {
        "duplicates": _count_groups(report.duplicates),
        "near duplicates": _count_groups(report.near_duplicates),
        "cannot be read": format_count(len(report.issues.get("unreadable", [])), "image"),
        "formats": ", ".join(f"{n:,} {name}" for name, n in report.formats.items()),
    }
    if report.splits:
        facts["splits"] = ", ".join(f"{n:,} {name}" for name, n in report.splits.items())
    if report.sizes is not None:
        sides = [report.sizes.smallest, report.sizes.median, report.sizes.largest]
        least, middle, most = (f"{width:,} × {height:,}" for width, height in sides)
        facts["pixels"] = middle if least == most else f"{least} to {most}, median {middle}"
        facts["lost by the center crop"] = f"{percent(report.sizes.center_crop_loss)} on average"
    facts["scanned"] = f"{report.images_per_s:,.0f} images/s"
    return facts


def _count_groups(groups: Sequence[DuplicateGroup]) -> str:
    if not groups:
        return "none"
    parts = [format_count(len(groups), "group")]
    splits = sum(group.across_splits for group in groups)
    classes = sum(group.across_classes for group in groups)
    parts += [f"{splits:,} across splits"] if splits else []
    parts += [f"{classes:,} across classes"] if classes else []
    return ", ".join(parts)


def _missing(report: CheckReport) -> list[str]:
    missing: dict[str, list[str]] = {}
    for absent in report.missing:
        missing.setdefault(absent.split, []).append(absent.name)
    return [
        f"{split} has no image of {join_words(names[:_NAMED])}"
        + (f" and {len(names) - _NAMED:,} more." if len(names) > _NAMED else ".")
        for split, names in missing.items()
    ]


def _groups(groups: Sequence[DuplicateGroup]) -> list[_Group]:
    return [_Group(group.images, _across(group), group.across_classes) for group in groups]


def _across(group: DuplicateGroup) -> str:
    names = ["classes"] * group.across_classes + ["splits"] * group.across_splits
    return f"across {join_words(names)}" if names else "within a split"


def _images(groups: Sequence[_Group]) -> list[FlaggedImage]:
    """Return the images of all groups, one after the other."""
    return [image for group in groups for image in group.images]


def _numbers(groups: Sequence[_Group]) -> list[int]:
    """Return for each of these images the number of its group."""
    return [number for number, group in enumerate(groups, 1) for _ in group.images]


def _commands(report: CheckReport) -> list[str]:
    where = report.exclude_to or "exclude.csv"
    write = [f"alexnet check {report.source} --exclude-to {where}"]
    return [
        *(write if report.exclude_to is None else []),
        f"alexnet train {report.source} --exclude {where}",
        f"alexnet finetune {report.source} --exclude {where}",
    ]


def _read_small(source: Source, index: int | None) -> NDArray[np.uint8] | None:
    """Return an image in its own proportions, small; None where it cannot be read."""
    if index is None:
        return None
    try:
        pixels = decode(source.read(index), source.paths[index])
    except SourceError:
        return None
    image = Image.fromarray(pixels)
    image.thumbnail((_MOST_PX, _MOST_PX), Image.Resampling.LANCZOS)
    return np.array(image)
