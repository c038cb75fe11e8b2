"""Which images of a source say how good weights are: those that they were not trained on."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alexnet.data import SPLITS, alike_key, normalize_name, read_split_csv
from alexnet.errors import SourceError, did_you_mean
from alexnet.files import read_json, unescape_formula
from alexnet.text import quote_names

if TYPE_CHECKING:
    from alexnet.data import Pack, Source

__all__ = ["choose_split", "class_indices", "held_out_images"]

_log = logging.getLogger(__name__)

_HELD_OUT = [SPLITS.index(name) for name in ("val", "test")]

_Image = tuple[str, str]  # path and class


def held_out_images(
    source: Source | Pack, split: str | None, weights: Sequence[Path], *, where: object
) -> tuple[str, NDArray[np.int64]]:
    """Return the images to measure on, and what they are called.

    Args:
        source: the images.
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
        runs = [folder for path in weights if (folder := _run_folder(path)) is not None]
        own = [run for run in runs if _was_trained_on(run, source, where)]
        held_out, trained = _held_out_and_trained(own)
        chosen = _positions(source, held_out - trained)
        if len(chosen):
            return f"held out by {', '.join(map(str, own))}", chosen
        _warn_about_training_images(source, trained, _held_out_and_trained(runs)[1])
        if trained:
            _say_what_folds_measured(own)
    return choose_split(source.splits, split, where=where)


def _warn_about_training_images(
    source: Source | Pack, trained: set[_Image], perhaps: set[_Image]
) -> None:
    """Say how many images the weights were trained on; images of equal names may be others."""
    if count := len(_positions(source, trained)):
        _log.warning("The weights were trained on %d of these images.", count)
    elif count := len(_positions(source, perhaps)):
        _log.warning(
            "%d of these images have the names of training images, in another place; if they are "
            "the same, the accuracy is overstated.",
            count,
        )


def _say_what_folds_measured(runs: Sequence[Path]) -> None:
    """Name the figure of a run that learned from all images and measured itself by folds."""
    for run in runs:
        file = run / "results.json"
        crossed = read_json(file).get("cross_validation") if file.is_file() else None
        if crossed:
            _log.warning(
                "%s measured itself by cross-validation while it was trained: %.1f %% (95 %% "
                "interval %.1f to %.1f). That figure is of images that were not learned from.",
                run,
                *(100 * crossed["top1"], 100 * crossed["top1_interval"]["low"]),
                100 * crossed["top1_interval"]["high"],
            )


def _was_trained_on(run: Path, source: Source | Pack, where: object) -> bool:
    """Whether a run is of this source: it lies where that lay, or has images of all its names."""
    config = run / "run.json"
    trained_on = read_json(config)["source"] if config.is_file() else None
    if trained_on is not None and Path(trained_on).resolve() == Path(str(where)).resolve():
        return True
    names = {path for path, _, _ in read_split_csv(run / "split.csv")}
    return names <= {*source.paths} <= names | _skipped(run)


def _skipped(run: Path) -> set[str]:
    """Return the images of a run's source that could not be read."""
    path = run / "skipped.csv"
    if not path.is_file():
        return set()
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return {unescape_formula(row[0]) for row in csv.reader(file) if row}


def _run_folder(weights: Path) -> Path | None:
    """Return the run folder that weights are or lie in, where it says what went where."""
    folder = weights if weights.is_dir() else weights.parent
    return folder if (folder / "split.csv").is_file() else None


def _held_out_and_trained(runs: Sequence[Path]) -> tuple[set[_Image], set[_Image]]:
    """Return the images that some run was evaluated on, and those that some run trained on."""
    held_out: set[_Image] = set()
    trained: set[_Image] = set()
    for run in runs:
        rows = read_split_csv(run / "split.csv")
        own = "test" if any(split == "test" for _, _, split in rows) else "val"
        named = [(path, normalize_name(name), split) for path, name, split in rows]
        held_out.update((path, name) for path, name, split in named if split == own)
        trained.update((path, name) for path, name, split in named if split == "train")
    return held_out, trained


def _positions(source: Source | Pack, images: set[_Image]) -> NDArray[np.int64]:
    labels: list[int] = source.labels.tolist()
    names = [normalize_name(name) for name in source.classes]
    classes = (names[label] for label in labels)
    rows = enumerate(zip(source.paths, classes, strict=True))
    return np.array([i for i, image in rows if image in images], dtype=np.int64)


_MAX_NAMES = 5  # in a sentence


def class_indices(
    source_classes: Sequence[str],
    classes: Sequence[str],
    *,
    where: object,
    join_classes: bool = False,
) -> NDArray[np.int64]:
    """Return where each class of a source stands among the classes of the weights.

    Args:
        source_classes: the source's classes.
        classes: the weights' classes.
        where: the source, for the sentence.
        join_classes: whether names that look alike (Cat, cat) are of one class.

    Returns:
        (len(source_classes),) int64 positions in `classes`.

    Raises:
        SourceError: a class that the weights do not know; it is named.
    """
    key = alike_key if join_classes else normalize_name
    index = {key(name): i for i, name in enumerate(classes)}
    index |= {normalize_name(name): i for i, name in enumerate(classes)}
    indices = [index.get(normalize_name(name), index.get(key(name))) for name in source_classes]
    unknown = [name for name, i in zip(source_classes, indices, strict=True) if i is None]
    if unknown:
        raise SourceError(
            f"{where} has classes that the weights do not know: "
            f"{quote_names(unknown, _MAX_NAMES)}."
            f"{did_you_mean(unknown[0], classes)} The weights know {len(classes)}: "
            f"{quote_names(classes, _MAX_NAMES)}. Rename or remove these folders, or use weights "
            "that were trained on them."
        )
    return np.array(indices, dtype=np.int64)


def choose_split(
    codes: NDArray[np.uint8], split: str | None, *, where: object
) -> tuple[str, NDArray[np.int64]]:
    """Return the name of the split that is measured and the images in it.

    Args:
        codes: (N,) the split of each image, as positions in `SPLITS`.
        split: "train", "val", "test" or "all"; None: test where there is one, else val, else all.
        where: the source, for the sentence.

    Raises:
        SourceError: the source lacks the split.
    """
    splits = {name for i, name in enumerate(SPLITS) if name and bool((codes == i).any())}
    if split is None:
        split = next((name for name in ("test", "val") if name in splits), "all")
    if split == "all":
        return split, np.arange(len(codes), dtype=np.int64)
    if split not in splits:
        has = " and ".join(sorted(splits)) or "no splits"
        raise SourceError(
            f'{where} has no images in the split "{split}"; it has {has}. '
            'Choose one of these, or "all".'
        )
    return split, np.flatnonzero(codes == SPLITS.index(split)).astype(np.int64)
