"""Which pictures of a source are measured, and which of the weights' classes they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alexnet.data import SPLITS
from alexnet.errors import SourceError, did_you_mean
from alexnet.words import some

__all__ = ["choose_split", "class_positions"]

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
