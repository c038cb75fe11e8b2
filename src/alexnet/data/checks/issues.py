"""Issues of single images: unreadable, truncated, unusual in size, blank, gray, misnamed.

Legend: n images of the source that can be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.data.checks.scan import Scan
from alexnet.data.sources.names import SPLITS
from alexnet.data.sources.source import Source
from alexnet.images import format_from_suffix
from alexnet.records import ISSUES, FlaggedImage

__all__ = ["find_issues", "flag_image"]

_SMALL, _LARGE, _LONG = 4, 4, 3  # times the median, the median, the other side


def flag_image(source: Source, index: int, detail: str = "") -> FlaggedImage:
    """Return an image of a source with its class and split.

    Args:
        source: labeled images.
        index: of the image.
        detail: what was found, in words.
    """
    return FlaggedImage(
        path=source.paths[index],
        label=source.classes[int(source.labels[index])],
        split=SPLITS[int(source.splits[index])],
        detail=detail,
    )


def find_issues(source: Source, scan: Scan) -> dict[str, list[FlaggedImage]]:
    """Return the images with each issue of `ISSUES` that there is."""
    facts = scan.facts
    indices: list[int] = scan.indices.tolist()

    def describe(rows: Iterable[int]) -> list[FlaggedImage]:
        return [flag_image(source, indices[row]) for row in rows]

    issues = {kind: list[FlaggedImage]() for kind in ISSUES}
    issues["unreadable"] = [flag_image(source, i, why) for i, why in scan.unreadable]
    for kind, rows in _unusual_sizes(facts).items():
        issues[kind] = [flag_image(source, indices[row], _size(facts[row])) for row in rows]
    gray = np.flatnonzero(facts["gray"] & ~facts["blank"])
    if 2 * len(gray) < len(facts):  # else gray is what the set is
        issues["gray"] = describe(gray.tolist())
    issues["blank"] = describe(np.flatnonzero(facts["blank"]).tolist())
    issues["truncated"] = describe(np.flatnonzero(facts["truncated"]).tolist())
    for row, index in enumerate(indices):
        mismatch = _format_mismatch(source.paths[index], facts[row]["format"].decode())
        if mismatch:
            issues["wrong_extension"].append(flag_image(source, index, mismatch))
    non_ascii = [i for i, path in enumerate(source.paths) if not path.isascii()]
    issues["non_ascii_names"] = [flag_image(source, i) for i in non_ascii]
    return {kind: images for kind, images in issues.items() if images}


def _unusual_sizes(facts: NDArray[Any]) -> dict[str, list[int]]:
    """Return the rows of images that are far smaller, far larger or far longer than usual."""
    if not len(facts):
        return {}
    shorter = np.minimum(facts["width"], facts["height"])
    longer = np.maximum(facts["width"], facts["height"])
    masks = {
        "small": shorter * _SMALL < np.median(shorter),
        "large": longer > np.median(longer) * _LARGE,
        "long": longer >= shorter * _LONG,
    }
    return {kind: np.flatnonzero(mask).tolist() for kind, mask in masks.items()}


def _size(row: Any) -> str:
    return f"{int(row['width']):,} x {int(row['height']):,} pixels"


def _format_mismatch(path: str, content: str) -> str:
    """Say how a name and a content differ; nothing where they do not."""
    if format_from_suffix(path) == content:
        return ""
    name = path.rpartition("/")[2]
    suffix = name[name.rfind(".") :] if "." in name[1:] else ""
    return f"{content}, called {suffix}" if suffix else f"{content}, without a suffix"
