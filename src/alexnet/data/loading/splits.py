"""Which images are for training, validation and testing.

Splits that the source brings are kept. What is missing for validation is drawn from the training
images, by content: duplicates of an image, also under another name or class, fall on one side.

Legend: N images, K classes, G contents (duplicates count once).
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.loading.counter_random import uniforms
from alexnet.data.packs.pack import Pack
from alexnet.data.sources.names import SPLITS
from alexnet.errors import RecipeError, RunError, SourceError
from alexnet.files import unescape_formula, write_csv
from alexnet.text import format_count, quote_names

__all__ = ["assign_splits", "read_split_csv", "write_skipped_csv", "write_split_csv"]

_log = logging.getLogger(__name__)

_NONE, _TRAIN, _VAL, _TEST = range(len(SPLITS))


def assign_splits(pack: Pack, *, val_fraction: float, seed: int) -> dict[str, NDArray[np.int64]]:
    """Return the images of each split that has any.

    Where the source has no val, each class gives `val_fraction` of its training images to it, as
    nearly as whole images and their duplicates allow, and keeps at least one content. Which ones
    depends on `seed`, contents and labels alone, not on names or on the order of the images.

    Args:
        pack: the images.
        val_fraction: share of the training images held out where there is no val; 0: none.
        seed: of the draw.

    Returns:
        Under "train", "val" and "test" the indices of their images, rising.

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
    contents = content_ids(pack.digests)
    _warn_of_duplicates(pack, contents, train, {"val": val, "test": test})
    if not len(val) and val_fraction:
        groups = _Groups.of(contents[train], pack.labels[train], len(pack.classes))
        order = _shuffle_contents(groups, pack.digests[train], seed)
        drawn = _draw(groups, order, val_fraction, seed)
        if not drawn.any():
            raise SourceError(
                f"{pack.where} has no image that could be held out for validation: each is the "
                "only one of its class (duplicates count once). Add images, bring a folder val, or "
                "train without validation: --val-fraction 0."
            )
        held_out = drawn[groups.group_of]
        train, val = train[~held_out], train[held_out]
    splits = {"train": train, "val": val, "test": test}
    return {name: indices.astype(np.int64) for name, indices in splits.items() if len(indices)}


def content_ids(digests: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number images by their content, in the order of the digests: equal contents, equal numbers.

    Args:
        digests: (N, 16).

    Returns:
        (N,) numbers from 0 to G - 1.
    """
    high, low = _words(digests)
    order = np.lexsort((low, high))
    new = np.ones(len(order), dtype=np.int64)
    new[1:] = (np.diff(high[order]) != 0) | (np.diff(low[order]) != 0)
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(new) - 1
    return numbers


@dataclass(frozen=True)
class _Groups:
    """The G contents among some images, and how many images of each class have each."""

    group_of: NDArray[np.int64]  # (N,) content of each image
    first: NDArray[np.int64]  # (G,) an image that has it
    starts: list[int]  # (G + 1,) where the entries of each content begin in the next two
    labels: list[int]  # a class that has the content
    counts: list[int]  # images of that class that have it
    distinct: NDArray[np.int64]  # (K,) contents that each class has
    images: NDArray[np.int64]  # (K,) images that each class has

    @classmethod
    def of(cls, contents: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> _Groups:
        _, first, group_of = np.unique(contents, return_index=True, return_inverse=True)
        pairs, counts = np.unique(group_of * classes + labels, return_counts=True)
        starts = np.searchsorted(pairs, np.arange(len(first) + 1) * classes)
        of_pair = pairs % classes
        return cls(
            group_of,
            first,
            starts.tolist(),
            of_pair.tolist(),
            counts.tolist(),
            np.bincount(of_pair, minlength=classes),
            np.bincount(labels, minlength=classes),
        )

    def images_by_class(self, group: int) -> list[tuple[int, int]]:
        """Return the classes that have a content, and how many images of each have it."""
        part = range(self.starts[group], self.starts[group + 1])
        return [(self.labels[i], self.counts[i]) for i in part]


def _shuffle_contents(groups: _Groups, digests: NDArray[np.uint8], seed: int) -> list[int]:
    """Return the contents in a random order that is a function of seed and digests."""
    high, low = _words(digests[groups.first])
    draws = uniforms(seed, 0, (high >> np.uint64(1)).astype(np.int64), "split")[:, 0]
    return np.lexsort((low, high, draws)).tolist()


def _draw(groups: _Groups, order: list[int], val_fraction: float, seed: int) -> NDArray[np.bool_]:
    """Choose (G,) contents for validation: first what fits, then what brings shares nearer.

    Where nothing did, the content of the fewest images is taken, and none only where every one is
    the last of its class.
    """
    room: list[int] = _quotas(groups, val_fraction, seed).tolist()
    contents_left: list[int] = groups.distinct.tolist()
    drawn = np.zeros(len(order), dtype=np.bool_)
    for overshoot in (False, True):
        unfilled = sum(quota > 0 for quota in room)
        for group in order:
            if not unfilled:
                break
            counts = groups.images_by_class(group)
            if drawn[group] or any(contents_left[k] < 2 for k, _ in counts):
                continue
            gain = sum(abs(room[k]) - abs(room[k] - count) for k, count in counts)
            if gain <= 0 or not (overshoot or all(count <= room[k] for k, count in counts)):
                continue
            drawn[group] = True
            for k, count in counts:
                unfilled -= room[k] > 0 and room[k] - count <= 0
                room[k] -= count
                contents_left[k] -= 1
    if not drawn.any():
        smallest = sorted(
            (
                group
                for group in order
                if all(contents_left[k] > 1 for k, _ in groups.images_by_class(group))
            ),
            key=lambda group: sum(count for _, count in groups.images_by_class(group)),
        )
        drawn[smallest[:1]] = True
    return drawn


def _quotas(groups: _Groups, val_fraction: float, seed: int) -> NDArray[np.int64]:
    """Return (K,) how many images of each class to hold out: its share, rounded up or down.

    So many are rounded up that the sum is right: those with the largest remainders, and by lot
    among equals. Where even the sum rounds to none, one image is held out all the same.
    """
    shares = np.where(groups.distinct >= 2, val_fraction * groups.images, 0.0)
    quotas = np.floor(shares + 1e-9).astype(np.int64)
    missing = max(1, round(float(shares.sum()))) - int(quotas.sum())
    lots = uniforms(seed, 0, np.arange(len(shares), dtype=np.int64), "split/class")[:, 0]
    quotas[np.lexsort((lots, quotas - shares))[: max(missing, 0)]] += 1
    return quotas


def _words(digests: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the two halves of each digest as whole numbers."""
    halves = np.ascontiguousarray(digests).view(">u8").astype(np.uint64)
    return halves[:, 0], halves[:, 1]


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


def _warn_of_duplicates(
    pack: Pack,
    contents: NDArray[np.int64],
    train: NDArray[np.int64],
    held_out: dict[str, NDArray[np.int64]],
) -> None:
    """Warn of images in the source's own val and test that are training images, too."""
    for name, indices in held_out.items():
        duplicates = indices[np.isin(contents[indices], contents[train])].tolist()
        if duplicates:
            _log.warning(
                "%s: %d of %s images in %s are duplicates of training images (%s); its figures "
                "flatter a little.",
                pack.where,
                len(duplicates),
                f"{len(indices):,}",
                name,
                quote_names([pack.paths[int(i)] for i in duplicates]),
            )


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
