"""Which pictures are for training, validation and testing.

Splits that the source brings are kept. What is missing for validation is drawn from the training
pictures, by content: copies of a picture, also under another name or class, fall on one side.

Legend: N pictures, K classes, G contents (pictures that are copies of each other count once).
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

from alexnet.data.loading.sampling import uniforms
from alexnet.data.packs.pack import Pack
from alexnet.data.sources.names import SPLITS
from alexnet.errors import RecipeError, RunError, SourceError
from alexnet.files import unguarded, write_csv
from alexnet.text import counted, some

__all__ = ["assign_splits", "read_split_csv", "write_skipped_csv", "write_split_csv"]

_log = logging.getLogger(__name__)

_NONE, _TRAIN, _VAL, _TEST = range(len(SPLITS))


def assign_splits(pack: Pack, *, val_fraction: float, seed: int) -> dict[str, NDArray[np.int64]]:
    """Return the pictures of each split that has any.

    Where the source has no val, each class gives `val_fraction` of its training pictures to it, as
    nearly as whole pictures and their copies allow, and keeps at least one content. Which ones
    depends on `seed`, contents and labels alone, not on names or on the order of the pictures.

    Args:
        pack: the pictures.
        val_fraction: share of the training pictures held out where there is no val; 0: none.
        seed: of the draw.

    Returns:
        Under "train", "val" and "test" the indices of their pictures, rising.

    Raises:
        SourceError: fewer than two classes, a class without training pictures, or nothing that
            could be held out.
        RecipeError: `val_fraction` is out of range.
    """
    if not 0 <= val_fraction < 1:
        raise RecipeError(f"val_fraction must be at least 0 and under 1; got {val_fraction}.")
    train = np.flatnonzero((pack.splits == _TRAIN) | (pack.splits == _NONE))
    val, test = np.flatnonzero(pack.splits == _VAL), np.flatnonzero(pack.splits == _TEST)
    _refuse_what_cannot_be_learnt(pack, train)
    contents = content_numbers(pack.digests)
    _say_copies(pack, contents, train, {"val": val, "test": test})
    if not len(val) and val_fraction:
        groups = _Groups.of(contents[train], pack.labels[train], len(pack.classes))
        chosen = _draw(groups, _ordered(groups, pack.digests[train], seed), val_fraction, seed)
        if not chosen.any():
            raise SourceError(
                f"{pack.where} has no picture that could be held out for validation: each is the "
                "only one of its class (copies count once). Add pictures, bring a folder val, or "
                "train without validation: --val-fraction 0."
            )
        held_out = chosen[groups.group_of]
        train, val = train[~held_out], train[held_out]
    found = {"train": train, "val": val, "test": test}
    return {name: each.astype(np.int64) for name, each in found.items() if len(each)}


def content_numbers(digests: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number pictures by their content, in the order of the digests: equal contents, equal numbers.

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
    """The G contents among some pictures, and how many pictures of each class have each."""

    group_of: NDArray[np.int64]  # (N,) content of each picture
    first: NDArray[np.int64]  # (G,) a picture that has it
    starts: list[int]  # (G + 1,) where the entries of each content begin in the next two
    labels: list[int]  # a class that has the content
    counts: list[int]  # pictures of that class that have it
    distinct: NDArray[np.int64]  # (K,) contents that each class has
    pictures: NDArray[np.int64]  # (K,) pictures that each class has

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

    def takes(self, group: int) -> list[tuple[int, int]]:
        """Return the classes that have a content, and how many pictures of each have it."""
        part = range(self.starts[group], self.starts[group + 1])
        return [(self.labels[i], self.counts[i]) for i in part]


def _ordered(groups: _Groups, digests: NDArray[np.uint8], seed: int) -> list[int]:
    """Return the contents in a random order that is a function of seed and digests."""
    high, low = _words(digests[groups.first])
    draws = uniforms(seed, 0, (high >> np.uint64(1)).astype(np.int64), "split")[:, 0]
    return np.lexsort((low, high, draws)).tolist()


def _draw(groups: _Groups, order: list[int], val_fraction: float, seed: int) -> NDArray[np.bool_]:
    """Choose (G,) contents for validation: first what fits, then what brings shares nearer.

    Where nothing did, the content of the fewest pictures is taken, and none only where every one is
    the last of its class.
    """
    room: list[int] = _quotas(groups, val_fraction, seed).tolist()
    left: list[int] = groups.distinct.tolist()
    chosen = np.zeros(len(order), dtype=np.bool_)
    for overshoot in (False, True):
        unfilled = sum(each > 0 for each in room)
        for group in order:
            if not unfilled:
                break
            takes = groups.takes(group)
            if chosen[group] or any(left[k] < 2 for k, _ in takes):
                continue
            gain = sum(abs(room[k]) - abs(room[k] - count) for k, count in takes)
            if gain <= 0 or not (overshoot or all(count <= room[k] for k, count in takes)):
                continue
            chosen[group] = True
            for k, count in takes:
                unfilled -= room[k] > 0 and room[k] - count <= 0
                room[k] -= count
                left[k] -= 1
    if not chosen.any():
        free = [each for each in order if all(left[k] > 1 for k, _ in groups.takes(each))]
        smallest = sorted(free, key=lambda each: sum(n for _, n in groups.takes(each)))
        chosen[smallest[:1]] = True
    return chosen


def _quotas(groups: _Groups, val_fraction: float, seed: int) -> NDArray[np.int64]:
    """Return (K,) how many pictures of each class to hold out: its share, rounded up or down.

    So many are rounded up that the sum is right: those with the largest remainders, and by lot
    among equals. Where even the sum rounds to none, one picture is held out all the same.
    """
    shares = np.where(groups.distinct >= 2, val_fraction * groups.pictures, 0.0)
    quotas = np.floor(shares + 1e-9).astype(np.int64)
    missing = max(1, round(float(shares.sum()))) - int(quotas.sum())
    lots = uniforms(seed, 0, np.arange(len(shares), dtype=np.int64), "split/class")[:, 0]
    quotas[np.lexsort((lots, quotas - shares))[: max(missing, 0)]] += 1
    return quotas


def _words(digests: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the two halves of each digest as whole numbers."""
    halves = np.ascontiguousarray(digests).view(">u8").astype(np.uint64)
    return halves[:, 0], halves[:, 1]


