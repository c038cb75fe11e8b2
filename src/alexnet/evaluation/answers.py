"""Pictures in, probabilities out: the one way for validation, `evaluate` and `predict`.

Legend: N pictures, S side of the stored picture, c side of the crop, K classes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alexnet.data import prefetched
from alexnet.errors import RecipeError
from alexnet.evaluation.views import crop_views, view_tensor
from alexnet.images import Preprocessing
from alexnet.models import Exactness, Network, for_inference

__all__ = [
    "Ask",
    "Exactness",
    "Member",
    "beliefs",
    "evaluate_pack",
    "mean_over_views",
    "probabilities",
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
