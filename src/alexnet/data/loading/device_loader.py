"""Batches for an accelerator: cut there, out of all the pictures, where they fit; else here.

Either way a thread is two batches ahead, and what it asks of the device, copies and kernels, goes
into a queue beside the training's. The training's queue waits for a batch on the device, not the
program for it.

Legend: N training pictures, n pictures of a batch, S side of a stored picture, c side of the crop.
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

from alexnet.data.loading.augmentation import Draw
from alexnet.data.loading.batch import Batch, Crops, Part, prefetched
from alexnet.data.packs.pack import Pack
from alexnet.devices import Lane, cores, finish, free_bytes, mark, pinned, reach
from alexnet.images import Finisher, Preprocessing
from alexnet.progress import track
from alexnet.text import bytes_in_words

__all__ = ["AHEAD", "Feeder", "crops_by_cores"]


def crops_by_cores(
    pack: Pack, rule: Preprocessing, parts: Iterator[Part], device_kind: str = "cpu"
) -> Generator[Crops]:
    """Yield batches of bytes, each cut by several threads while the next one is drawn.

    Args:
        pack: where the stored pictures lie.
        rule: says the sizes.
        parts: what the batches are made of.
        device_kind: where they are going to be copied: pinned memory for "cuda".
    """
    under_way: deque[tuple[Crops, list[Future[None]]]] = deque()
    with ThreadPoolExecutor(cores(), thread_name_prefix="crops") as pool:
        for indices, draw in parts:
            c = rule.crop_px
            crops = pinned((len(indices), c, c, 3), torch.uint8, device_kind)
            found = Crops(crops, draw, pack.labels[indices], indices)
            under_way.append((found, _cut_by(pool, pack, rule, found)))
            if len(under_way) > 1:
                yield _done(*under_way.popleft())
        while under_way:
            yield _done(*under_way.popleft())


def _cut_by(
    pool: ThreadPoolExecutor, pack: Pack, rule: Preprocessing, crops: Crops
) -> list[Future[None]]:
    """Let threads cut a batch, each a part of it."""
    count = len(crops.indices)
    step = -(-count // cores())
    parts = [slice(first, first + step) for first in range(0, count, step)]
    into: NDArray[np.uint8] = crops.crops.numpy()
    return [
        pool.submit(_cut, pack, rule, crops.indices[part], _some(crops.draw, part), into[part])
        for part in parts
    ]


def _cut(
    pack: Pack,
    rule: Preprocessing,
    indices: NDArray[np.int64],
    draw: Draw,
    into: NDArray[np.uint8],
) -> None:
    rule.cut(pack.stored(indices), draw.top, draw.left, draw.mirror, draw.boxes, into=into)


def _some(draw: Draw, part: slice) -> Draw:
    boxes = None if draw.boxes is None else draw.boxes[part]
    return Draw(draw.top[part], draw.left[part], draw.mirror[part], None, draw.divide, boxes)


def _done(crops: Crops, tasks: list[Future[None]]) -> Crops:
    """Return crops when they are cut."""
    for task in tasks:
        task.result()
    return crops


AHEAD = 2
"""Batches prepared before they are asked for."""

_SHARE = 0.5  # of the device's free memory; the rest is for activations, gradients and velocities,
# which are not there yet when the pictures are copied
_PIECE = 64 << 20  # bytes that are copied at once
_BEHIND = 4  # batches that the program may be ahead of the device, each holding its memory

_log = logging.getLogger(__name__)


class Feeder:
    """Makes batches on a device, of the same numbers that `Preprocessing.numbers` gives.

    Args:
        pack: where the stored pictures lie.
        indices: (N,) the training pictures in the pack.
        rule: from stored pixels to the network's input.
        device_kind: "cuda"; or "cpu", where it gives the same without being faster.
        boxes: whether crops are resized from boxes of any size, which only the cores do.
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
        self._held = np.unique(indices)  # in the order of the shards
        self._boxes = boxes
        self._pictures: Tensor | None = None
        self._finisher: Finisher | None = None
        self._lane = Lane(device_kind)

    @property
    def on_device(self) -> bool:
        """Whether the pictures lie on the device; known once it is open."""
        return self._pictures is not None

    def open(self) -> str:
        """Copy the pictures to the device if they fit there; say where batches are cut."""
        if self._finisher is None:
            self._finisher = Finisher(self._rule, self._kind)
            self._pictures = None if self._boxes else self._copied()
        form = self._finisher.form
        if self._pictures is not None:
            size = bytes_in_words(self._pictures.numel())
            return f"pictures on the device, {size}, cut there by {form}"
        return f"pictures copied two batches ahead from pinned memory, finished by {form}"

    def batches(self, parts: Iterator[Part]) -> Iterator[Batch]:
        """Yield batches that lie on the device, ready to be used by this thread's queue.

        Args:
            parts: what the batches are made of.
        """
        self.open()
        made = self._cut_there(parts) if self.on_device else self._cut_here(parts)
        used: deque[Any] = deque()
        with closing(prefetched(self._beside(made), AHEAD)) as ahead:
            for batch, ready in ahead:
                self._lane.hand_over(ready, (batch.images, batch.labels))
                yield batch
                used.append(mark(self._kind))
                if len(used) > _BEHIND:
                    reach(used.popleft())

    def _beside(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Any]]:
        """Ask for each batch on the lane, and mark where it is ready."""
        while True:
            with self._lane.beside():
                batch = next(batches, None)
                if batch is None:
                    return
                ready = mark(self._kind)
            yield batch, ready

    def _cut_there(self, parts: Iterator[Part]) -> Iterator[Batch]:
        """Cut batches out of the pictures on the device: only the draws travel."""
        assert self._pictures is not None
        for indices, draw in parts:
            where = np.searchsorted(self._held, indices)
            yield self._finished(self._pictures, where, indices, draw, cut=True)

    def _cut_here(self, parts: Iterator[Part]) -> Iterator[Batch]:
        """Cut bytes on every core and send them."""
        with closing(crops_by_cores(self._pack, self._rule, parts, self._kind)) as cut:
            for found in cut:
                crops = found.crops.to(self._kind, non_blocking=True)
                where = np.arange(len(crops))
                yield self._finished(crops, where, found.indices, found.draw, cut=False)

    def _finished(
        self,
        pixels: Tensor,
        where: NDArray[np.int64],
        indices: NDArray[np.int64],
        draw: Draw,
        *,
        cut: bool,
    ) -> Batch:
        assert self._finisher is not None
        labels = self._pack.labels[indices]
        told = self._sent(np.stack([where, draw.top, draw.left, draw.mirror, labels]))
        images = self._finisher.numbers(
            pixels,
            told[:4],
            cut=cut,
            shift=None if draw.shift is None else self._sent(draw.shift),
            divide=draw.divide,
        )
        return Batch(images, told[4], indices)

    def _sent(self, numbers: NDArray[Any]) -> Tensor:
        """Copy to the device; from pinned memory the copy waits for nothing and nothing for it."""
        found = torch.from_numpy(np.ascontiguousarray(numbers))  # pyright: ignore[reportUnknownMemberType]
        if self._kind == "cpu":
            return found
        return found.pin_memory().to(self._kind, non_blocking=True)

    def _copied(self) -> Tensor | None:
        """Copy all training pictures to the device; None where they do not fit."""
        side, count = self._rule.image_px, len(self._held)
        each = 3 * side * side
        if count * each > _SHARE * free_bytes(self._kind):
            return None
        try:
            found = torch.empty((count, side, side, 3), dtype=torch.uint8, device=self._kind)
            step = max(1, _PIECE // each)
            with track("copying pictures to the device", count) as advance:
                for start in range(0, count, step):
                    part = self._held[start : start + step]
                    piece = pinned((len(part), side, side, 3), torch.uint8, self._kind)
                    piece.numpy()[...] = self._pack.read(part)
                    found[start : start + step].copy_(piece, non_blocking=True)
                    advance(len(part))
            finish(self._kind)
        except torch.OutOfMemoryError:
            _log.warning(
                "The pictures (%s) did not fit on the device after all; another program may use "
                "it. They are copied batch by batch.",
                bytes_in_words(count * each),
            )
            return None
        return found
