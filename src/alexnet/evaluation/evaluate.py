"""Evaluating on a pack: the validation inside training, and of weights after it.

Legend: N images, n of them chosen, S side of the stored image, K classes.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.data import Pack, prefetch
from alexnet.devices import Device, convolving
from alexnet.distributed import add_up, world
from alexnet.evaluation.metrics import compute_metrics
from alexnet.evaluation.predict import InferencePrecision, Member, make_predictor, probabilities
from alexnet.evaluation.stored_images import BATCH
from alexnet.images import Preprocessing
from alexnet.models import Network
from alexnet.records import Results
from alexnet.weights import Weights

__all__ = ["evaluate_pack", "evaluate_weights"]


class PackedImages(Protocol):
    """What `evaluate_pack` needs of a `Pack`."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) class of each image."""
        ...

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return (n, S, S, 3) uint8."""
        ...


def evaluate_pack(
    network: Network,
    preprocessing: Preprocessing,
    pack: PackedImages,
    indices: NDArray[np.int64],
    *,
    crops: int = 1,
    batch_size: int = BATCH,
    precision: InferencePrecision = "fp32",
    together: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Predict some images of a pack.

    Args:
        network: any mode; left as it was.
        preprocessing: of the network; its `image_px` is the pack's.
        pack: where the stored images lie.
        indices: (n,) which of them, in the order of the result.
        crops: 1, 5 or 10.
        batch_size: images of a batch.
        precision: see `probabilities`.
        together: every process that there is calls this, and takes some of the batches; all get
            the whole result, to the bit what one process computes with as many threads.

    Returns:
        (n, K) float32 probabilities and (n,) int64 labels.
    """
    member = Member(network, preprocessing)
    predictor = make_predictor(member, precision)
    predicted = np.zeros((len(indices), network.classes), dtype=np.float32)
    rank, size = (world().rank, world().size) if together else (0, 1)
    starts = range(rank * batch_size, len(indices), size * batch_size)
    batches = prefetch((pack.read(indices[i : i + batch_size]) for i in starts), ahead=1)
    for start, images in zip(starts, batches, strict=True):
        predicted[start : start + len(images)] = probabilities(
            member, images, crops=crops, predictor=predictor
        )
    if size > 1:  # every row is zeros but in one process
        with world().naming_the_lost("validating"):
            predicted = add_up(torch.from_numpy(predicted)).numpy()  # pyright: ignore[reportUnknownMemberType]
    return predicted, pack.labels[indices]


def evaluate_weights(
    weights: Weights,
    pack: Pack,
    indices: NDArray[np.int64],
    device: Device,
    *,
    crops: int,
    batch_size: int = BATCH,
) -> tuple[Results, NDArray[np.float32]]:
    """Measure weights on images of a pack, whose classes are theirs; return (N, K) as well."""
    network = weights.network(copy=False)
    device.place(network)
    with convolving(device.convolutions):
        predicted, labels = evaluate_pack(
            network, weights.preprocessing, pack, indices, crops=crops, batch_size=batch_size
        )
    return compute_metrics(predicted, labels, pack.classes, crops=crops), predicted
