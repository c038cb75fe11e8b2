"""Pictures of a batch where they lie, in mapped files or in memory, until something is cut of them.

Legend: n pictures of the batch, m pictures that lie in one place, S side of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PlacedPictures", "StoredPictures"]


class PlacedPictures(NamedTuple):
    """Those pictures of a batch that lie in one array."""

    pictures: NDArray[np.uint8]  # (m, S, S, 3), others of it too
    places: NDArray[np.int64]  # where in `pictures`, each in 0 .. m - 1
    rows: NDArray[np.int64]  # where in the batch


@dataclass(frozen=True, eq=False)
class StoredPictures:
    """A batch of stored pictures, none of them copied: a crop is much less than a picture.

    Where they lie in a file, that is read when they are cut.
    """

    parts: tuple[PlacedPictures, ...]  # their rows together are 0 .. n - 1, once each
    side: int  # S

    @classmethod
    def of(cls, pictures: NDArray[np.uint8]) -> StoredPictures:
        """Return a batch of all (n, S, S, 3) pictures, in their order."""
        return cls.some_of(pictures, np.arange(len(pictures)))

    @classmethod
    def some_of(cls, pictures: NDArray[np.uint8], places: NDArray[np.int64]) -> StoredPictures:
        """Return a batch of some of (m, S, S, 3) pictures.

        Raises:
            IndexError: a place is not in 0 .. m - 1.
        """
        if len(places) and not 0 <= places.min() <= places.max() < len(pictures):
            raise IndexError(f"there are pictures 0 to {len(pictures) - 1}")
        part = PlacedPictures(pictures, np.ascontiguousarray(places), np.arange(len(places)))
        return cls((part,), pictures.shape[1])

    def __len__(self) -> int:
        return sum(len(part.rows) for part in self.parts)

    def together(self) -> NDArray[np.uint8]:
        """Return (n, S, S, 3) copies."""
        found = np.empty((len(self), self.side, self.side, 3), dtype=np.uint8)
        for part in self.parts:
            for row, place in zip(part.rows.tolist(), part.places.tolist(), strict=True):
                found[row] = part.pictures[place]
        return found
