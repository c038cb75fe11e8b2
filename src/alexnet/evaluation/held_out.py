"""Which pictures of a source say how good weights are: those that they were not trained on."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alexnet.data import SPLITS, read_split_csv
from alexnet.errors import SourceError, did_you_mean
from alexnet.files import read_json, unguarded
from alexnet.text import some

if TYPE_CHECKING:
    from alexnet.data import Pack, Source

__all__ = ["choose_split", "class_positions", "held_out_pictures"]

_log = logging.getLogger(__name__)

_HELD_OUT = [SPLITS.index(name) for name in ("val", "test")]

_Picture = tuple[str, str]  # path and class


def held_out_pictures(
    source: Source | Pack, split: str | None, weights: Sequence[Path], *, where: object
) -> tuple[str, NDArray[np.int64]]:
    """Return the pictures to measure on, and what they are called.

    Args:
        source: the pictures.
        split: "train", "val", "test" or "all"; None: test where the source has one, else val, else
            what the runs of the weights held out of this very source, else all.
        weights: weights files or run folders. What any of the runs was trained on is not held out.
        where: the source as it was named, for the sentence.

    Returns:
        A name for people, and (n,) int64 positions in the source.

    Raises:
        SourceError: the source lacks the split.
        RunError: the list of a run is damaged.
    """
    if split is None and not np.isin(source.splits, _HELD_OUT).any():
        runs = [folder for each in weights if (folder := _run_folder(each)) is not None]
        own = [run for run in runs if _was_trained_on(run, source, where)]
        held_out, trained = _fates(own)
        chosen = _positions(source, held_out - trained)
        if len(chosen):
            return f"held out by {', '.join(map(str, own))}", chosen
        _warn_of_known(source, trained, _fates(runs)[1])
    return choose_split(source.splits, split, where=where)


def _warn_of_known(source: Source | Pack, trained: set[_Picture], perhaps: set[_Picture]) -> None:
    """Say how many pictures the weights were trained on; pictures of equal names may be others."""
    if known := len(_positions(source, trained)):
        _log.warning("The weights were trained on %d of these pictures.", known)
    elif known := len(_positions(source, perhaps)):
        _log.warning(
            "%d of these pictures are called as some that the weights were trained on, in another "
            "place; if they are the same, the figures flatter.",
            known,
        )


def _was_trained_on(run: Path, source: Source | Pack, where: object) -> bool:
    """Whether a run is of this source: it lies where that lay, or has pictures of all its names."""
    asked = run / "run.json"
    place = read_json(asked)["source"] if asked.is_file() else None
    if place is not None and Path(place).resolve() == Path(str(where)).resolve():
        return True
    names = {path for path, _, _ in read_split_csv(run / "split.csv")}
    return names <= {*source.paths} <= names | _skipped(run)


def _skipped(run: Path) -> set[str]:
    """Return the pictures of a run's source that could not be read."""
    place = run / "skipped.csv"
    if not place.is_file():
        return set()
    with place.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return {unguarded(row[0]) for row in csv.reader(file) if row}


def _run_folder(weights: Path) -> Path | None:
    """Return the run folder that weights are or lie in, where it says what went where."""
    folder = weights if weights.is_dir() else weights.parent
    return folder if (folder / "split.csv").is_file() else None


def _fates(runs: Sequence[Path]) -> tuple[set[_Picture], set[_Picture]]:
    """Return the pictures that some run measured itself on, and those that some run trained on."""
    held_out: set[_Picture] = set()
    trained: set[_Picture] = set()
    for run in runs:
        rows = read_split_csv(run / "split.csv")
        own = "test" if any(split == "test" for _, _, split in rows) else "val"
        held_out.update((path, name) for path, name, split in rows if split == own)
        trained.update((path, name) for path, name, split in rows if split == "train")
    return held_out, trained


def _positions(source: Source | Pack, wanted: set[_Picture]) -> NDArray[np.int64]:
    labels: list[int] = source.labels.tolist()
    classes = (source.classes[label] for label in labels)
    pictures = enumerate(zip(source.paths, classes, strict=True))
    return np.array([i for i, picture in pictures if picture in wanted], dtype=np.int64)


_NAMED = 5  # names in a sentence


def class_positions(
    there: Sequence[str], known: Sequence[str], *, where: object
) -> NDArray[np.int64]:
    """Return where each class of a source stands among the classes of the weights.

    Args:
        there: the source's classes.
        known: the weights' classes.
        where: the source, for the sentence.

    Returns:
        (len(there),) int64 positions in `known`.

    Raises:
        SourceError: a class that the weights do not know; it is named.
    """
    position = {name: i for i, name in enumerate(known)}
    unknown = [name for name in there if name not in position]
    if unknown:
        raise SourceError(
            f"{where} has classes that the weights do not know: {some(unknown, _NAMED)}."
            f"{did_you_mean(unknown[0], known)} The weights know {len(known)}: "
            f"{some(known, _NAMED)}. Rename or remove these folders, or use weights that were "
            "trained on them."
        )
    return np.array([position[name] for name in there], dtype=np.int64)


def choose_split(
    codes: NDArray[np.uint8], split: str | None, *, where: object
) -> tuple[str, NDArray[np.int64]]:
    """Return the name of the split that is measured and the pictures in it.

    Args:
        codes: (N,) the split of each picture, as positions in `SPLITS`.
        split: "train", "val", "test" or "all"; None: test where there is one, else val, else all.
        where: the source, for the sentence.

    Raises:
        SourceError: the source lacks the split.
    """
    there = {name for i, name in enumerate(SPLITS) if name and bool((codes == i).any())}
    if split is None:
        split = next((name for name in ("test", "val") if name in there), "all")
    if split == "all":
        return split, np.arange(len(codes), dtype=np.int64)
    if split not in there:
        has = " and ".join(sorted(there)) or "no splits"
        raise SourceError(
            f'{where} has no pictures in the split "{split}"; it has {has}. '
            'Choose one of these, or "all".'
        )
    return split, np.flatnonzero(codes == SPLITS.index(split)).astype(np.int64)
