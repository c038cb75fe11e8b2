"""Pictures become numbers on the device that trains on them: bytes travel, a quarter of the size.

On a GPU one kernel does it all where Triton is there; torch's operators do the same elsewhere, with
the same bits, and so they do on a processor.

Legend: N pictures on the device, n pictures of a batch, S side of a picture, c side of a crop.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alexnet.images.preprocessing import Preprocessing
from alexnet.kernels.verify import difference, proven

__all__ = ["Finisher", "wrong"]


class Finisher:
    """Does on a device what `Preprocessing` does here, in the same order of arithmetic.

    Args:
        rule: from pictures to numbers.
        device_kind: "cpu" or "cuda".
        fused: whether a kernel does it where there is one.
    """

    def __init__(self, rule: Preprocessing, device_kind: str, *, fused: bool = True) -> None:
        self._rule = rule
        self._device = torch.device(device_kind)
        self._kernels: Any = kernels_of(device_kind) if fused else None
        mean = rule.mean_beneath
        self._mean = None if mean is None else self._there(mean)
        self._divisors: dict[float, Tensor | None] = {}

    @property
    def form(self) -> str:
        """How it is done, in words."""
        return "torch's operators" if self._kernels is None else "one kernel of Triton"

    def numbers(
        self,
        pixels: Tensor,
        places: Tensor,
        *,
        cut: bool,
        shift: Tensor | None = None,
        divide: float = 1.0,
    ) -> Tensor:
        """Turn pixels on the device into what the network takes: (crop - mean + shift) / scale.

        Args:
            pixels: (N, S, S, 3) uint8 pictures, each of which may be cut; or (n, c, c, 3) crops as
                `Preprocessing.cut` gives them.
            places: (4, n) int64: number of the picture, first row and first column of its crop,
                and 1 where it is mirrored.
            cut: whether `pixels` are whole pictures.
            shift: (n, 3) grey levels added to R, G, B; None: nothing.
            divide: what everything is divided by besides the scale.

        Returns:
            (n, 3, c, c) float32 on the device, channels last in memory.
        """
        beneath = self.beneath(divide)
        if self._kernels is None:
            crops = self.crops(pixels, places) if cut else pixels
            found = self._plain(crops, places, shift=shift, **beneath)
        else:
            found = self._kernels.run(
                pixels, places, **_numbers_of(self._rule), shift=shift, cut=cut, **beneath
            )
        return found.permute(0, 3, 1, 2)

    def beneath(self, divide: float) -> dict[str, Tensor | None]:
        """Return what a crop is brought to numbers with: `mean` and `divisor`, on the device."""
        if divide not in self._divisors:
            divisor = self._rule.divisor(divide)
            self._divisors[divide] = None if divisor is None else self._there(divisor)
        return {"mean": self._mean, "divisor": self._divisors[divide]}

    def crops(self, pictures: Tensor, places: Tensor) -> Tensor:
        """Return (n, c, c, 3) uint8 by torch's operators: cut and mirrored."""
        rows, columns = self._windows(places)
        return pictures[places[0][:, None, None], rows[:, :, None], columns[:, None, :]]

    def _plain(
        self,
        crops: Tensor,
        places: Tensor,
        *,
        mean: Tensor | None,
        shift: Tensor | None,
        divisor: Tensor | None,
    ) -> Tensor:
        """Return (n, c, c, 3) float32 by torch's operators."""
        numbers = crops.to(torch.float32)
        if mean is not None:
            if mean.ndim == 3 and self._rule.mean_at == "crop":
                rows, columns = self._windows(places)
                mean = mean[rows[:, :, None], columns[:, None, :]]
            numbers -= mean
        if shift is not None:
            numbers += shift[:, None, None, :]
        if divisor is not None:
            numbers /= divisor
        return numbers.flip(3) if self._rule.order == "BGR" else numbers

    def _windows(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows and columns of each crop in its picture, (n, c) each."""
        _, top, left, mirrored = places[:4, :, None].unbind()
        steps = torch.arange(self._rule.crop_px, device=places.device)
        return top + steps, left + torch.where(mirrored != 0, steps.flip(0), steps)

    def _there(self, numbers: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(numbers)).to(self._device)  # pyright: ignore[reportUnknownMemberType]


@functools.cache
def kernels_of(device_kind: str) -> Any:
    """Return the module of kernels for a device; None where torch's operators do the work."""
    if device_kind != "cuda":
        return None
    return proven(
        "cutting pictures",
        lambda: importlib.import_module("alexnet.kernels.triton_crops"),
        lambda kernels: wrong(kernels, device_kind),
    )


def wrong(kernels: Any, device_kind: str) -> str | None:
    """Compare kernels with torch's operators on a few pictures; return what is wrong."""
    draw = np.random.default_rng(0)
    side, crop, n = 23, 19, 8
    mean = draw.uniform(0, 255, (side, side, 3)).astype(np.float32)
    pictures = torch.from_numpy(draw.integers(0, 256, (n, side, side, 3), dtype=np.uint8))
    corners = draw.integers(0, side - crop + 1, (2, n))
    places = torch.from_numpy(np.stack([draw.permutation(n), *corners, np.arange(n) % 2]))
    shift = torch.from_numpy(draw.normal(0, 10, (n, 3)).astype(np.float32)).to(device_kind)
    pictures, places = pictures.to(device_kind), places.to(device_kind)
    for rule in (
        Preprocessing(image_px=side, crop_px=crop, mean=mean, order="BGR"),
        Preprocessing(image_px=side, crop_px=crop, mean=mean, mean_at="centre"),
        Preprocessing(image_px=side, crop_px=crop, mean=mean[0, 0]),
    ):
        plain = Finisher(rule, device_kind, fused=False)
        crops = plain.crops(pictures, places)
        wanted = plain.numbers(crops, places, shift=shift, divide=1.1, cut=False)
        for pixels, cut in ((pictures, True), (crops, False)):
            numbers = kernels.run(
                pixels, places, **_numbers_of(rule), **plain.beneath(1.1), shift=shift, cut=cut
            ).permute(0, 3, 1, 2)
            if trouble := difference("a batch", numbers, wanted, 1e-6):
                return trouble
    return None


def _numbers_of(rule: Preprocessing) -> dict[str, Any]:
    """Return what a kernel is told of a rule."""
    return {
        "side": rule.image_px,
        "crop": rule.crop_px,
        "central": rule.mean_at == "centre",
        "reverse": rule.order == "BGR",
    }
