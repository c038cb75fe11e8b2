"""Which images are for training, validation and testing.

Splits that the source brings are kept. What is missing for validation is drawn from the training
images, by groups: the copies of an image, also under another name, class, format or size, and what
was taken within seconds of it fall on one side. What cannot be kept apart, and which classes are
measured on few images or none, is said.

Legend: N images.
"""

from __future__ import annotations

import csv
import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.loading.copies import Copies, find_copies
from alexnet.data.loading.groups import bursts_in_time, merge_pairs
from alexnet.data.loading.stratified import CopyGroups, draw_stratified
from alexnet.data.packs.pack import Pack
from alexnet.data.sources.names import SPLITS
from alexnet.errors import RecipeError, RunError, SourceError
from alexnet.files import unescape_formula, write_csv
from alexnet.text import format_count, quote_names

__all__ = [
    "SplitAssignment",
    "assign_splits",
    "draw_splits",
    "read_split_csv",
    "write_skipped_csv",
    "write_split_csv",
]

_log = logging.getLogger(__name__)

_NONE, _TRAIN, _VAL, _TEST = range(len(SPLITS))
_FEW_IMAGES = 5  # held out of a class: the next image may change its recall by a fifth
_MAX_NAMED = 5


@dataclass(frozen=True)
class SplitAssignment:
    """Which images are for what, and what a reader of the figures should know of it."""

    indices: dict[str, NDArray[np.int64]]  # of each split that has any, rising
    warnings: tuple[str, ...] = ()  # sentences


def assign_splits(pack: Pack, *, val_fraction: float, seed: int) -> dict[str, NDArray[np.int64]]:
    """Return the images of each split that has any, as `draw_splits` does, and log its warnings."""
    drawn = draw_splits(pack, val_fraction=val_fraction, seed=seed)
    for warning in drawn.warnings:
        _log.warning("%s", warning)
    return drawn.indices


def draw_splits(pack: Pack, *, val_fraction: float, seed: int) -> SplitAssignment:
    """Return the images of each split that has any, and what there is to say of them.

    Where the source has no val, each class gives `val_fraction` of its training images to it, as
    nearly as whole images and their copies allow, at least one image and never the last. Which ones
    depends on `seed`, contents and labels alone, not on names or on the order of the images.

    Args:
        pack: the images.
        val_fraction: share of the training images held out where there is no val; 0: none.
        seed: of the draw.

    Returns:
        Under "train", "val" and "test" the indices of their images, rising; and the warnings: of
        copies in several splits, and of classes that are measured on few images or on none.

    Raises:
        SourceError: fewer than two classes, a class without training images, or nothing that
            could be held out.
        RecipeError: `val_fraction` is out of range.
    """
    if not 0 <= val_fraction < 1:
        raise RecipeError(f"val_fraction must be at least 0 and under 1; got {val_fraction}.")
    train = np.flatnonzero((pack.splits == _TRAIN) | (pack.splits == _NONE))
    val, test = np.flatnonzero(pack.splits == _VAL), np.flatnonzero(pack.splits == _TEST)
    _require_trainable(pack, train)
    copies, warnings = find_copies(pack), list[str]()
    if not len(val) and val_fraction:
        held_out, warnings = _hold_out(pack, copies, train, val_fraction, seed)
        train, val = train[~held_out], train[held_out]
    splits = {"train": train, "val": val, "test": test}
    indices = {name: each.astype(np.int64) for name, each in splits.items() if len(each)}
    warnings += _copies_across(pack, copies, indices)
    warnings += _measured_on_few(pack, indices)
    return SplitAssignment(indices, tuple(warnings))


def _hold_out(
    pack: Pack, copies: Copies, train: NDArray[np.int64], val_fraction: float, seed: int
) -> tuple[NDArray[np.bool_], list[str]]:
    """Choose which of the training images are held out, and say where copies could not stay whole.

    Raises:
        SourceError: none can be, even where equal files alone count as copies.
    """
    files, labels = copies.files[train], pack.labels[train]
    for numbers in (_with_bursts(pack, copies, train, val_fraction), files):
        groups = CopyGroups.of(numbers, files, labels, len(pack.classes))
        drawn = draw_stratified(groups, pack.digests[train], share=val_fraction, seed=seed)
        if drawn.any():
            warning = (
                f"{pack.where}: the images of each class are near duplicates of each other or of "
                "another class's, so no class could give any to validation without leaving others "
                "in training. Images were drawn one by one, and the figures flatter. Add images "
                "that were made another time, or bring a folder val."
            )
            return drawn[groups.group_of], [warning] if numbers is files else []
    raise SourceError(
        f"{pack.where} has no image that could be held out for validation: each is the "
        "only one of its class (duplicates count once). Add images, bring a folder val, or "
        "train without validation: --val-fraction 0."
    )


def _with_bursts(
    pack: Pack, copies: Copies, train: NDArray[np.int64], val_fraction: float
) -> NDArray[np.int64]:
    """Return the groups of the training images: copies, and bursts where times are known."""
    numbers = copies.similar[train]
    if pack.times is None:
        return numbers
    labels = pack.labels[train]
    bursts = bursts_in_time(pack.times[train], labels)
    return merge_pairs(numbers, bursts, labels, val_fraction) if len(bursts) else numbers


