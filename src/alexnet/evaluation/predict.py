"""Images in, class probabilities out: the one way for validation, `evaluate` and `predict`.

Legend: N images, n of a batch, S side of the stored image, c side of the crop, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alexnet.data import ImageFiles, Pack
from alexnet.devices import ConvolutionForm, convolving
from alexnet.errors import RecipeError
from alexnet.evaluation.crops import crop_view_tensor, crop_views
from alexnet.evaluation.stored_images import BATCH, ComputedBatch, stored_images
from alexnet.images import Preprocessing
from alexnet.models import (
    FullyConnected,
    InferencePrecision,
    Network,
    evaluating,
    for_inference,
)

__all__ = [
    "InferencePrecision",
    "Member",
    "PredictFunction",
    "average_crop_views",
    "average_members",
    "make_predictor",
    "predict_batches",
    "probabilities",
]

PredictFunction = Callable[[Tensor], Tensor]
"""From (N, 3, c, c), one crop of each image, to (N, D) float32; both on the network's device."""


@dataclass(frozen=True)
class Member:
    """One network of an ensemble, with the preprocessing that it was trained with."""

    network: Network
    preprocessing: Preprocessing
    coefficient: float = 1.0  # its weight in the average; the weights are divided by their sum
    columns: tuple[int, ...] | None = None  # its classes in the ensemble's order; None: the same
    convolutions: ConvolutionForm | None = None  # None: the form of whoever prepares to predict


def make_predictor(
    member: Member,
    precision: InferencePrecision = "fp32",
    *,
    compiled: bool = True,
    fully_connected: FullyConnected | None = None,
) -> PredictFunction:
    """Prepare a network for inference, once for many batches; it returns softmax's (N, K).

    Args:
        member: its weights must stay as they are meanwhile.
        precision: "fp32", or "bf16", which is faster and coarser; softmax is always fp32.
        compiled: False: without kernels that take half a second to load, for a few images.
        fully_connected: how weights of fully connected layers are kept; see `for_inference`.

    Raises:
        RecipeError: an unknown precision, or way to keep weights.
    """
    with convolving(member.convolutions if compiled else "torch"):
        logits = for_inference(
            member.network, precision, compiled=compiled, fully_connected=fully_connected
        )
    return lambda x: torch.softmax(logits(x).float(), dim=1)


def probabilities(
    member: Member,
    images: NDArray[np.uint8],
    *,
    crops: int = 1,
    precision: InferencePrecision = "fp32",
    predictor: PredictFunction | None = None,
) -> NDArray[np.float32]:
    """Return a network's class probabilities: softmax, averaged over the crops.

    The network's mode and gradients are left as they were. Runs where the network lies.

    Args:
        member: network and preprocessing.
        images: (N, S, S, 3) uint8, RGB, as `Preprocessing.read` gives them.
        crops: 1, 5 or 10; see `crop_views`.
        precision: "fp32", or "bf16", which is faster and coarser.
        predictor: what `make_predictor` returned for this member; None: made for this call alone.

    Returns:
        (N, K) float32; each row is at least 0 and sums to 1.

    Raises:
        RecipeError: another number of crops, or an unknown precision.
    """
    predictor = predictor or make_predictor(member, precision)
    averaged = average_crop_views(member, images, predictor, crops=crops)
    return averaged if member.columns is None else averaged[:, list(member.columns)]


def average_crop_views(
    member: Member, images: NDArray[np.uint8], predictor: PredictFunction, *, crops: int
) -> NDArray[np.float32]:
    """Apply a predictor to each crop and average what it returns, in evaluation mode.

    Args:
        member: its network is set to evaluation mode meanwhile; its preprocessing cuts the crops.
        images: (N, S, S, 3) uint8.
        predictor: of the network, such as `make_predictor` returns.
        crops: 1, 5 or 10.

    Returns:
        (N, D) float32.
    """
    views = crop_views(member.preprocessing, crops)
    device = next(member.network.parameters()).device
    total: Tensor | None = None
    with evaluating(member.network), torch.inference_mode():
        for view in views:
            x = crop_view_tensor(images, member.preprocessing, view)
            predicted = predictor(x.to(device)).double()
            total = predicted if total is None else total + predicted
    if total is None:
        raise RecipeError("an image needs at least one crop.")
    return (total / len(views)).float().cpu().numpy()


def average_members(
    members: Sequence[Member],
    images: Sequence[NDArray[np.uint8]],
    *,
    crops: int = 1,
    precision: InferencePrecision = "fp32",
    predictors: Sequence[PredictFunction] | None = None,
) -> NDArray[np.float32]:
    """Return the mean of several networks' probabilities, weighed by their coefficients.

    Args:
        members: at least one; all know the same K classes in the same order.
        images: for each member (n, S, S, 3) uint8.
        crops: 1, 5 or 10.
        precision: see `probabilities`.
        predictors: what `make_predictor` returned for each member; None: made for this call alone.

    Returns:
        (n, K) float32; for one member exactly what `probabilities` returns.

    Raises:
        RecipeError: no member, or coefficients that are negative or sum to nothing.
    """
    weights = [member.coefficient for member in members]
    if not weights or min(weights) < 0 or not sum(weights) > 0:
        raise RecipeError(
            f"coefficients of an average must be at least 0 and not all 0; got "
            f"{', '.join(f'{weight:g}' for weight in weights) or 'none'}."
        )
    predictors = predictors or [make_predictor(member, precision) for member in members]
    predicted = [
        probabilities(member, stored, crops=crops, predictor=predictor)
        for member, stored, predictor in zip(members, images, predictors, strict=True)
    ]
    if len(predicted) == 1:
        return predicted[0]
    total = sum(w * p.astype(np.float64) for w, p in zip(weights, predicted, strict=True))
    return np.asarray(total / sum(weights), dtype=np.float32)


def predict_batches(
    members: Sequence[Member],
    images: ImageFiles | Pack,
    indices: NDArray[np.int64],
    *,
    crops: int = 1,
    batch_size: int = BATCH,
    precision: InferencePrecision = "fp32",
    compiled: bool = True,
    fully_connected: FullyConnected | None = None,
) -> Iterator[ComputedBatch]:
    """Predict images with one or several networks, batch by batch, in order.

    Args:
        members: see `average_members`.
        images: gives the bytes and the name of each image; or a pack.
        indices: (N,) which images.
        crops: 1, 5 or 10.
        batch_size: images of a batch.
        precision: see `probabilities`.
        compiled: see `make_predictor`.
        fully_connected: see `make_predictor`.
    """
    predictors = [
        make_predictor(member, precision, compiled=compiled, fully_connected=fully_connected)
        for member in members
    ]
    rules = [member.preprocessing for member in members]
    for stored in stored_images(rules, images, indices, batch_size=batch_size):
        averaged = average_members(members, stored.images, crops=crops, predictors=predictors)
        yield ComputedBatch(stored.indices, averaged, stored.failures)
