"""In which order an epoch shows the pictures: a true shuffle, or every class equally often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alexnet.data.randomness import permutation

__all__ = ["EpochOrder", "balanced", "shuffled"]


@dataclass(frozen=True)
class EpochOrder:
    """The pictures of one epoch, N of them."""

    indices: NDArray[np.int64]  # (N,) of the pictures in the pack
    repeats: NDArray[np.int64] | None  # (N,) earlier showings in this epoch; None: none of any


def shuffled(indices: NDArray[np.int64], seed: int, epoch: int) -> EpochOrder:
    """Show each picture once, every order being equally likely.

    Args:
        indices: (N,) the training pictures.
        seed: of the order.
        epoch: counted from 0.
    """
    return EpochOrder(indices[permutation(len(indices), seed, epoch, "order")], None)


def balanced(
    indices: NDArray[np.int64], labels: NDArray[np.int64], seed: int, epoch: int
) -> EpochOrder:
    """Show each class equally often in an epoch of the same length.

    Pictures of a rare class come several times, as evenly as possible and with another crop each
    time; of a frequent class each epoch shows another random part. Where the length can't be shared
    evenly, classes drawn anew each epoch give one picture more.

    Args:
        indices: (N,) the training pictures.
        labels: class of every picture of the pack.
        seed: of the order.
        epoch: counted from 0.
    """
    classes = labels[indices]
    by_class = np.argsort(classes, kind="stable")
    ends = np.flatnonzero(np.diff(classes[by_class])) + 1
    groups = np.split(indices[by_class], ends)
    quota, rest = divmod(len(indices), len(groups))
    lucky = set(permutation(len(groups), seed, epoch, "balance/rest")[:rest].tolist())
    chosen = [
        _repeated(group, quota + (place in lucky), seed, epoch)
        for place, group in enumerate(groups)
    ]
    order = permutation(len(indices), seed, epoch, "order")
    pictures = np.concatenate([each.indices for each in chosen])
    repeats = np.concatenate([each.repeats for each in chosen if each.repeats is not None])
    return EpochOrder(pictures[order], repeats[order])


def _repeated(group: NDArray[np.int64], count: int, seed: int, epoch: int) -> EpochOrder:
    """Take `count` pictures of one class: whole rounds, and a random part for the rest."""
    rounds, rest = divmod(count, len(group))
    drawn = permutation(len(group), seed, epoch, f"balance/{group[0]}")[:rest]
    indices = np.concatenate([np.tile(group, rounds), group[drawn]])
    repeats = np.repeat(np.arange(rounds + 1), [len(group)] * rounds + [rest])
    return EpochOrder(indices, repeats)
