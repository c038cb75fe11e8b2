"""Drawing a share of each class, groups of copies kept whole.

Legend: N images, K classes, G groups of copies (an image without any is one by itself).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alexnet.data.loading.counter_random import uniforms

__all__ = ["CopyGroups", "draw_stratified"]


@dataclass(frozen=True)
class CopyGroups:
    """The G groups of copies among some images, and how many images of each class each has."""

    group_of: NDArray[np.int64]  # (N,) group of each image
    first: NDArray[np.int64]  # (G,) an image of it, of the first content in the order of digests
    starts: list[int]  # (G + 1,) where the entries of each group begin in the next two
    labels: list[int]  # a class that has images of the group
    counts: list[int]  # how many
    distinct: NDArray[np.int64]  # (K,) groups that each class has images of
    images: NDArray[np.int64]  # (K,) images that each class has

    @classmethod
    def of(
        cls,
        numbers: NDArray[np.int64],
        files: NDArray[np.int64],
        labels: NDArray[np.int64],
        classes: int,
    ) -> CopyGroups:
        """Gather the groups.

        Args:
            numbers: (N,) of the group of each image.
            files: (N,) of its content, in the order of the digests; equal files, equal numbers.
            labels: (N,) its class.
            classes: K.
        """
        order = np.argsort(files, kind="stable")
        _, first, of_sorted = np.unique(numbers[order], return_index=True, return_inverse=True)
        group_of = np.empty_like(of_sorted)
        group_of[order] = of_sorted
        pairs, counts = np.unique(group_of * classes + labels, return_counts=True)
        starts = np.searchsorted(pairs, np.arange(len(first) + 1) * classes)
        of_pair = pairs % classes
        return cls(
            group_of,
            order[first],
            starts.tolist(),
            of_pair.tolist(),
            counts.tolist(),
            np.bincount(of_pair, minlength=classes),
            np.bincount(labels, minlength=classes),
        )

    def images_by_class(self, group: int) -> list[tuple[int, int]]:
        """Return the classes that have images of a group, and how many each has."""
        part = range(self.starts[group], self.starts[group + 1])
        return [(self.labels[i], self.counts[i]) for i in part]


def draw_stratified(
    groups: CopyGroups, digests: NDArray[np.uint8], *, share: float, seed: int
) -> NDArray[np.bool_]:
    """Choose groups: first what fits each class's share, then what brings shares nearer.

    Then each class that has none yet gets its group of the fewest images, but for classes that
    would be left with no group. Which groups are chosen depends on seed, contents and labels alone.

    Args:
        groups: of N images.
        digests: (N, 16) of their files.
        share: of each class that is to be chosen, 0 to 1.
        seed: of the draw.

    Returns:
        (G,) whether each group is chosen.
    """
    order = _shuffled(groups, digests, seed)
    room: list[int] = _quotas(groups, share, seed).tolist()
    groups_left: list[int] = groups.distinct.tolist()
    held = [0] * len(room)
    drawn = np.zeros(len(order), dtype=np.bool_)

    def draw(group: int) -> None:
        drawn[group] = True
        for k, count in groups.images_by_class(group):
            room[k] -= count
            groups_left[k] -= 1
            held[k] += count

    for overshoot in (False, True):
        unfilled = sum(quota > 0 for quota in room)
        for group in order:
            if not unfilled:
                break
            counts = groups.images_by_class(group)
            if drawn[group] or any(groups_left[k] < 2 for k, _ in counts):
                continue
            gain = sum(abs(room[k]) - abs(room[k] - count) for k, count in counts)
            if gain <= 0 or not (overshoot or all(count <= room[k] for k, count in counts)):
                continue
            unfilled -= sum(room[k] > 0 and room[k] <= count for k, count in counts)
            draw(group)
    if not all(held):
        by_size = sorted(order, key=lambda group: sum(n for _, n in groups.images_by_class(group)))
        for group in by_size:
            counts = groups.images_by_class(group)
            wanted = any(not held[k] for k, _ in counts)
            if wanted and not drawn[group] and all(groups_left[k] > 1 for k, _ in counts):
                draw(group)
    return drawn


def _shuffled(groups: CopyGroups, digests: NDArray[np.uint8], seed: int) -> list[int]:
    """Return the groups in a random order that is a function of seed and digests."""
    halves = np.ascontiguousarray(digests[groups.first]).view(">u8").astype(np.uint64)
    high, low = halves[:, 0], halves[:, 1]
    draws = uniforms(seed, 0, (high >> np.uint64(1)).astype(np.int64), "split")[:, 0]
    return np.lexsort((low, high, draws)).tolist()


def _quotas(groups: CopyGroups, share: float, seed: int) -> NDArray[np.int64]:
    """Return (K,) how many images of each class to hold out: its share, rounded up or down.

    A class that can spare one gives at least one. So many shares are rounded up that the sum is
    right: those with the largest remainders, and by lot among equals.
    """
    able = groups.distinct >= 2
    shares = np.where(able, share * groups.images, 0.0)
    quotas = np.maximum(np.floor(shares + 1e-9).astype(np.int64), able.astype(np.int64))
    missing = max(1, round(float(shares.sum()))) - int(quotas.sum())
    lots = uniforms(seed, 0, np.arange(len(shares), dtype=np.int64), "split/class")[:, 0]
    quotas[np.lexsort((lots, quotas - shares))[: max(missing, 0)]] += 1
    return quotas
