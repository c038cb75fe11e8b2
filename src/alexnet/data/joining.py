"""Groups that grow together: whoever is joined to a member belongs to the group (union-find)."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

__all__ = ["Groups"]


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
