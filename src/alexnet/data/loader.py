"""Training batches out of a pack: order, crops and colours by counter, one thread ahead.

Legend: N pictures of an epoch, n pictures of a batch, c side of the crop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alexnet.data.augmentation import Augmentation, Draw
from alexnet.data.pack import Pack
from alexnet.data.prefetch import prefetched
from alexnet.data.sampling import EpochOrder, balanced, shuffled
from alexnet.devices import cores
from alexnet.errors import RecipeError, SourceError
from alexnet.images import Finisher, Preprocessing
from alexnet.recipe import Sampling

__all__ = ["Batch", "Crops", "TrainLoader"]

AHEAD = 2
"""Batches prepared before they are asked for."""


@dataclass(frozen=True)
class Batch:
    """Pictures as the network takes them."""

    images: Tensor  # (n, 3, c, c) float32, channels last
    labels: Tensor  # (n,) int64
    indices: NDArray[np.int64]  # (n,) of the pictures in the pack


@dataclass(frozen=True)
class Crops:
    """Pictures as they are cut, before they become numbers."""

    crops: NDArray[np.uint8]  # (n, c, c, 3), RGB, mirrored where they should be
    draw: Draw
    labels: NDArray[np.int64]  # (n,)
    indices: NDArray[np.int64]  # (n,) of the pictures in the pack


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
            compute; for "cuda" every core cuts bytes, which become numbers on the device.

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
        self._device_kind = device_kind

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
        if self._device_kind == "cpu":
            return prefetched(self._batches(epoch, start_step), AHEAD)
        return prefetched(self._sent(epoch, start_step), AHEAD)

    def crops(self, epoch: int, start_step: int = 0) -> Iterator[Crops]:
        """Yield the same pictures as bytes, cut on every core, two batches ahead.

        Args:
            epoch: counted from 0.
            start_step: batches of this epoch that are left out.
        """
        return prefetched(self._crops(epoch, start_step), AHEAD)

    def order(self, epoch: int) -> EpochOrder:
        """Return which pictures an epoch shows, in which order."""
        if self._sampling == "balanced":
            return balanced(self._indices, self._pack.labels, self._seed, epoch)
        return shuffled(self._indices, self._seed, epoch)

    def _parts(self, epoch: int, start_step: int) -> Iterator[tuple[NDArray[np.int64], Draw]]:
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

    def _batches(self, epoch: int, start_step: int) -> Iterator[Batch]:
        """Yield finished batches, made by the thread that asks."""
        for indices, draw in self._parts(epoch, start_step):
            images = self._preprocessing.numbers(
                self._pack.read(indices),
                draw.top,
                draw.left,
                draw.mirror,
                boxes=draw.boxes,
                shift=draw.shift,
                divide=draw.divide,
            )
            yield Batch(images, torch.from_numpy(self._pack.labels[indices]), indices)

    def _crops(self, epoch: int, start_step: int) -> Iterator[Crops]:
        """Yield batches of bytes, each cut by several threads while the next one is drawn."""
        under_way: deque[tuple[Crops, list[Future[None]]]] = deque()
        with ThreadPoolExecutor(cores(), thread_name_prefix="crops") as pool:
            for indices, draw in self._parts(epoch, start_step):
                under_way.append(self._cut_by(pool, indices, draw))
                if len(under_way) > 1:
                    yield _done(*under_way.popleft())
            while under_way:
                yield _done(*under_way.popleft())

    def _cut_by(
        self, pool: ThreadPoolExecutor, indices: NDArray[np.int64], draw: Draw
    ) -> tuple[Crops, list[Future[None]]]:
        c = self._preprocessing.crop_px
        crops = np.empty((len(indices), c, c, 3), dtype=np.uint8)
        step = -(-len(indices) // cores())
        parts = [slice(i, i + step) for i in range(0, len(indices), step)]
        tasks = [pool.submit(self._cut, indices, draw, part, crops) for part in parts]
        return Crops(crops, draw, self._pack.labels[indices], indices), tasks

    def _cut(
        self, indices: NDArray[np.int64], draw: Draw, part: slice, crops: NDArray[np.uint8]
    ) -> None:
        self._preprocessing.cut(
            self._pack.read(indices[part]),
            draw.top[part],
            draw.left[part],
            draw.mirror[part],
            None if draw.boxes is None else draw.boxes[part],
            into=crops[part],
        )

    def _sent(self, epoch: int, start_step: int) -> Iterator[Batch]:
        """Yield batches that lie on the device."""
        finish = Finisher(self._preprocessing, self._device_kind)
        for found in self._crops(epoch, start_step):
            draw = found.draw
            images = finish(
                found.crops,
                draw.top,
                draw.left,
                draw.mirror,
                shift=draw.shift,
                divide=draw.divide,
            )
            yield Batch(images, torch.from_numpy(found.labels), found.indices)


def _done(crops: Crops, tasks: list[Future[None]]) -> Crops:
    """Return crops when they are cut."""
    for task in tasks:
        task.result()
    return crops
