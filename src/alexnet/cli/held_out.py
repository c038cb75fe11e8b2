"""Which pictures of a source say how good weights are: those that they were not trained on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alexnet.data import SPLITS, read_split_csv
from alexnet.evaluation import choose_split

if TYPE_CHECKING:
    from alexnet.data import Pack, Source

__all__ = ["held_out_pictures"]

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
        held_out, trained = _fates(runs)
        chosen = _positions(source, held_out - trained)
        if len(chosen):
            return f"held out by {', '.join(map(str, runs))}", chosen
        known = len(_positions(source, trained))
        if known:
            _log.warning("The weights were trained on %d of these pictures.", known)
    return choose_split(source.splits, split, where=where)


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
