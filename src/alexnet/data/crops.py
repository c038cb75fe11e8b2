"""Crops as bytes, cut by every core: what a device turns into numbers itself.

Legend: n pictures of a batch, c side of the crop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.accelerator import pinned
from alexnet.data.augmentation import Draw
from alexnet.data.batches import Crops, Part
from alexnet.data.pack import Pack
from alexnet.devices import cores
from alexnet.images import Preprocessing

__all__ = ["crops_by_cores"]


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
