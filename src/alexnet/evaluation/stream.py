"""Answers for picture files: read and decoded once, asked of one or several networks, in order.

Legend: n pictures of a batch, S side of the stored picture, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alexnet.data import Pack, Readable, decoded, prefetched
from alexnet.errors import RecipeError, SourceError
from alexnet.evaluation.answers import BATCH, Ask, Exactness, Member, beliefs, probabilities
from alexnet.images import Preprocessing

__all__ = ["Answers", "Stored", "answers", "average", "stored_pictures"]

_AHEAD = 1
"""Batches of a pack that are read, or decoded again, while a batch is answered."""


@dataclass(frozen=True)
class Stored:
    """One batch of pictures as each network wants them stored."""

    indices: NDArray[np.int64]  # (n,) of the pictures that could be read
    pictures: tuple[NDArray[np.uint8], ...]  # for each preprocessing (n, S, S, 3)
    failures: list[tuple[int, str]]  # index and reason of those that could not


@dataclass(frozen=True)
class Answers:
    """What the networks believe about one batch of pictures."""

    indices: NDArray[np.int64]  # (n,)
    probabilities: NDArray[np.float32]  # (n, K)
    failures: list[tuple[int, str]]


def stored_pictures(
    rules: Sequence[Preprocessing],
    pictures: Readable | Pack,
    indices: NDArray[np.int64],
    *,
    batch: int = BATCH,
) -> Iterator[Stored]:
    """Read pictures in order, as each of several preprocessings stores them.

    Preprocessings of the same size and fit share one reading. Memory is bounded by the batch.

    Args:
        rules: one for each network.
        pictures: gives the bytes and the name of each picture; or a pack, which has them decoded.
        indices: (N,) which pictures.
        batch: pictures handed out at once.

    Raises:
        SourceError: the pack's pictures are of another size or fit than a rule's.
    """
    if isinstance(pictures, Pack):
        yield from prefetched(_packed_pictures(rules, pictures, indices, batch), _AHEAD)
        return
    distinct = list({(rule.image_px, rule.fit): rule for rule in rules}.values())
    keys = [(rule.image_px, rule.fit) for rule in distinct]
    sizes = [3 * rule.image_px**2 for rule in distinct]
    ends = np.cumsum(sizes)[:-1]

    def read(data: bytes, name: str) -> NDArray[np.uint8]:
        return np.concatenate([rule.read(data, name).ravel() for rule in distinct])

    for found, flat, failures in decoded(pictures, indices, read, batch=batch):
        parts = np.split(flat.reshape(len(found), sum(sizes)), ends, axis=1)
        squares = [
            np.ascontiguousarray(part).reshape(-1, rule.image_px, rule.image_px, 3)
            for part, rule in zip(parts, distinct, strict=True)
        ]
        each = tuple(squares[keys.index((rule.image_px, rule.fit))] for rule in rules)
        yield Stored(found, each, failures)


def _packed_pictures(
    rules: Sequence[Preprocessing], pack: Pack, indices: NDArray[np.int64], batch: int
) -> Iterator[Stored]:
    """Yield the pixels of a pack as they are: every rule must store its pictures so."""
    for rule in rules:
        if (rule.image_px, rule.fit) != (pack.image_px, pack.fit):
            raise SourceError(
                f"The pack {pack.folder or pack.where} holds pictures of {pack.image_px} pixels "
                f"({pack.fit}), and these weights take pictures of {rule.image_px} ({rule.fit}). "
                f"Name the source itself, {pack.where}, or pack it again with --image-px "
                f"{rule.image_px} --fit {rule.fit}."
            )
    for start in range(0, len(indices), batch):
        part = indices[start : start + batch]
        stored = pack.read(part)
        yield Stored(part, (stored,) * len(rules), [])


def average(
    members: Sequence[Member],
    pictures: Sequence[NDArray[np.uint8]],
    *,
    crops: int = 1,
    precision: Exactness = "fp32",
    asks: Sequence[Ask] | None = None,
) -> NDArray[np.float32]:
    """Return the mean of several networks' probabilities, weighed by their coefficients.

    Args:
        members: at least one; all answer for the same K classes in the same order.
        pictures: for each member (n, S, S, 3) uint8.
        crops: 1, 5 or 10.
        precision: see `probabilities`.
        asks: what `beliefs` returned for each member; None: made for this call alone.

    Returns:
        (n, K) float32; for one member exactly what `probabilities` returns.

    Raises:
        RecipeError: no member, or coefficients that are negative or sum to nothing.
    """
    weights = [member.coefficient for member in members]
    if not weights or min(weights) < 0 or not sum(weights) > 0:
        raise RecipeError(
            f"coefficients of an average must be at least 0 and not all 0; got {weights}."
        )
    found = [
        probabilities(member, stored, crops=crops, ask=ask)
        for member, stored, ask in zip(
            members, pictures, asks or [beliefs(each, precision) for each in members], strict=True
        )
    ]
    if len(found) == 1:
        return found[0]
    total = sum(w * p.astype(np.float64) for w, p in zip(weights, found, strict=True))
    return np.asarray(total / sum(weights), dtype=np.float32)


def answers(
    members: Sequence[Member],
    pictures: Readable | Pack,
    indices: NDArray[np.int64],
    *,
    crops: int = 1,
    batch: int = BATCH,
    precision: Exactness = "fp32",
    compiled: bool = True,
) -> Iterator[Answers]:
    """Ask one or several networks about pictures, batch by batch, in order.

    Args:
        members: see `average`.
        pictures: gives the bytes and the name of each picture; or a pack.
        indices: (N,) which pictures.
        crops: 1, 5 or 10.
        batch: pictures answered at once.
        precision: see `probabilities`.
        compiled: see `beliefs`.
    """
    asks = [beliefs(member, precision, compiled=compiled) for member in members]
    rules = [member.preprocessing for member in members]
    for stored in stored_pictures(rules, pictures, indices, batch=batch):
        believed = average(members, stored.pictures, crops=crops, asks=asks)
        yield Answers(stored.indices, believed, stored.failures)
