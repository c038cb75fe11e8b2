"""Pictures in, probabilities out: the one way for validation, `evaluate` and `predict`.

Legend: N pictures, S side of the stored picture, c side of the crop, K classes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alexnet.errors import RecipeError
from alexnet.evaluation.views import crop_views, view_tensor
from alexnet.images import Preprocessing
from alexnet.models import Network

__all__ = [
    "Exactness",
    "Member",
    "evaluate_pack",
    "mean_over_views",
    "probabilities",
]

Exactness = Literal["fp32", "bf16"]
"""Precision of convolutions and products; softmax and averages are always fp32 or better."""

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


def probabilities(
    member: Member,
    pictures: NDArray[np.uint8],
    *,
    crops: int = 1,
    precision: Exactness = "fp32",
) -> NDArray[np.float32]:
    """Return what a network believes about each picture: softmax, averaged over the views.

    The network's mode and gradients are left as they were. Runs where the network lies.

    Args:
        member: network and preprocessing.
        pictures: (N, S, S, 3) uint8, RGB, as `Preprocessing.read` gives them.
        crops: 1, 5 or 10 views; see `crop_views`.
        precision: "fp32", or "bf16" for a faster and coarser answer.

    Returns:
        (N, K) float32; each row is at least 0 and sums to 1.

    Raises:
        RecipeError: another number of crops, or an unknown precision.
    """

    def softmax(x: Tensor) -> Tensor:
        return torch.softmax(member.network(x).float(), dim=1)

    found = mean_over_views(member, pictures, softmax, crops=crops, precision=precision)
    return found if member.columns is None else found[:, list(member.columns)]


def mean_over_views(
    member: Member,
    pictures: NDArray[np.uint8],
    ask: Callable[[Tensor], Tensor],
    *,
    crops: int,
    precision: Exactness,
) -> NDArray[np.float32]:
    """Ask for (N, D) numbers about each view and average them, in evaluation mode.

    Args:
        member: its network is set to evaluation mode meanwhile; its preprocessing cuts the views.
        pictures: (N, S, S, 3) uint8.
        ask: from (N, 3, c, c) to (N, D), both on the network's device.
        crops: 1, 5 or 10.
        precision: of the arithmetic inside `ask`.
    """
    views = crop_views(member.preprocessing, crops)
    device = next(member.network.parameters()).device
    total: Tensor | None = None
    with evaluating(member.network), torch.inference_mode():
        for view in views:
            x = view_tensor(pictures, member.preprocessing, view)
            with _arithmetic(device, precision):
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
    found = np.empty((len(indices), network.classes), dtype=np.float32)
    for start in range(0, len(indices), batch):
        part = indices[start : start + batch]
        found[start : start + len(part)] = probabilities(
            member, pack.read(part), crops=crops, precision=precision
        )
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


def _arithmetic(device: torch.device, precision: str) -> AbstractContextManager[object]:
    if precision == "fp32":
        return contextlib.nullcontext()
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    raise RecipeError(f'precision must be "fp32" or "bf16"; got "{precision}".')
