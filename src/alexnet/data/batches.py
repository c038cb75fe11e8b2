"""What a loader gives: batches as a network takes them, or the bytes before they become numbers.

Legend: n pictures of a batch, c side of a crop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from alexnet.data.augmentation import Draw

__all__ = ["Batch", "Crops", "Part"]

Part = tuple[NDArray[np.int64], Draw]
"""(n,) numbers of a batch's pictures in the pack, and what was drawn for each."""


@dataclass(frozen=True)
class Batch:
    """Pictures as the network takes them."""

    images: Tensor  # (n, 3, c, c) float32, channels last
    labels: Tensor  # (n,) int64
    indices: NDArray[np.int64]  # (n,) of the pictures in the pack


@dataclass(frozen=True)
class Crops:
    """Pictures as they are cut, before they become numbers."""

    crops: Tensor  # (n, c, c, 3) uint8, RGB, mirrored where they should be
    draw: Draw
    labels: NDArray[np.int64]  # (n,)
    indices: NDArray[np.int64]  # (n,) of the pictures in the pack
