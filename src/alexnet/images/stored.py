"""Images of a batch where they lie, in mapped files or in memory, until they are cropped.

Legend: n images of the batch, m images of one array, S side of an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PlacedImages", "StoredImages"]


class PlacedImages(NamedTuple):
    """Those images of a batch that lie in one array."""

    images: NDArray[np.uint8]  # (m, S, S, 3), others of it too
    positions: NDArray[np.int64]  # in `images`, each in 0 .. m - 1
    rows: NDArray[np.int64]  # in the batch


@dataclass(frozen=True, eq=False)
class StoredImages:
    """A batch of stored images, none of them copied: a crop is much less than an image.

    Of images in a mapped file, only the rows of their crops are ever read.
    """

    parts: tuple[PlacedImages, ...]  # their rows together are 0 .. n - 1, once each
    side: int  # S

    @classmethod
    def of(cls, images: NDArray[np.uint8]) -> StoredImages:
        """Return a batch of all (n, S, S, 3) images, in their order."""
        return cls.select(images, np.arange(len(images)))

    @classmethod
    def select(cls, images: NDArray[np.uint8], positions: NDArray[np.int64]) -> StoredImages:
        """Return a batch of some of (m, S, S, 3) images.

        Raises:
            IndexError: a position is not in 0 .. m - 1.
        """
        if len(positions) and not 0 <= positions.min() <= positions.max() < len(images):
            raise IndexError(f"there are images 0 to {len(images) - 1}")
        part = PlacedImages(images, np.ascontiguousarray(positions), np.arange(len(positions)))
        return cls((part,), images.shape[1])

    def __len__(self) -> int:
        return sum(len(part.rows) for part in self.parts)

    def to_array(self) -> NDArray[np.uint8]:
        """Return (n, S, S, 3) copies."""
        images = np.empty((len(self), self.side, self.side, 3), dtype=np.uint8)
        for part in self.parts:
            for row, position in zip(part.rows.tolist(), part.positions.tolist(), strict=True):
                images[row] = part.images[position]
        return images
