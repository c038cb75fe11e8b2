"""Which pictures of a source say how good weights are: those that they were not trained on."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alexnet.data import SPLITS
from alexnet.errors import RunError
from alexnet.evaluation import choose_split

if TYPE_CHECKING:
    from alexnet.data import Source

__all__ = ["held_out_pictures"]

_HELD_OUT = [SPLITS.index(name) for name in ("val", "test")]


def held_out_pictures(
    source: Source, split: str | None, weights: Sequence[Path], *, where: object
) -> tuple[str, NDArray[np.int64]]:
    """Return the pictures to measure on, and what they are called.

    Args:
        source: the pictures.
        split: "train", "val", "test" or "all"; None: test where the source has one, else val, else
            what the runs of the weights held out of these very pictures, else all.
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
        held_out = _held_out_by(runs, source)
        if len(held_out):
            return f"held out by {', '.join(map(str, runs))}", held_out
    return choose_split(source.splits, split, where=where)


def _run_folder(weights: Path) -> Path | None:
    """Return the run folder that weights are or lie in, where it says what went where."""
    folder = weights if weights.is_dir() else weights.parent
    return folder if (folder / "split.csv").is_file() else None


def _held_out_by(runs: Sequence[Path], source: Source) -> NDArray[np.int64]:
    """Return the pictures that some run held out and none trained on, by path and class."""
    held_out: set[tuple[str, str]] = set()
    trained: set[tuple[str, str]] = set()
    for run in runs:
        rows = _rows(run / "split.csv")
        own = "test" if any(split == "test" for _, split in rows) else "val"
        held_out.update(picture for picture, split in rows if split == own)
        trained.update(picture for picture, split in rows if split == "train")
    wanted = held_out - trained
    names = zip(source.paths, source.labels.tolist(), strict=True)
    found = [i for i, (path, label) in enumerate(names) if (path, source.classes[label]) in wanted]
    return np.array(found, dtype=np.int64)


def _rows(path: Path) -> list[tuple[tuple[str, str], str]]:
    """Read the list of a run: path and class of each picture, and its split."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            return [((row["path"], row["class"]), row["split"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, csv.Error) as cause:
        raise RunError(
            f"{path} cannot be read ({cause}), so nobody knows what the run held out. Name what to "
            "measure on with --split."
        ) from cause
