"""What a head is fitted on: features of a layer, classes, and which images belong together.

Legend: n images, D features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alexnet.data import Pack, burst_groups
from alexnet.devices import Device
from alexnet.evaluation import BATCH, InferencePrecision, Member
from alexnet.models import backbone_of, default_features
from alexnet.progress import track
from alexnet.transfer.extract import layer_features
from alexnet.weights import Weights

__all__ = ["HeadRows", "extract_rows", "join_rows"]


@dataclass(frozen=True)
class HeadRows:
    """Some images of a pack, as a head sees them."""

    layer: str  # whose output the features are
    indices: NDArray[np.int64]  # (n,) in the pack
    features: NDArray[np.float32]  # (n, D)
    labels: NDArray[np.int64]  # (n,) classes 0..K-1
    groups: NDArray[np.int64]  # (n,) as `burst_groups` gives them


def extract_rows(
    base: Weights,
    pack: Pack,
    indices: NDArray[np.int64],
    *,
    layer: str | None,
    device: Device,
    batch_size: int = BATCH,
    precision: InferencePrecision = "fp32",
) -> HeadRows:
    """Compute the features of some images, one center crop each.

    Args:
        base: weights whose network makes the features; a head that they have is left out.
        pack: its images are stored as the weights want them.
        indices: (n,) which images.
        layer: name of a layer; None: the network's own choice.
        device: where the network runs.
        batch_size: images at once.
        precision: of the network's arithmetic.
    """
    body = backbone_of(base.network())
    device.place(body)
    layer = layer or default_features(body)
    parts: list[NDArray[np.float32]] = []
    with track("extracting features", len(indices)) as advance:
        batches = layer_features(
            Member(body, base.preprocessing, convolutions=device.convolutions),
            pack,
            indices,
            layer=layer,
            batch_size=batch_size,
            precision=precision,
        )
        for batch in batches:
            parts.append(batch.numbers)
            advance(len(batch.indices))
    features = np.concatenate(parts)
    groups = burst_groups(pack, indices, features)
    return HeadRows(layer, indices, features, pack.labels[indices], groups)


def join_rows(pack: Pack, one: HeadRows, other: HeadRows) -> HeadRows:
    """Return the rows of both, in the order of the pack; what belongs together is found again."""
    indices = np.concatenate([one.indices, other.indices])
    order = np.argsort(indices)
    features = np.concatenate([one.features, other.features])[order]
    labels = np.concatenate([one.labels, other.labels])[order]
    groups = burst_groups(pack, indices[order], features)
    return replace(one, indices=indices[order], features=features, labels=labels, groups=groups)
