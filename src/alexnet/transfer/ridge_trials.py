"""Heads on pooled features, each tried on images that it was not fitted on.

Legend: n images, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alexnet.models import Block, Head, Network
from alexnet.transfer.pooled_rows import PooledRows
from alexnet.transfer.ridge import PENALTIES, LinearFit, choose_penalty, fit_ridge, ridge_head

__all__ = [
    "RidgeChoice",
    "RidgeTrials",
    "Views",
    "averaged_head",
    "fit_head_of_views",
    "scores_head",
]


@dataclass(frozen=True)
class Views:
    """Features of the same n images as they are, and mirrored left to right."""

    plain: PooledRows
    mirrored: PooledRows


@dataclass(frozen=True)
class RidgeChoice:
    """How a head is fitted, and the temperature of its logits."""

    mirror: bool  # whether it is fitted on the mirrored images, too
    penalty: float
    temperature: float


class RidgeTrials:
    """Fits heads with every penalty, with mirrored images and without, fold by fold.

    Args:
        images: n.
        classes: K.
    """

    def __init__(self, images: int, classes: int) -> None:
        self._classes = classes
        self._keys = [(mirror, penalty) for mirror in (False, True) for penalty in PENALTIES]
        self._logits = {key: np.zeros((images, classes)) for key in self._keys}

    def fit(
        self,
        views: Views,
        labels: NDArray[np.int64],
        train: NDArray[np.int64],
        held_out: NDArray[np.int64],
    ) -> None:
        """Fit on some images, and keep the logits of others.

        Args:
            views: of the n images.
            labels: (n,).
            train: positions to fit on.
            held_out: positions to predict.
        """
        for mirror in (False, True):
            fits = _fit(views, labels, self._classes, train, mirror=mirror, penalties=PENALTIES)
            for penalty, fit in zip(PENALTIES, fits, strict=True):
                logits = fit.logits(views.plain.features[held_out])
                self._logits[mirror, penalty][held_out] = logits

    def choose(
        self, labels: NDArray[np.int64], measured: NDArray[np.int64]
    ) -> tuple[RidgeChoice, NDArray[np.float64]]:
        """Return the choice with the smallest log loss on images that were predicted.

        Args:
            labels: (n,).
            measured: positions of those images.

        Returns:
            The choice, and (n, K) logits over the temperature.
        """
        logits = [self._logits[key][measured] for key in self._keys]
        best, temperature = choose_penalty(logits, labels[measured])
        mirror, penalty = self._keys[best]
        chosen = RidgeChoice(mirror, penalty, temperature)
        return chosen, self._logits[mirror, penalty] / temperature


def fit_head_of_views(
    views: Views,
    labels: NDArray[np.int64],
    classes: int,
    choice: RidgeChoice,
    blocks: Sequence[Block],
) -> Head:
    """Fit the chosen head on all images of the views.

    Args:
        views: of n images.
        labels: (n,).
        classes: K.
        choice: what was chosen on folds of them.
        blocks: that the features are made of.
    """
    rows = np.arange(len(labels))
    penalties = (choice.penalty,)
    (fit,) = _fit(views, labels, classes, rows, mirror=choice.mirror, penalties=penalties)
    chosen = {"penalty": choice.penalty, "mirror": choice.mirror}
    return ridge_head(fit, blocks, temperature=choice.temperature, chosen=chosen)


def averaged_head(head: Head, scores: str, temperature: float) -> Head:
    """Return a head whose logits are half its own, half the network's over a temperature.

    Args:
        head: on pooled features.
        scores: the layer that gives the network's logits.
        temperature: of these.
    """
    assert head.pooling is not None
    tensors = {name: each.numpy() for name, each in head.named_buffers()}
    own = np.eye(head.classes, dtype=np.float32) / temperature
    fit = LinearFit(
        weight=np.concatenate([tensors["weight"], own], axis=1),
        bias=tensors["bias"],
        shift=np.concatenate([tensors["shift"], np.zeros(head.classes, np.float32)]),
    )
    fit = replace(fit, weight=fit.weight / 2, bias=fit.bias / 2)
    blocks = (*head.pooling.blocks, Block(scores, raw=True))
    chosen = {**head.settings["chosen"], "scores_temperature": temperature}
    return ridge_head(fit, blocks, temperature=1.0, chosen=chosen)


def scores_head(network: Network, temperature: float) -> Head:
    """Return a head whose logits are the network's own over a temperature.

    Args:
        network: for the classes of the head.
        temperature: above 0.
    """
    zeros = np.zeros(network.classes, np.float32)
    fit = LinearFit(np.eye(network.classes, dtype=np.float32), bias=zeros, shift=zeros)
    blocks = [Block(network.scores_layer, raw=True)]
    return ridge_head(fit, blocks, temperature=temperature, chosen={})


def _fit(
    views: Views,
    labels: NDArray[np.int64],
    classes: int,
    rows: NDArray[np.int64],
    *,
    mirror: bool,
    penalties: Sequence[float],
) -> list[LinearFit]:
    features = views.plain.features[rows]
    if mirror:
        features = np.concatenate([features, views.mirrored.features[rows]])
    own = np.tile(labels[rows], 2) if mirror else labels[rows]
    return fit_ridge(features, own, classes, penalties)
