"""Training batches out of a pack: order, crops and colors by counter, one thread ahead.

Legend: N images of an epoch, n images of a batch, c side of the crop.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.data.loading.augmentation import Augmentation
from alexnet.data.loading.batch import Batch, BatchPlan, CropBatch, prefetch
from alexnet.data.loading.device_loader import AHEAD, DeviceLoader, crop_in_threads
from alexnet.data.loading.sampling import EpochOrder, balanced, shuffled
from alexnet.data.packs.pack import Pack
from alexnet.distributed import BatchShare, share_of
from alexnet.errors import RecipeError, SourceError
from alexnet.images import Preprocessing
from alexnet.recipe import Sampling

__all__ = ["TrainLoader"]

_LARGE = 1 << 22  # numbers of a batch, 16 MB


class TrainLoader:
    """Gives the batches of any epoch, from any step on: what they hold depends on nothing else.

    Args:
        pack: where the stored images lie.
        indices: (N,) the training images in the pack.
        preprocessing: from stored pixels to the network's input.
        augmentation: what is drawn for each image.
        batch_size: images in a step; the last batch of an epoch may be shorter.
        seed: of the order.
        sampling: "shuffle", or "balanced": each class equally often.
        device_kind: where the batches are wanted. On "cpu" one thread makes them, for the others
            compute; for "cuda" see `DeviceLoader`.

    Attributes:
        part: number of the process that takes its part of each batch, and how many there are.

    Raises:
        SourceError: no images, or the pack's images are of another size.
        RecipeError: `batch_size` is under 1, or the sampling is unknown.
    """

    def __init__(
        self,
        pack: Pack,
        indices: NDArray[np.int64],
        preprocessing: Preprocessing,
        augmentation: Augmentation,
        *,
        batch_size: int,
        seed: int,
        sampling: Sampling = "shuffle",
        device_kind: str = "cpu",
    ) -> None:
        if not len(indices):
            raise SourceError(
                f"{pack.where} has no training images. Add images to its classes, or to the "
                "folder train where there are splits."
            )
        if pack.image_px != preprocessing.image_px:
            raise SourceError(
                f"{pack.where} holds images of {pack.image_px} pixels and the preprocessing "
                f"expects {preprocessing.image_px}. Pack the source again with --image-px "
                f"{preprocessing.image_px}."
            )
        if batch_size < 1:
            raise RecipeError(f"batch_size must be at least 1 image; got {batch_size}.")
        if sampling not in ("shuffle", "balanced"):
            raise RecipeError(f'sampling must be "shuffle" or "balanced"; got "{sampling}".')
        self._pack = pack
        self._indices = np.asarray(indices, dtype=np.int64)
        self._preprocessing = preprocessing
        self._augmentation = augmentation
        self._batch_size = batch_size
        self._seed = seed
        self._sampling = sampling
        self.part: tuple[int, int] = (0, 1)
        self._device_loader = None
        if device_kind != "cpu":
            boxes = augmentation.random_resized_crop < 1
            self._device_loader = DeviceLoader(
                pack, indices, preprocessing, device_kind, boxes=boxes
            )

    @property
    def on_device(self) -> bool:
        """Whether batches are cropped on an accelerator, out of all the images."""
        return self._device_loader is not None and self._device_loader.on_device

    def open(self) -> str:
        """Copy the images to the device where they fit there; say where batches are made.

        Without it that happens when the first batch is asked for.
        """
        if self._device_loader is None:
            return "images cropped by one thread, two batches ahead"
        return self._device_loader.open()

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch, a short last one included."""
        return -(-len(self._indices) // self._batch_size)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, prepared by one thread that is two batches ahead.

        Args:
            epoch: counted from 0.
            start_step: batches of this epoch that are left out; the rest are what they were.
        """
        plans = self._plans(epoch, start_step)
        loader = self._device_loader
        batches = self._batches(plans) if loader is None else loader.batches(plans)
        return batches if self.part == (0, 1) else self._with_shares(batches, start_step)

    def crops(self, epoch: int, start_step: int = 0) -> Iterator[CropBatch]:
        """Yield the same images as crops of bytes, made on every core, two batches ahead.

        Args:
            epoch: counted from 0.
            start_step: batches of this epoch that are left out.
        """
        plans = self._plans(epoch, start_step)
        return prefetch(crop_in_threads(self._pack, self._preprocessing, plans), AHEAD)

    def order(self, epoch: int) -> EpochOrder:
        """Return which images an epoch shows, in which order."""
        if self._sampling == "balanced":
            return balanced(self._indices, self._pack.labels, self._seed, epoch)
        return shuffled(self._indices, self._seed, epoch)

    def _plans(self, epoch: int, start_step: int) -> Iterator[BatchPlan]:
        """Yield indices and augmentation of the batches of an epoch."""
        order, rule = self.order(epoch), self._preprocessing
        for step in range(start_step, self.steps_per_epoch):
            share = self._share(step)
            start = step * self._batch_size + share.start
            part = slice(start, start + share.held)
            indices = order.indices[part]
            positions = np.arange(start, start + len(indices), dtype=np.int64)
            repeats = None if order.repeats is None else order.repeats[part]
            sample = self._augmentation.sample
            yield indices, sample(epoch, positions, indices, rule, repeats=repeats)

    def _share(self, step: int) -> BatchShare:
        """Return which images of a step's batch are this process's."""
        whole = min(self._batch_size, len(self._indices) - step * self._batch_size)
        return share_of(whole, *self.part)

    def _with_shares(self, batches: Iterator[Batch], start_step: int) -> Iterator[Batch]:
        """Yield the batches with what they are of the whole ones."""
        with closing(cast("Generator[Batch]", batches)):
            for step in range(start_step, self.steps_per_epoch):
                yield replace(next(batches), share=self._share(step))

    def _batches(self, plans: Iterator[BatchPlan]) -> Iterator[Batch]:
        """Yield batches out of crops that one thread makes; large ones become numbers when due.

        Bytes are a quarter of the numbers, and all threads of arithmetic wait for these. Small
        batches are made whole by the thread that is ahead: memory is no matter, time is.
        """
        numbers = 3 * self._preprocessing.crop_px**2 * self._batch_size
        if numbers < _LARGE:
            yield from prefetch(self._finished(self._make_crops(plans), threads=1), AHEAD)
            return
        with closing(prefetch(self._make_crops(plans), AHEAD)) as ahead:
            yield from self._finished(ahead, threads=torch.get_num_threads())

    def _finished(self, batches: Iterator[CropBatch], *, threads: int) -> Iterator[Batch]:
        """Yield batches whose crops are numbers."""
        for batch in batches:
            params = batch.params
            images = self._preprocessing.normalize(
                batch.crops.numpy(),
                params.top,
                params.left,
                params.mirror,
                shift=params.shift,
                divide=params.divide,
                threads=threads,
            )
            labels, indices = torch.from_numpy(batch.labels), batch.indices
            del batch
            yield Batch(images, labels, indices)
            del images

    def _make_crops(self, plans: Iterator[BatchPlan]) -> Iterator[CropBatch]:
        """Yield crops of bytes, made by the thread that asks."""
        for indices, params in self._pack.read_ahead(plans, lambda plan: plan[0]):
            crops = self._preprocessing.crop(
                self._pack.stored(indices), params.top, params.left, params.mirror, params.boxes
            )
            yield CropBatch(torch.from_numpy(crops), params, self._pack.labels[indices], indices)