def _require_trainable(pack: Pack, train: NDArray[np.int64]) -> None:
    if len(pack.classes) < 2:
        raise SourceError(
            f"{pack.where} has one class only, {quote_names(pack.classes)}. A classifier tells at "
            "least two apart: add a folder with images of something else."
        )
    if not len(train):
        raise SourceError(
            f"{pack.where} has no images to train on, only some for validation or testing. Put "
            "training images into a folder train."
        )
    counts = np.bincount(pack.labels[train], minlength=len(pack.classes))
    without = [pack.classes[k] for k in np.flatnonzero(counts == 0).tolist()]
    if without:
        unread = f" ({format_count(len(pack.skipped), 'image')} could not be read)"
        raise SourceError(
            f"{pack.where} has no training image of {quote_names(without)}"
            f"{unread if pack.skipped else ''}. Add some, or take the class away."
        )


def _copies_across(
    pack: Pack, copies: Copies, splits: Mapping[str, NDArray[np.int64]]
) -> list[str]:
    """Say which images of val and test have a copy among those that are trained on."""
    train, sentences = splits["train"], list[str]()
    for name, indices in splits.items():
        if name == "train":
            continue
        equal = np.isin(copies.files[indices], copies.files[train])
        near = np.isin(copies.certain[indices], copies.certain[train])
        found: list[int] = indices[equal | near].tolist()
        if not found:
            continue
        near_ones = "" if equal[near].all() else " or near duplicates"
        what = f"are duplicates{near_ones} of training images"
        if len(found) == 1:
            what = f"is a duplicate{near_ones.removesuffix('s')} of a training image"
        names = quote_names([pack.paths[i] for i in found])
        sentences.append(
            f"{pack.where}: {len(found):,} of {format_count(len(indices), 'image')} in {name} "
            f"{what} ({names}); its figures flatter. "
            f"`alexnet check {shlex.quote(str(pack.where))}` shows the pairs and lists what to "
            "exclude."
        )
    return sentences


def _measured_on_few(pack: Pack, splits: Mapping[str, NDArray[np.int64]]) -> list[str]:
    """Say of which classes few images are held out, or none, on the split that is measured."""
    name = next((each for each in ("test", "val") if each in splits), None)
    if name is None:
        return []
    counts = np.bincount(pack.labels[splits[name]], minlength=len(pack.classes))
    none = [pack.classes[k] for k in np.flatnonzero(counts == 0).tolist()]
    few = [(pack.classes[k], n) for k, n in enumerate(counts.tolist()) if 0 < n < _FEW_IMAGES]
    sentences: list[str] = []
    if none:
        sentences.append(
            f"Nothing is held out ({name}) of {format_count(len(none), 'class', 'classes')}, "
            f"{quote_names(none)}: {'it is' if len(none) == 1 else 'they are'} not measured, and "
            "no figure counts what the network makes of such images. Add images of "
            f"{'it' if len(none) == 1 else 'them'} (copies of one image count once)."
        )
    if few:
        named = [
            f"{quote_names([each])} ({n})" for each, n in sorted(few, key=lambda pair: pair[1])
        ]
        more = f" and {len(few) - _MAX_NAMED} more" if len(few) > _MAX_NAMED else ""
        listed = ", ".join(named[:_MAX_NAMED]) + more
        sentences.append(
            f"Few images are held out ({name}) of {listed}: the recall of "
            "such a class, and so balanced accuracy, says little. Add images."
        )
    return sentences


def write_split_csv(path: Path, pack: Pack, splits: Mapping[str, NDArray[np.int64]]) -> None:
    """Write path, class and split of each image, in the pack's order.

    No text is a formula to a spreadsheet (see `alexnet.files`), and file names that are no
    UTF-8 keep their bytes; `read_split_csv` has both back as they were.

    Args:
        path: the file to make or replace.
        pack: the images.
        splits: as `assign_splits` gives them.

    Raises:
        RunError: the disk refuses.
    """
    codes = np.zeros(len(pack), dtype=np.uint8)
    for name, indices in splits.items():
        codes[indices] = SPLITS.index(name)
    labels: list[int] = pack.labels.tolist()
    code_of: list[int] = codes.tolist()
    columns = zip(pack.paths, labels, code_of, strict=True)
    rows = ((name, pack.classes[label], SPLITS[code]) for name, label, code in columns)
    write_csv(Path(path), chain([("path", "class", "split")], rows))


def read_split_csv(path: Path) -> list[tuple[str, str, str]]:
    """Return path, class and split of each image, as `write_split_csv` was given them.

    Raises:
        RunError: the file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.DictReader(file)
            return [
                (unescape_formula(row["path"]), unescape_formula(row["class"]), row["split"])
                for row in rows
            ]
    except (OSError, AttributeError, KeyError, ValueError, csv.Error) as cause:
        raise RunError(
            f"{path} cannot be read ({cause!r}), and it alone says which images are in which "
            "split. Restore it, or train again into another folder."
        ) from cause


def write_skipped_csv(path: Path, skipped: Sequence[tuple[str, str]]) -> None:
    """Write path and reason of each image that could not be read.

    Args:
        path: the file to make or replace.
        skipped: as `Pack.skipped` gives them.

    Raises:
        RunError: the disk refuses.
    """
    write_csv(Path(path), [("path", "reason"), *skipped])
