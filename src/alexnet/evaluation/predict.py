"""Pictures in, probabilities out: the one way for validation, `evaluate` and `predict`.

Legend: N pictures, S side of the stored picture, c side of the crop, K classes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alexnet.data import Pack, Readable, decoded, prefetched
from alexnet.devices import Device
from alexnet.errors import RecipeError, SourceError
from alexnet.evaluation.crops import crop_views, view_tensor
from alexnet.evaluation.metrics import measure
from alexnet.images import Preprocessing
from alexnet.models import Exactness, Network, for_inference
from alexnet.records import Results
from alexnet.weights import Weights

__all__ = [
    "Answers",
    "Ask",
    "Exactness",
    "Member",
    "Stored",
    "answers",
    "average",
    "beliefs",
    "evaluate_pack",
    "evaluate_weights",
    "mean_over_views",
    "probabilities",
    "stored_pictures",
]

Ask = Callable[[Tensor], Tensor]
"""From (N, 3, c, c), one view of each picture, to (N, D) float32; both on the network's device."""

BATCH = 128
"""Pictures answered at once. One default everywhere: figures agree to the last digit."""


class PackedPictures(Protocol):
    """What `evaluate_pack` needs of a `Pack`."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) class of each picture."""
        ...

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return (n, S, S, 3) uint8."""
        ...


@dataclass(frozen=True)
class Member:
    """One network of an ensemble, with the preprocessing that it was trained with."""

    network: Network
    preprocessing: Preprocessing
    coefficient: float = 1.0  # its weight in the average; the weights are divided by their sum
    columns: tuple[int, ...] | None = None  # its answers in the ensemble's order; None: as they are


def beliefs(member: Member, precision: Exactness = "fp32", *, compiled: bool = True) -> Ask:
    """Lay a network out for answers, once for many batches: what it returns is softmax's (N, K).

    Args:
        member: its weights must stay as they are meanwhile.
        precision: "fp32", or "bf16" for a faster and coarser answer; softmax is always fp32.
        compiled: False: without kernels that take half a second to load, for a few pictures.

    Raises:
        RecipeError: an unknown precision.
    """
    logits = for_inference(member.network, precision, compiled=compiled)
    return lambda x: torch.softmax(logits(x).float(), dim=1)


def probabilities(
    member: Member,
    pictures: NDArray[np.uint8],
    *,
    crops: int = 1,
    precision: Exactness = "fp32",
    ask: Ask | None = None,
) -> NDArray[np.float32]:
    """Return what a network believes about each picture: softmax, averaged over the views.

    The network's mode and gradients are left as they were. Runs where the network lies.

    Args:
        member: network and preprocessing.
        pictures: (N, S, S, 3) uint8, RGB, as `Preprocessing.read` gives them.
        crops: 1, 5 or 10 views; see `crop_views`.
        precision: "fp32", or "bf16" for a faster and coarser answer.
        ask: what `beliefs` returned for this member; None: it is made, for this call alone.

    Returns:
        (N, K) float32; each row is at least 0 and sums to 1.

    Raises:
        RecipeError: another number of crops, or an unknown precision.
    """
    found = mean_over_views(member, pictures, ask or beliefs(member, precision), crops=crops)
    return found if member.columns is None else found[:, list(member.columns)]


def mean_over_views(
    member: Member,
    pictures: NDArray[np.uint8],
    ask: Ask,
    *,
    crops: int,
) -> NDArray[np.float32]:
    """Ask for (N, D) numbers about each view and average them, in evaluation mode.

    Args:
        member: its network is set to evaluation mode meanwhile; its preprocessing cuts the views.
        pictures: (N, S, S, 3) uint8.
        ask: of the network, such as `beliefs` returns.
        crops: 1, 5 or 10.
    """
    views = crop_views(member.preprocessing, crops)
    device = next(member.network.parameters()).device
    total: Tensor | None = None
    with evaluating(member.network), torch.inference_mode():
        for view in views:
            x = view_tensor(pictures, member.preprocessing, view)
            answer = ask(x.to(device)).double()
            total = answer if total is None else total + answer
    if total is None:
        raise RecipeError("a picture needs at least one view.")
    return (total / len(views)).float().cpu().numpy()


def evaluate_pack(
    network: Network,
    preprocessing: Preprocessing,
    pack: PackedPictures,
    indices: NDArray[np.int64],
    *,
    crops: int = 1,
    batch: int = BATCH,
    precision: Exactness = "fp32",
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Answer for some pictures of a pack: the validation inside training.

    Args:
        network: any mode; left as it was.
        preprocessing: of the network; its `image_px` is the pack's.
        pack: where the stored pictures lie.
        indices: (n,) which of them, in the order of the answer.
        crops: 1, 5 or 10.
        batch: pictures answered at once.
        precision: see `probabilities`.

    Returns:
        (n, K) float32 probabilities and (n,) int64 labels.
    """
    member = Member(network, preprocessing)
    ask = beliefs(member, precision)
    found = np.empty((len(indices), network.classes), dtype=np.float32)
    starts = range(0, len(indices), batch)
    stored = prefetched((pack.read(indices[i : i + batch]) for i in starts), ahead=1)
    for start, pictures in zip(starts, stored, strict=True):
        found[start : start + len(pictures)] = probabilities(member, pictures, crops=crops, ask=ask)
    return found, pack.labels[indices]


@contextlib.contextmanager
def evaluating(network: torch.nn.Module) -> Generator[None]:
    """Set a network to evaluation mode and give each of its layers its own mode back."""
    modes = [(layer, layer.training) for layer in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


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


def evaluate_weights(
    weights: Weights,
    pack: Pack,
    indices: NDArray[np.int64],
    device: Device,
    *,
    crops: int,
    batch: int = BATCH,
) -> tuple[Results, NDArray[np.float32]]:
    """Measure weights on images of a pack, whose classes are theirs; return (N, K) as well."""
    network = weights.network()
    device.place(network)
    predicted, labels = evaluate_pack(
        network, weights.preprocessing, pack, indices, crops=crops, batch=batch
    )
    return measure(predicted, labels, pack.classes, crops=crops), predicted
