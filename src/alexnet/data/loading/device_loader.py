"""Batches for an accelerator: cropped there, out of all the images, where they fit; else here.

Either way a thread is two batches ahead, and the copies and kernels that it asks for go to a stream
beside the one that trains. The training's stream waits for a batch on the device; the program does
not.

Legend: N training images, n images of a batch, S side of a stored image, c side of the crop.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alexnet.data.loading.augmentation import AugmentationParams
from alexnet.data.loading.batch import Batch, BatchPlan, CropBatch, prefetch
from alexnet.data.packs.pack import Pack
from alexnet.devices import (
    SideStream,
    cores,
    empty_pinned,
    free_bytes,
    record_event,
    synchronize,
    wait_event,
)
from alexnet.images import DevicePreprocessing, Preprocessing
from alexnet.progress import track
from alexnet.text import format_bytes

__all__ = ["AHEAD", "DeviceLoader", "crop_in_threads"]

AHEAD = 2
"""Batches prepared before they are asked for."""

# Of the device's free memory: the rest is for activations, gradients and velocities, which are not
# there yet when the images are copied.
_MEMORY_SHARE = 0.5
_COPY_BYTES = 64 << 20  # copied at once
# Batches that the program may be ahead of the device. Without a limit it would ask for all batches
# of an epoch, each holding its memory until the device comes to it.
_MAX_UNDER_WAY = 4

_log = logging.getLogger(__name__)


def crop_in_threads(
    pack: Pack, rule: Preprocessing, plans: Iterator[BatchPlan], device_kind: str = "cpu"
) -> Generator[CropBatch]:
    """Yield batches of crops, each made by several threads while the next one is planned.

    Args:
        pack: where the stored images lie.
        rule: says the sizes.
        plans: of the batches.
        device_kind: where they are going to be copied: pinned memory for "cuda".
    """
    c = rule.crop_px
    under_way: deque[tuple[CropBatch, list[Future[None]]]] = deque()
    with ThreadPoolExecutor(cores(), thread_name_prefix="crops") as pool:
        for indices, params in pack.read_ahead(plans, lambda plan: plan[0]):
            crops = empty_pinned((len(indices), c, c, 3), torch.uint8, device_kind)
            batch = CropBatch(crops, params, pack.labels[indices], indices)
            under_way.append((batch, _submit_crops(pool, pack, rule, batch)))
            if len(under_way) > 1:
                yield _wait(*under_way.popleft())
        while under_way:
            yield _wait(*under_way.popleft())


def _submit_crops(
    pool: ThreadPoolExecutor, pack: Pack, rule: Preprocessing, batch: CropBatch
) -> list[Future[None]]:
    """Let threads crop a batch, each a part of it."""
    count = len(batch.indices)
    step = -(-count // cores())
    parts = [slice(first, first + step) for first in range(0, count, step)]
    out: NDArray[np.uint8] = batch.crops.numpy()
    return [
        pool.submit(_crop_part, pack, rule, batch.indices[part], batch.params, part, out[part])
        for part in parts
    ]


def _crop_part(
    pack: Pack,
    rule: Preprocessing,
    indices: NDArray[np.int64],
    params: AugmentationParams,
    part: slice,
    out: NDArray[np.uint8],
) -> None:
    boxes = None if params.boxes is None else params.boxes[part]
    corners = params.top[part], params.left[part]
    rule.crop(pack.stored(indices), *corners, params.mirror[part], boxes, out=out)


def _wait(batch: CropBatch, tasks: list[Future[None]]) -> CropBatch:
    for task in tasks:
        task.result()
    return batch


class DeviceLoader:
    """Makes batches on a device, to the bit what `Preprocessing.normalize` makes of `crop`.

    Args:
        pack: where the stored images lie.
        indices: (N,) the training images in the pack.
        rule: from stored pixels to the network's input.
        device_kind: "cuda"; or "cpu", where it gives the same without being faster.
        boxes: whether there are random resized crops, which are made on the processor alone.
    """

    def __init__(
        self,
        pack: Pack,
        indices: NDArray[np.int64],
        rule: Preprocessing,
        device_kind: str,
        *,
        boxes: bool,
    ) -> None:
        self._pack, self._rule, self._kind = pack, rule, device_kind
        self._train_indices = np.unique(indices)  # in the order of the shards
        self._boxes = boxes
        self._images: Tensor | None = None
        self._preprocessing: DevicePreprocessing | None = None
        self._stream = SideStream(device_kind)

    @property
    def on_device(self) -> bool:
        """Whether the images lie on the device; known once it is open."""
        return self._images is not None

    def open(self) -> str:
        """Copy the images to the device if they fit there; say where batches are made."""
        if self._preprocessing is None:
            self._preprocessing = DevicePreprocessing(self._rule, self._kind)
            self._images = None if self._boxes else self._copy_images()
        implementation = self._preprocessing.implementation
        if self._images is not None:
            size = format_bytes(self._images.numel())
            return f"images on the device, {size}, cropped there by {implementation}"
        return f"crops copied two batches ahead from pinned memory, normalized by {implementation}"

    def batches(self, plans: Iterator[BatchPlan]) -> Iterator[Batch]:
        """Yield batches that lie on the device, ready to be used by this thread's stream.

        Args:
            plans: of the batches.
        """
        self.open()
        made = self._crop_on_device(plans) if self.on_device else self._crop_here(plans)
        used: deque[Any] = deque()
        with closing(prefetch(self._in_side_stream(made), AHEAD)) as ahead:
            for batch, ready in ahead:
                self._stream.make_available(ready, (batch.images, batch.labels))
                yield batch
                used.append(record_event(self._kind))
                if len(used) > _MAX_UNDER_WAY:
                    wait_event(used.popleft())

    def _in_side_stream(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Any]]:
        """Make each batch in the side stream; yield it with an event: from then on it is there."""
        while True:
            with self._stream.context():
                batch = next(batches, None)
                if batch is None:
                    return
                ready = record_event(self._kind)
            yield batch, ready

    def _crop_on_device(self, plans: Iterator[BatchPlan]) -> Iterator[Batch]:
        """Crop batches out of the images on the device: only the parameters are copied."""
        assert self._images is not None
        for indices, params in plans:
            positions = np.searchsorted(self._train_indices, indices)
            yield self._finish(self._images, positions, indices, params, crop=True)

    def _crop_here(self, plans: Iterator[BatchPlan]) -> Iterator[Batch]:
        """Crop on every core and copy bytes."""
        with closing(crop_in_threads(self._pack, self._rule, plans, self._kind)) as batches:
            for batch in batches:
                crops = batch.crops.to(self._kind, non_blocking=True)
                positions = np.arange(len(crops))
                yield self._finish(crops, positions, batch.indices, batch.params, crop=False)

    def _finish(
        self,
        pixels: Tensor,
        positions: NDArray[np.int64],
        indices: NDArray[np.int64],
        params: AugmentationParams,
        *,
        crop: bool,
    ) -> Batch:
        assert self._preprocessing is not None
        # One copy for all whole numbers: each copy costs more than what it carries.
        numbers = [positions, params.top, params.left, params.mirror, self._pack.labels[indices]]
        on_device = self._copy(np.stack(numbers))
        images = self._preprocessing.crop_and_normalize(
            pixels,
            on_device[:4],
            crop=crop,
            shift=None if params.shift is None else self._copy(params.shift),
            divide=params.divide,
        )
        return Batch(images, on_device[4], indices)

    def _copy(self, numbers: NDArray[Any]) -> Tensor:
        """Copy to the device; from pinned memory the copy waits for nothing and nothing for it."""
        tensor = torch.from_numpy(np.ascontiguousarray(numbers))  # pyright: ignore[reportUnknownMemberType]
        if self._kind == "cpu":
            return tensor
        return tensor.pin_memory().to(self._kind, non_blocking=True)

    def _copy_images(self) -> Tensor | None:
        """Copy all training images to the device; None where they do not fit."""
        side, count = self._rule.image_px, len(self._train_indices)
        image_bytes = 3 * side * side
        if count * image_bytes > _MEMORY_SHARE * free_bytes(self._kind):
            return None
        try:
            images = torch.empty((count, side, side, 3), dtype=torch.uint8, device=self._kind)
            step = max(1, _COPY_BYTES // image_bytes)
            with track("copying images to the device", count) as advance:
                for start in range(0, count, step):
                    part = self._train_indices[start : start + step]
                    pinned = empty_pinned((len(part), side, side, 3), torch.uint8, self._kind)
                    pinned.numpy()[...] = self._pack.read(part)
                    images[start : start + step].copy_(pinned, non_blocking=True)
                    advance(len(part))
            synchronize(self._kind)
        except torch.OutOfMemoryError:
            _log.warning(
                "The images (%s) did not fit on the device after all; another program may use "
                "it. They are copied batch by batch.",
                format_bytes(count * image_bytes),
            )
            return None
        return images
