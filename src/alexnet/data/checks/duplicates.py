"""Near duplicates: images whose perceptual hashes are near and whose coefficients are similar.

Both must hold: the hashes find the pairs, the coefficients decide. Members of a group need not all
be similar to each other: a chain of near duplicates is one group (union-find).

Legend: N images, M = N, or 2 N where mirror images count too, W hashes that differ.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from alexnet.data.checks.hashing import (
    MIRROR_SIGNS,
    Pairs,
    count_band_choices,
    find_near_pairs,
    perceptual_hashes,
    similarities,
    similarity_matrix,
)
from alexnet.data.loading.counter_random import permutation
from alexnet.progress import track

__all__ = ["RADIUS", "HashImages", "UnionFind", "choose_min_similarity", "near_duplicate_groups"]

HashImages = Callable[[NDArray[np.float16]], NDArray[np.uint64]]
"""Gives each of N images, by its 64 coefficients, a word of 64 bits."""

RADIUS = 8
"""Bits of 64 in which the hashes of near duplicates may differ."""

MIN_SIMILARITY = 0.90
"""Of near duplicates, in sets where other images are seldom so similar."""

MAX_MIN_SIMILARITY = 0.985
"""Images as similar as that are copies, in any set."""

_STEPS = 18  # between the two
_SAMPLE = 4000
_SAMPLE_ROWS = 500  # compared with all at once
_CHANCE_PAIRS = 0.05  # for each image; more similar pairs than that are the nature of the set

_MAX_WAITING_PAIRS = 1 << 20  # held in memory before they are compared
_COMPARED_AT_ONCE = 1 << 16


class UnionFind:
    """N items in groups, each alone at first.

    Args:
        count: N.
    """

    def __init__(self, count: int) -> None:
        self._parents = array("q", range(count))

    def union(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
        """Join the groups of n pairs.

        Args:
            first: (n,) the one item of each pair.
            second: (n,) the other.
        """
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            a, b = self.find(one), self.find(other)
            if a != b:
                self._parents[max(a, b)] = min(a, b)

    def find(self, item: int) -> int:
        """Return the least member of an item's group."""
        parents = self._parents
        while parents[item] != item:
            parents[item] = parents[parents[item]]  # path halving
            item = parents[item]
        return item

    def find_all(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the least member of each item's group, (n,)."""
        parents = np.frombuffer(self._parents, dtype=np.int64)
        roots = parents[items] if len(items) else items
        while len(higher := parents[roots]) and not np.array_equal(higher, roots):
            roots = higher
        return roots

    def groups(self) -> list[list[int]]:
        """Return the groups of two and more, members rising, by their least member."""
        members: dict[int, list[int]] = {}
        for item in range(len(self._parents)):
            root = self.find(item)
            if root != item:
                members.setdefault(root, [root]).append(item)
        return [members[root] for root in sorted(members)]


def choose_min_similarity(coefficients: NDArray[np.float16]) -> float:
    """Return how similar near duplicates of a set must be, from the set's own images.

    Scans of one form and handwritten digits are all much alike. Where more pairs than one for
    twenty images lie between `MIN_SIMILARITY` and `MAX_MIN_SIMILARITY`, the limit is raised to
    where fewer do.

    Args:
        coefficients: of N different images, (N, 64).
    """
    count = len(coefficients)
    if count < 2:
        return MIN_SIMILARITY
    sample = coefficients[permutation(count, 0, 0, "alike")[:_SAMPLE]]
    between = np.sort(np.concatenate([*_similarities_between(sample)]))
    scale = count * (count - 1) / (len(sample) * (len(sample) - 1))  # from sample to set
    limits: list[float] = np.linspace(MIN_SIMILARITY, MAX_MIN_SIMILARITY, _STEPS).tolist()
    for limit in limits:
        pairs = len(between) - int(np.searchsorted(between, limit))
        if pairs * scale <= max(_CHANCE_PAIRS * count, 1):
            return round(limit, 3)
    return MAX_MIN_SIMILARITY


def _similarities_between(sample: NDArray[np.float16]) -> Iterator[NDArray[np.float32]]:
    """Yield the similarities of pairs that are neither clearly different nor clearly copies."""
    for start in range(0, len(sample), _SAMPLE_ROWS):
        rows = sample[start : start + _SAMPLE_ROWS]
        similar = np.triu(similarity_matrix(rows, sample[start:]), 1)
        yield similar[(similar >= MIN_SIMILARITY) & (similar < MAX_MIN_SIMILARITY)]


def near_duplicate_groups(
    coefficients: NDArray[np.float16],
    *,
    min_similarity: float,
    mirrored: bool = False,
    hashes: Sequence[HashImages] = (perceptual_hashes,),
) -> list[list[int]]:
    """Return the groups of near duplicates: as if every image were compared with every other.

    Args:
        coefficients: of N images, (N, 64).
        min_similarity: of near duplicates.
        mirrored: whether an image and another's mirror image are near duplicates, too.
        hashes: ways to hash an image; near duplicates are near by one of them at least.
    """
    search = _Search(coefficients, min_similarity, mirrored=mirrored)
    for hash_images in hashes:
        search.join_near(hash_images)
    return search.union_find.groups()


class _Search:
    """One search; images of one group are not compared any more."""

    def __init__(
        self, coefficients: NDArray[np.float16], min_similarity: float, *, mirrored: bool
    ) -> None:
        self.count, self.min_similarity = len(coefficients), min_similarity
        forms = [coefficients, coefficients * MIRROR_SIGNS] if mirrored else [coefficients]
        self.coefficients = np.concatenate(forms)  # (M, 64)
        self.union_find = UnionFind(self.count)
        self._sort_by(np.zeros(len(self.coefficients), dtype=np.uint64))

    def _sort_by(self, hashes: NDArray[np.uint64]) -> None:
        self.order = np.argsort(hashes, kind="stable")  # images of one hash side by side
        self.hashes, self.starts = np.unique(hashes[self.order], return_index=True)  # (W,)
        self.ends = np.append(self.starts[1:], len(hashes))

    def join_near(self, hash_images: HashImages) -> None:
        """Join the near duplicates whose hashes, made in this way, are near."""
        self._sort_by(hash_images(self.coefficients))
        for number in np.flatnonzero(self.ends - self.starts > 1).tolist():
            self._join_equal_hashes(self._members(number))
        waiting: list[Pairs] = []
        with track("searching near duplicates", count_band_choices(RADIUS)) as advance:
            for pairs in find_near_pairs(self.hashes, RADIUS):
                waiting.append(pairs)
                if sum(len(first) for first, _ in waiting) > _MAX_WAITING_PAIRS:
                    self._compare_hashes(waiting)
                    waiting = []
                advance()
            self._compare_hashes(waiting)

    def _members(self, number: int) -> NDArray[np.int64]:
        return self.order[self.starts[number] : self.ends[number]]

    def _join_equal_hashes(self, members: NDArray[np.int64]) -> None:
        """Join the near duplicates among images of one hash, however many they are.

        An image that was joined is compared with the rest and then left out: thousands of copies
        cost as many comparisons, not as many squared.
        """
        while len(members):
            queue, members = [int(members[0])], members[1:]
            while queue and len(members):
                image = queue.pop()
                near = self._are_near(self.coefficients[image], self.coefficients[members])
                self._join(np.full(int(near.sum()), image), members[near])
                queue += members[near].tolist()
                members = members[~near]

    def _compare_hashes(self, waiting: list[Pairs]) -> None:
        """Compare the images of near hashes, each pair of hashes once."""
        if not waiting:
            return
        first, second = (np.concatenate(part) for part in zip(*waiting, strict=True))
        codes = np.unique(np.minimum(first, second) * len(self.hashes) + np.maximum(first, second))
        first, second = codes // len(self.hashes), codes % len(self.hashes)
        one_image = self.ends - self.starts == 1
        single = one_image[first] & one_image[second]
        self._compare(
            self.order[self.starts[first[single]]], self.order[self.starts[second[single]]]
        )
        for one, other in zip(first[~single].tolist(), second[~single].tolist(), strict=True):
            for image in self._members(one).tolist():
                members = self._members(other)
                self._compare(np.full(len(members), image), members)

    def _compare(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
        find = self.union_find.find_all
        apart = find(first % self.count) != find(second % self.count)
        first, second = first[apart], second[apart]
        for start in range(0, len(first), _COMPARED_AT_ONCE):
            part = slice(start, start + _COMPARED_AT_ONCE)
            a, b = first[part], second[part]
            near = self._are_near(self.coefficients[a], self.coefficients[b])
            self._join(a[near], b[near])

    def _are_near(self, a: NDArray[np.float16], b: NDArray[np.float16]) -> NDArray[np.bool_]:
        return similarities(a, b) >= self.min_similarity

    def _join(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
        self.union_find.union(first % self.count, second % self.count)
