"""The loss of a batch: softmax regression, or the squared error on one-hot labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from alexnet.recipe import Loss

__all__ = ["LossFunction", "class_weights", "make_loss"]

LossFunction = Callable[[Tensor, Tensor], Tensor]
"""`loss(logits (N, K) float32, labels (N,) int64)` gives the mean loss, a scalar."""


def make_loss(
    kind: Loss, weights: NDArray[np.float32] | None = None, *, smoothing: float = 0.0
) -> LossFunction:
    """Return the loss of a batch as a mean over its images.

    Args:
        kind: "softmax": -log p of the label (paper section 3.5), in nats; "squared": half the
            squared distance of the outputs from the one-hot label, so that both have the gradient
            (output - target) at the output.
        weights: (K,) weight of each class; an image counts by the weight of its label.
        smoothing: share of each label that is spread evenly over all K classes; softmax alone.
    """
    by_class = None if weights is None else torch.from_numpy(weights)  # type: ignore[reportUnknownMemberType]

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        nonlocal by_class
        if kind == "softmax":
            losses = functional.cross_entropy(
                logits, labels, reduction="none", label_smoothing=smoothing
            )
        else:
            targets = functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
            losses = 0.5 * (logits - targets).square().sum(dim=1)
        if by_class is not None:
            by_class = by_class.to(losses.device)  # moved once: a copy would stop a CUDA graph
            losses = losses * by_class[labels]
        return losses.mean()

    return loss


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Return (K,) weights by inverse frequency whose mean over the images `labels` is 1."""
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    present = counts > 0
    weights = np.zeros(classes)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights.astype(np.float32)
