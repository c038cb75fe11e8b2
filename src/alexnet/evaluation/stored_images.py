"""Images as each preprocessing stores them, batch by batch: decoded, or out of a pack.

Legend: N images, n of a batch, S side of the stored image, D numbers of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alexnet.data import ImageFiles, Pack, decode_files, prefetch
from alexnet.errors import SourceError
from alexnet.images import Preprocessing

__all__ = ["BATCH", "ComputedBatch", "StoredBatch", "stored_images"]

BATCH = 128
"""Images of a batch. One default everywhere: figures agree to the last digit."""

_AHEAD = 1
"""Batches of a pack that are read, or decoded again, while the network computes one."""


@dataclass(frozen=True)
class StoredBatch:
    """One batch of images as each network wants them stored."""

    indices: NDArray[np.int64]  # (n,) of the images that could be read
    images: tuple[NDArray[np.uint8], ...]  # for each preprocessing (n, S, S, 3)
    failures: list[tuple[int, str]]  # index and reason of those that could not


@dataclass(frozen=True)
class ComputedBatch:
    """What a network computes of one batch: class probabilities, or the features of a layer."""

    indices: NDArray[np.int64]  # (n,) of the images that could be read
    numbers: NDArray[np.float32]  # (n, D)
    failures: list[tuple[int, str]]  # index and reason of those that could not


def stored_images(
    rules: Sequence[Preprocessing],
    images: ImageFiles | Pack,
    indices: NDArray[np.int64],
    *,
    batch_size: int = BATCH,
) -> Iterator[StoredBatch]:
    """Read images in order, as each of several preprocessings stores them.

    Preprocessings of the same size and resize mode share one reading. Memory is bounded by the
    batch.

    Args:
        rules: one for each network.
        images: gives the bytes and the name of each image; or a pack, which has them decoded.
        indices: (N,) which images.
        batch_size: images of a batch.

    Raises:
        SourceError: the pack's images are of another size or resize mode than a rule's.
    """
    if isinstance(images, Pack):
        yield from prefetch(_packed_images(rules, images, indices, batch_size), _AHEAD)
        return
    distinct = list({_reading(rule): rule for rule in rules}.values())
    keys = [_reading(rule) for rule in distinct]
    sizes = [3 * rule.image_px**2 for rule in distinct]
    ends = np.cumsum(sizes)[:-1]

    def read(data: bytes, name: str) -> NDArray[np.uint8]:
        return np.concatenate([rule.read(data, name).ravel() for rule in distinct])

    for readable, flat, failures in decode_files(images, indices, read, batch_size=batch_size):
        parts = np.split(flat.reshape(len(readable), sum(sizes)), ends, axis=1)
        squares = [
            np.ascontiguousarray(part).reshape(-1, rule.image_px, rule.image_px, 3)
            for part, rule in zip(parts, distinct, strict=True)
        ]
        of_rules = tuple(squares[keys.index(_reading(rule))] for rule in rules)
        yield StoredBatch(readable, of_rules, failures)


def _reading(rule: Preprocessing) -> tuple[int, str, bool]:
    """Return what decides how an image file is read."""
    return rule.image_px, rule.resize_mode, rule.gray


def _packed_images(
    rules: Sequence[Preprocessing], pack: Pack, indices: NDArray[np.int64], batch_size: int
) -> Iterator[StoredBatch]:
    """Yield the pixels of a pack as they are: every rule must store its images so."""
    for rule in rules:
        if (rule.image_px, rule.resize_mode) != (pack.image_px, pack.resize_mode):
            raise SourceError(
                f"The pack {pack.folder or pack.where} holds images of {pack.image_px} pixels "
                f"({pack.resize_mode}), and these weights take images of {rule.image_px} "
                f"({rule.resize_mode}). Name the source itself, {pack.where}, or pack it again "
                f"with --image-px {rule.image_px} --resize-mode {rule.resize_mode}."
            )
    starts = range(0, len(indices), batch_size)
    parts = (indices[start : start + batch_size] for start in starts)
    for part in pack.read_ahead(parts, lambda part: part):
        pixels = pack.read(part)
        stored = tuple(rule.as_stored(pixels) for rule in rules)
        yield StoredBatch(part, stored, [])
