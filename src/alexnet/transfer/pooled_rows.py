"""Features of several layers at once, of images in a pack.

Legend: n images, D features, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.data import Pack
from alexnet.devices import Device
from alexnet.errors import WeightsError
from alexnet.evaluation import BATCH, crop_view_tensor, crop_views
from alexnet.images import Preprocessing
from alexnet.models import Network, PooledFeatures, evaluating

__all__ = ["PooledRows", "pooled_rows"]


@dataclass(frozen=True)
class PooledRows:
    """What a network computes of n images, each seen at its center."""

    features: NDArray[np.float32]  # (n, D)
    scores: NDArray[np.float32]  # (n, K) logits of the network's own classes


def pooled_rows(
    network: Network,
    preprocessing: Preprocessing,
    pack: Pack,
    indices: NDArray[np.int64],
    pooling: PooledFeatures,
    *,
    mirror: bool,
    device: Device,
    advance: Callable[[int], object] = lambda images: None,
) -> PooledRows:
    """Compute the features of some images, one center crop each.

    Args:
        network: on the device; set to evaluation mode meanwhile.
        preprocessing: of the network; its `image_px` is the pack's.
        pack: the images.
        indices: (n,) which of them.
        pooling: what makes features of the layers' outputs.
        mirror: whether the images are mirrored left to right.
        device: place and form of the arithmetic.
        advance: called with the number of images after each batch.

    Raises:
        WeightsError: an output that is no number.
    """
    (center,) = crop_views(preprocessing)
    view = replace(center, mirror=mirror)
    layers = (*pooling.layers, network.scores_layer)
    features: list[NDArray[np.float32]] = []
    scores: list[NDArray[np.float32]] = []
    for start in range(0, len(indices), BATCH):
        images = pack.read(indices[start : start + BATCH])
        with evaluating(network), torch.inference_mode(), device.arithmetic():
            x = crop_view_tensor(images, preprocessing, view).to(device.kind)
            outputs = network.outputs(x, layers)
            features.append(pooling(outputs).cpu().numpy())
            scores.append(outputs[network.scores_layer].float().flatten(1).cpu().numpy())
        advance(len(images))
    rows = PooledRows(np.concatenate(features), np.concatenate(scores))
    if not (np.isfinite(rows.features).all() and np.isfinite(rows.scores).all()):
        raise WeightsError(
            "The network's output is no number for some images: the weights are not finite or "
            "overflow, as after a training that diverged. Use other weights."
        )
    return rows
