"""Crop and normalize on the device that trains: bytes are copied there, a quarter of the size.

On a GPU one kernel does it all where Triton is there; elsewhere torch's operators do the same, with
the same bits.

Legend: N images on the device, n images of a batch, S side of an image, c side of a crop.
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
from alexnet.kernels.verify import mismatch, verified_kernels

__all__ = ["DevicePreprocessing", "kernel_mismatch"]


class DevicePreprocessing:
    """Does on a device what `Preprocessing` does here, in the same order of arithmetic.

    Args:
        rule: from images to numbers.
        device_kind: "cpu" or "cuda".
        fused: use one kernel for all of it where there is one.
    """

    def __init__(self, rule: Preprocessing, device_kind: str, *, fused: bool = True) -> None:
        self._rule = rule
        self._device = torch.device(device_kind)
        self._kernels: Any = device_kernels(device_kind) if fused else None
        mean = rule.crop_mean
        self._mean = None if mean is None else self._to_device(mean)
        self._divisors: dict[float, Tensor | None] = {}

    @property
    def implementation(self) -> str:
        """What does the work, for the journal."""
        return "torch's operators" if self._kernels is None else "one kernel of Triton"

    def crop_and_normalize(
        self,
        pixels: Tensor,
        places: Tensor,
        *,
        crop: bool,
        shift: Tensor | None = None,
        divide: float = 1.0,
    ) -> Tensor:
        """Turn pixels on the device into what the network takes, as `Preprocessing.normalize` does.

        Args:
            pixels: (N, S, S, 3) uint8 images; or (n, c, c, 3) crops of `Preprocessing.crop`.
            places: (4, n) int64: number of the image, first row and first column of its crop,
                and 1 where it is mirrored.
            crop: whether `pixels` are whole images.
            shift: (n, 3) gray levels added to R, G, B; None: nothing.
            divide: what everything is divided by besides std.

        Returns:
            (n, 3, c, c) float32 on the device, channels last in memory.
        """
        constants = self.constants(divide)
        if self._kernels is None:
            crops = self.crop(pixels, places) if crop else pixels
            x = self._normalize(crops, places, shift=shift, **constants)
        else:
            x = self._kernels.crop_and_normalize(
                pixels, places, **_kernel_options(self._rule), shift=shift, crop=crop, **constants
            )
        return x.permute(0, 3, 1, 2)

    def constants(self, divide: float) -> dict[str, Tensor | None]:
        """Return `mean` and `divisor` of the normalization, on the device."""
        if divide not in self._divisors:
            divisor = self._rule.divisor(divide)
            self._divisors[divide] = None if divisor is None else self._to_device(divisor)
        return {"mean": self._mean, "divisor": self._divisors[divide]}

    def crop(self, images: Tensor, places: Tensor) -> Tensor:
        """Return (n, c, c, 3) uint8 by torch's operators: cropped and mirrored."""
        rows, columns = self._windows(places)
        return images[places[0][:, None, None], rows[:, :, None], columns[:, None, :]]

    def _normalize(
        self,
        crops: Tensor,
        places: Tensor,
        *,
        mean: Tensor | None,
        shift: Tensor | None,
        divisor: Tensor | None,
    ) -> Tensor:
        """Return (n, c, c, 3) float32 by torch's operators."""
        x = crops.to(torch.float32)
        if mean is not None:
            if mean.ndim == 3 and self._rule.mean_at == "crop":
                rows, columns = self._windows(places)
                mean = mean[rows[:, :, None], columns[:, None, :]]
            x -= mean
        if shift is not None:
            x += shift[:, None, None, :]
        if divisor is not None:
            x /= divisor
        return x.flip(3) if self._rule.order == "BGR" else x

    def _windows(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows and columns of each crop in its image, (n, c) each."""
        _, top, left, mirrored = places[:4, :, None].unbind()
        steps = torch.arange(self._rule.crop_px, device=places.device)
        return top + steps, left + torch.where(mirrored != 0, steps.flip(0), steps)

    def _to_device(self, numbers: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(numbers)).to(self._device)  # pyright: ignore[reportUnknownMemberType]


@functools.cache
def device_kernels(device_kind: str) -> Any:
    """Return the module of kernels for a device; None where torch's operators do the work."""
    if device_kind != "cuda":
        return None
    return verified_kernels(
        "cropping images",
        lambda: importlib.import_module("alexnet.kernels.triton_crops"),
        lambda kernels: kernel_mismatch(kernels, device_kind),
    )


def kernel_mismatch(kernels: Any, device_kind: str) -> str | None:
    """Compare kernels with torch's operators on a few images; return where they differ."""
    rng = np.random.default_rng(0)
    side, crop_px, n = 23, 19, 8
    mean = rng.uniform(0, 255, (side, side, 3)).astype(np.float32)
    images = torch.from_numpy(rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8))
    corners = rng.integers(0, side - crop_px + 1, (2, n))
    places = torch.from_numpy(np.stack([rng.permutation(n), *corners, np.arange(n) % 2]))
    shift = torch.from_numpy(rng.normal(0, 10, (n, 3)).astype(np.float32)).to(device_kind)
    images, places = images.to(device_kind), places.to(device_kind)
    for rule in (
        Preprocessing(image_px=side, crop_px=crop_px, mean=mean, order="BGR"),
        Preprocessing(image_px=side, crop_px=crop_px, mean=mean, mean_at="center"),
        Preprocessing(image_px=side, crop_px=crop_px, mean=mean[0, 0]),
    ):
        reference = DevicePreprocessing(rule, device_kind, fused=False)
        crops = reference.crop(images, places)
        expected = reference.crop_and_normalize(crops, places, shift=shift, divide=1.1, crop=False)
        options = {**_kernel_options(rule), **reference.constants(1.1), "shift": shift}
        for pixels, whole in ((images, True), (crops, False)):
            batch = kernels.crop_and_normalize(pixels, places, **options, crop=whole)
            if difference := mismatch("a batch", batch.permute(0, 3, 1, 2), expected, 1e-6):
                return difference
    return None


def _kernel_options(rule: Preprocessing) -> dict[str, Any]:
    """Return what a kernel needs of a preprocessing."""
    return {
        "image_px": rule.image_px,
        "crop_px": rule.crop_px,
        "center_mean": rule.mean_at == "center",
        "bgr": rule.order == "BGR",
    }
