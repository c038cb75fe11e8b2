"""Crops become numbers on the device that trains on them: bytes travel, a quarter of the size.

Legend: n pictures, S side of a stored picture, c side of a crop.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, from_numpy  # pyright: ignore[reportUnknownVariableType]

from alexnet.images.preprocessing import Preprocessing

__all__ = ["Finisher"]


class Finisher:
    """Does on a device what `Preprocessing.to_tensor` does here, in the same order of arithmetic.

    Args:
        rule: from crops to numbers.
        device_kind: "cpu" or "cuda".
    """

    def __init__(self, rule: Preprocessing, device_kind: str) -> None:
        self._rule = rule
        self._device = torch.device(device_kind)
        mean = rule.mean_beneath
        self._mean = None if mean is None else self._sent(mean)

    def __call__(
        self,
        crops: NDArray[np.uint8],
        top: NDArray[np.int64],
        left: NDArray[np.int64],
        mirror: NDArray[np.bool_],
        *,
        shift: NDArray[np.float32] | None = None,
        divide: float = 1.0,
    ) -> Tensor:
        """Send crops to the device and finish them there.

        Args:
            crops: (n, c, c, 3) uint8.
            top: (n,) as they were cut.
            left: (n,) as they were cut.
            mirror: (n,) as they were cut.
            shift: (n, 3) grey levels added to R, G, B; None: nothing.
            divide: what everything is divided by besides the scale.

        Returns:
            (n, 3, c, c) float32 on the device, channels last in memory.
        """
        numbers = self._sent(crops).to(torch.float32)
        if self._mean is not None:
            numbers -= self._beneath(self._mean, top, left, mirror)
        if shift is not None:
            numbers += self._sent(shift)[:, None, None, :]
        divisor = self._rule.divisor(divide)
        if divisor is not None:
            numbers /= self._sent(divisor)
        if self._rule.order == "BGR":
            numbers = numbers.flip(3)
        return numbers.permute(0, 3, 1, 2)

    def _beneath(
        self,
        mean: Tensor,
        top: NDArray[np.int64],
        left: NDArray[np.int64],
        mirror: NDArray[np.bool_],
    ) -> Tensor:
        """Return what of the mean lies under each crop; its shape stretches to (n, c, c, 3)."""
        if mean.ndim == 1 or self._rule.mean_at == "centre":
            return mean
        steps = np.arange(self._rule.crop_px)
        rows = top[:, None] + steps
        columns = left[:, None] + np.where(mirror[:, None], steps[::-1], steps)
        return mean[self._sent(rows)[:, :, None], self._sent(columns)[:, None, :]]

    def _sent(self, numbers: NDArray[np.generic]) -> Tensor:
        """Copy to the device; from pinned memory the copy waits for nothing and nothing for it."""
        found = from_numpy(np.ascontiguousarray(numbers))
        if self._device.type == "cuda":
            found = found.pin_memory()
        return found.to(self._device, non_blocking=True)
