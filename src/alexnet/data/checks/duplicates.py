"""Near copies: pictures whose hashes differ in few bits and whose waves say that they are alike.

Both must hold: the hash finds, the waves decide. Members of a group need not all be near each
other; a chain of near copies is one group.

Legend: N pictures, M = N, or 2 N where mirror images count too, W words that differ.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from alexnet.data.checks.hashing import (
    MIRRORED_WAVES,
    Pairs,
    alikeness,
    close_pairs,
    correlations,
    groupings,
    hashes,
)
from alexnet.data.loading.sampling import permutation
from alexnet.progress import track

__all__ = ["RADIUS", "Groups", "alike_from", "near_groups"]


class Groups:
    """N things, each alone at first.

    Args:
        count: N.
    """

    def __init__(self, count: int) -> None:
        self._above = array("q", range(count))

    def join(self, some: NDArray[np.int64], others: NDArray[np.int64]) -> None:
        """Join things in pairs.

        Args:
            some: (n,) the one of each pair.
            others: (n,) the other.
        """
        for one, other in zip(some.tolist(), others.tolist(), strict=True):
            a, b = self.root(one), self.root(other)
            if a != b:
                self._above[max(a, b)] = min(a, b)

    def root(self, one: int) -> int:
        """Return the least member of a thing's group."""
        above = self._above
        while above[one] != one:
            above[one] = above[above[one]]  # the way is halved for the next who goes it
            one = above[one]
        return one

    def roots(self, some: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the least member of each thing's group, (n,)."""
        above = np.frombuffer(self._above, dtype=np.int64)
        found = above[some] if len(some) else some
        while len(higher := above[found]) and not np.array_equal(higher, found):
            found = higher
        return found

    def several(self) -> list[list[int]]:
        """Return the groups of two and more, members rising, by their least member."""
        found: dict[int, list[int]] = {}
        for one in range(len(self._above)):
            root = self.root(one)
            if root != one:
                found.setdefault(root, [root]).append(one)
        return [found[root] for root in sorted(found)]


RADIUS = 8
"""Bits of 64 in which the hashes of near copies may differ."""

LEAST = 0.90
"""How alike near copies are at least, where pictures that are none are seldom so alike."""

SURE = 0.985
"""Pictures as alike as that are copies, in any set."""

_STEPS = 18  # between the two
_SAMPLE = 4000
_ROWS = 500  # of them held against all at once
_CHANCE_PAIRS = 0.05  # for each picture; more alike pairs than that are the nature of the set

_MOST_PAIRS = 1 << 20  # held in memory before they are looked at


def alike_from(found: NDArray[np.float16]) -> float:
    """Return how alike near copies of a set must be, from the set's own pictures.

    Scans of one form and handwritten digits are all much alike. Where more pairs than one for
    twenty pictures lie between `LEAST` and `SURE`, the limit is raised to where fewer do.

    Args:
        found: waves of N different pictures, (N, 64).
    """
    count = len(found)
    if count < 2:
        return LEAST
    chosen = found[permutation(count, 0, 0, "alike")[:_SAMPLE]]
    between = np.sort(np.concatenate([*_pairs_between(chosen)]))
    scale = count * (count - 1) / (len(chosen) * (len(chosen) - 1))  # from sample to set
    limits: list[float] = np.linspace(LEAST, SURE, _STEPS).tolist()
    for limit in limits:
        rest = len(between) - int(np.searchsorted(between, limit))
        if rest * scale <= max(_CHANCE_PAIRS * count, 1):
            return round(limit, 3)
    return SURE


def _pairs_between(chosen: NDArray[np.float16]) -> Iterator[NDArray[np.float32]]:
    """Yield how alike the pairs are that are neither clearly different nor clearly copies."""
    for start in range(0, len(chosen), _ROWS):
        alike = np.triu(correlations(chosen[start : start + _ROWS], chosen[start:]), 1)
        yield alike[(alike >= LEAST) & (alike < SURE)]


def near_groups(
    found: NDArray[np.float16], *, least: float, mirrored: bool = False
) -> list[list[int]]:
    """Return the groups of near copies: as if every picture had been held against every other.

    Args:
        found: waves of N pictures, (N, 64).
        least: how alike near copies are at least.
        mirrored: whether a picture and another's mirror image are near copies, too.
    """
    return _Search(found, least, mirrored=mirrored).groups()


class _Search:
    """One search; pictures that are joined already are not held against each other any more."""

    def __init__(self, found: NDArray[np.float16], least: float, *, mirrored: bool) -> None:
        self.count, self.least = len(found), least
        self.waves = np.concatenate([found, found * MIRRORED_WAVES]) if mirrored else found
        words = hashes(self.waves)
        self.order = np.argsort(words, kind="stable")  # members of a word lie side by side
        self.words, self.starts = np.unique(words[self.order], return_index=True)
        self.ends = np.append(self.starts[1:], len(words))
        self.joined = Groups(self.count)

    def groups(self) -> list[list[int]]:
        for word in np.flatnonzero(self.ends - self.starts > 1).tolist():
            self._join_equal(self._members(word))
        waiting: list[Pairs] = []
        with track("looking for near copies", groupings(RADIUS)) as advance:
            for pairs in close_pairs(self.words, RADIUS):
                waiting.append(pairs)
                if sum(len(some) for some, _ in waiting) > _MOST_PAIRS:
                    self._look_at(waiting)
                    waiting = []
                advance()
            self._look_at(waiting)
        return self.joined.several()

    def _members(self, word: int) -> NDArray[np.int64]:
        return self.order[self.starts[word] : self.ends[word]]

    def _join_equal(self, members: NDArray[np.int64]) -> None:
        """Join the near copies among pictures of one hash, however many they are.

        Whoever is found is asked for more and never looked at again: thousands of copies cost as
        many looks, not as many squared.
        """
        while len(members):
            asking, members = [int(members[0])], members[1:]
            while asking and len(members):
                one = asking.pop()
                near = alikeness(self.waves[one], self.waves[members]) >= self.least
                self._join(np.full(int(near.sum()), one), members[near])
                asking += members[near].tolist()
                members = members[~near]

    def _look_at(self, waiting: list[Pairs]) -> None:
        """Hold the pictures of close words against each other, each pair of words once."""
        if not waiting:
            return
        some, others = (np.concatenate(each) for each in zip(*waiting, strict=True))
        codes = np.unique(np.minimum(some, others) * len(self.words) + np.maximum(some, others))
        some, others = codes // len(self.words), codes % len(self.words)
        single = (self.ends - self.starts == 1)[some] & (self.ends - self.starts == 1)[others]
        self._judge(self.order[self.starts[some[single]]], self.order[self.starts[others[single]]])
        for one, other in zip(some[~single].tolist(), others[~single].tolist(), strict=True):
            for picture in self._members(one).tolist():
                members = self._members(other)
                self._judge(np.full(len(members), picture), members)

    def _judge(self, some: NDArray[np.int64], others: NDArray[np.int64]) -> None:
        apart = self.joined.roots(some % self.count) != self.joined.roots(others % self.count)
        some, others = some[apart], others[apart]
        for start in range(0, len(some), 1 << 16):  # so many waves at once
            a, b = some[start : start + (1 << 16)], others[start : start + (1 << 16)]
            near = alikeness(self.waves[a], self.waves[b]) >= self.least
            self._join(a[near], b[near])

    def _join(self, some: NDArray[np.int64], others: NDArray[np.int64]) -> None:
        self.joined.join(some % self.count, others % self.count)