def _refuse_what_cannot_be_learnt(pack: Pack, train: NDArray[np.int64]) -> None:
    if len(pack.classes) < 2:
        raise SourceError(
            f"{pack.where} has one class only, {some(pack.classes)}. A classifier tells at least "
            "two apart: add a folder with pictures of something else."
        )
    if not len(train):
        raise SourceError(
            f"{pack.where} has no pictures to train on, only some for validation or testing. Put "
            "training pictures into a folder train."
        )
    counts = np.bincount(pack.labels[train], minlength=len(pack.classes))
    without = [pack.classes[k] for k in np.flatnonzero(counts == 0).tolist()]
    if without:
        unread = f" ({counted(len(pack.skipped), 'picture')} could not be read)"
        raise SourceError(
            f"{pack.where} has no training picture of {some(without)}"
            f"{unread if pack.skipped else ''}. Add some, or take the class away."
        )


def _say_copies(
    pack: Pack,
    contents: NDArray[np.int64],
    train: NDArray[np.int64],
    held_out: dict[str, NDArray[np.int64]],
) -> None:
    """Say how many pictures of the source's own val and test are training pictures, too."""
    for name, indices in held_out.items():
        copies = indices[np.isin(contents[indices], contents[train])].tolist()
        if copies:
            _log.warning(
                "%s: %d of %s pictures in %s are copies of training pictures (%s); its figures "
                "flatter a little.",
                pack.where,
                len(copies),
                f"{len(indices):,}",
                name,
                some([pack.paths[int(i)] for i in copies]),
            )


def write_split_csv(path: Path, pack: Pack, splits: Mapping[str, NDArray[np.int64]]) -> None:
    """Write path, class and split of each picture, in the pack's order.

    No text is a formula for a spreadsheet (see `alexnet.files`), and file names that are no
    UTF-8 keep their bytes; `read_split_csv` has both back as they were.

    Args:
        path: the file to make or replace.
        pack: the pictures.
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
    rows = ((each, pack.classes[label], SPLITS[code]) for each, label, code in columns)
    write_csv(Path(path), chain([("path", "class", "split")], rows))


def read_split_csv(path: Path) -> list[tuple[str, str, str]]:
    """Return path, class and split of each picture, as `write_split_csv` was given them.

    Raises:
        RunError: the file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.DictReader(file)
            return [(unguarded(row["path"]), unguarded(row["class"]), row["split"]) for row in rows]
    except (OSError, AttributeError, KeyError, ValueError, csv.Error) as cause:
        raise RunError(
            f"{path} cannot be read ({cause!r}), and it alone says which pictures are in which "
            "split. Restore it, or train again into another folder."
        ) from cause


def write_skipped_csv(path: Path, skipped: Sequence[tuple[str, str]]) -> None:
    """Write path and reason of each picture that could not be read.

    Args:
        path: the file to make or replace.
        skipped: as `Pack.skipped` gives them.

    Raises:
        RunError: the disk refuses.
    """
    write_csv(Path(path), [("path", "reason"), *skipped])
