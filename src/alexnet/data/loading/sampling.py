"""In which order an epoch shows the images: a true shuffle, or every class equally often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alexnet.data.loading.counter_random import permutation

__all__ = ["EpochOrder", "balanced", "shuffled"]


@dataclass(frozen=True)
class EpochOrder:
    """The images of one epoch, N of them."""

    indices: NDArray[np.int64]  # (N,) of the images in the pack
    repeats: NDArray[np.int64] | None  # (N,) earlier showings in this epoch; None: none of any


def shuffled(indices: NDArray[np.int64], seed: int, epoch: int) -> EpochOrder:
    """Show each image once, every order being equally likely.

    Args:
        indices: (N,) the training images.
        seed: of the order.
        epoch: counted from 0.
    """
    return EpochOrder(indices[permutation(len(indices), seed, epoch, "order")], None)


def balanced(
    indices: NDArray[np.int64], labels: NDArray[np.int64], seed: int, epoch: int
) -> EpochOrder:
    """Show each class equally often in an epoch of the same length.

    Images of a rare class come several times, as evenly as possible and with another crop each
    time; of a frequent class each epoch shows another random part. Where the length can't be shared
    evenly, classes drawn anew each epoch give one image more.

    Args:
        indices: (N,) the training images.
        labels: class of every image of the pack.
        seed: of the order.
        epoch: counted from 0.
    """
    classes = labels[indices]
    by_class = np.argsort(classes, kind="stable")
    ends = np.flatnonzero(np.diff(classes[by_class])) + 1
    groups = np.split(indices[by_class], ends)
    quota, rest = divmod(len(indices), len(groups))
    with_one_more = set(permutation(len(groups), seed, epoch, "balance/rest")[:rest].tolist())
    orders = [
        _repeat(group, quota + (number in with_one_more), seed, epoch)
        for number, group in enumerate(groups)
    ]
    order = permutation(len(indices), seed, epoch, "order")
    images = np.concatenate([part.indices for part in orders])
    repeats = np.concatenate([part.repeats for part in orders if part.repeats is not None])
    return EpochOrder(images[order], repeats[order])


def _repeat(group: NDArray[np.int64], count: int, seed: int, epoch: int) -> EpochOrder:
    """Take `count` images of one class: whole rounds, and a random part for the rest."""
    rounds, rest = divmod(count, len(group))
    drawn = permutation(len(group), seed, epoch, f"balance/{group[0]}")[:rest]
    indices = np.concatenate([np.tile(group, rounds), group[drawn]])
    repeats = np.repeat(np.arange(rounds + 1), [len(group)] * rounds + [rest])
    return EpochOrder(indices, repeats)
