"""Training batches out of a pack: order, crops and colours by counter, one thread ahead.

Legend: N pictures of an epoch, n pictures of a batch, c side of the crop.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.data.loading.augmentation import Augmentation
from alexnet.data.loading.batch import Batch, Crops, Part, prefetched
from alexnet.data.loading.device_loader import AHEAD, Feeder, crops_by_cores
from alexnet.data.loading.sampling import EpochOrder, balanced, shuffled
from alexnet.data.packs.pack import Pack
from alexnet.errors import RecipeError, SourceError
from alexnet.images import Preprocessing
from alexnet.recipe import Sampling

__all__ = ["TrainLoader"]


class TrainLoader:
    """Gives the batches of any epoch, from any step on: what they hold depends on nothing else.

    Args:
        pack: where the stored pictures lie.
        indices: (N,) the training pictures in the pack.
        preprocessing: from stored pixels to the network's input.
        augmentation: what is drawn for each picture.
        batch: pictures in a step; the last one of an epoch may be shorter.
        seed: of the order.
        sampling: "shuffle", or "balanced": each class equally often.
        device_kind: where the batches are wanted. On "cpu" one thread makes them, for the others
            compute; for "cuda" see `Feeder`.

    Raises:
        SourceError: no pictures, or the pack's pictures are of another size.
        RecipeError: `batch` is under 1, or the sampling is unknown.
    """

    def __init__(
        self,
        pack: Pack,
        indices: NDArray[np.int64],
        preprocessing: Preprocessing,
        augmentation: Augmentation,
        *,
        batch: int,
        seed: int,
        sampling: Sampling = "shuffle",
        device_kind: str = "cpu",
    ) -> None:
        if not len(indices):
            raise SourceError(
                f"{pack.where} has no training pictures. Add pictures to its classes, or to the "
                "folder train where there are splits."
            )
        if pack.image_px != preprocessing.image_px:
            raise SourceError(
                f"{pack.where} holds pictures of {pack.image_px} pixels and the preprocessing "
                f"expects {preprocessing.image_px}. Pack the source again with --image-px "
                f"{preprocessing.image_px}."
            )
        if batch < 1:
            raise RecipeError(f"batch must be at least 1 picture; got {batch}.")
        if sampling not in ("shuffle", "balanced"):
            raise RecipeError(f'sampling must be "shuffle" or "balanced"; got "{sampling}".')
        self._pack = pack
        self._indices = np.asarray(indices, dtype=np.int64)
        self._preprocessing = preprocessing
        self._augmentation = augmentation
        self._batch = batch
        self._seed = seed
        self._sampling = sampling
        self._feeder = None
        if device_kind != "cpu":
            boxes = augmentation.area < 1
            self._feeder = Feeder(pack, indices, preprocessing, device_kind, boxes=boxes)

    @property
    def on_device(self) -> bool:
        """Whether batches are cut on an accelerator, out of all the pictures."""
        return self._feeder is not None and self._feeder.on_device

    def open(self) -> str:
        """Copy the pictures to the device where they fit there; say where batches are cut.

        Without it that happens when the first batch is asked for.
        """
        if self._feeder is None:
            return "pictures cut by one thread, two batches ahead"
        return self._feeder.open()

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch, a short last one included."""
        return -(-len(self._indices) // self._batch)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, prepared by one thread that is two batches ahead.

        Args:
            epoch: counted from 0.
            start_step: batches of this epoch that are left out; the rest are what they were.
        """
        parts = self._parts(epoch, start_step)
        if self._feeder is None:
            return prefetched(self._batches(parts), AHEAD)
        return self._feeder.batches(parts)

    def crops(self, epoch: int, start_step: int = 0) -> Iterator[Crops]:
        """Yield the same pictures as bytes, cut on every core, two batches ahead.

        Args:
            epoch: counted from 0.
            start_step: batches of this epoch that are left out.
        """
        parts = self._parts(epoch, start_step)
        return prefetched(crops_by_cores(self._pack, self._preprocessing, parts), AHEAD)

    def order(self, epoch: int) -> EpochOrder:
        """Return which pictures an epoch shows, in which order."""
        if self._sampling == "balanced":
            return balanced(self._indices, self._pack.labels, self._seed, epoch)
        return shuffled(self._indices, self._seed, epoch)

    def _parts(self, epoch: int, start_step: int) -> Iterator[Part]:
        """Yield indices and draws of the batches of an epoch."""
        order = self.order(epoch)
        for start in range(start_step * self._batch, len(order.indices), self._batch):
            part = slice(start, start + self._batch)
            indices = order.indices[part]
            positions = np.arange(start, start + len(indices), dtype=np.int64)
            repeats = None if order.repeats is None else order.repeats[part]
            yield (
                indices,
                self._augmentation.draw(
                    epoch, positions, indices, self._preprocessing, repeats=repeats
                ),
            )

    def _batches(self, parts: Iterator[Part]) -> Iterator[Batch]:
        """Yield finished batches, made by the thread that asks."""
        for indices, draw in parts:
            images = self._preprocessing.numbers(
                self._pack.stored(indices),
                draw.top,
                draw.left,
                draw.mirror,
                boxes=draw.boxes,
                shift=draw.shift,
                divide=draw.divide,
            )
            yield Batch(images, torch.from_numpy(self._pack.labels[indices]), indices)
