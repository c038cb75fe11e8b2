"""The features of a source in shards, computed by a cluster."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.cluster import Executor
from alexnet.data import Pack, Source
from alexnet.evaluation import ComputedBatch, InferencePrecision, Member, average_crop_views
from alexnet.evaluation.batch_shards import (
    InferenceShards,
    batches_of_shards,
    images_signature,
)
from alexnet.transfer.extract import layer_features, make_layer_extractor

__all__ = ["FeatureShards", "feature_batches"]


@dataclass(frozen=True, kw_only=True)
class FeatureShards(InferenceShards):
    """A layer's output for each image of a shard."""

    layer: str

    def compute(self, indices: NDArray[np.int64]) -> Iterator[ComputedBatch]:
        """Compute the features of some images."""
        return layer_features(
            self.members[0],
            self.images,
            indices,
            layer=self.layer,
            crops=self.crops,
            batch_size=self.batch_size,
            precision=self.precision,
        )

    def options(self) -> dict[str, Any]:
        """Return what else the features depend on."""
        return {"layer": self.layer}


@contextmanager
def feature_batches(
    member: Member,
    images: Source | Pack,
    indices: NDArray[np.int64],
    *,
    weights: Path,
    layer: str,
    cluster: str | Executor,
    out: Path,
    crops: int,
    batch_size: int,
    precision: InferencePrecision,
) -> Generator[Iterator[ComputedBatch]]:
    """Give the features of images, batch by batch, computed by a cluster.

    Args:
        member: the network as this machine computes it.
        images: of the table.
        indices: (N,) which images.
        weights: the file of the member.
        layer: its name.
        cluster: see `open_cluster`.
        out: the file that is written; shards that are done wait beside it.
        crops: see `layer_features`.
        batch_size: images of a batch.
        precision: see `layer_features`.

    Raises:
        RecipeError: the network has no layer of this name.
        AlexNetError: what `batches_of_shards` raises.
    """
    shards = FeatureShards(
        weights=(weights.absolute() if weights.exists() else weights,),
        images=images,
        indices=indices,
        crops=crops,
        batch_size=batch_size,
        precision=precision,
        forms=(member.convolutions,),
        threads=torch.get_num_threads(),
        width=_width(member, layer, precision),
        layer=layer,
    )
    with batches_of_shards(
        shards,
        cluster,
        title="extracting features",
        signature=images_signature(images),
        output=out,
    ) as batches:
        yield batches


def _width(member: Member, layer: str, precision: InferencePrecision) -> int:
    """Return how many numbers the layer computes of an image, by computing one."""
    side = member.preprocessing.image_px
    blank = np.zeros((1, side, side, 3), dtype=np.uint8)
    extractor = make_layer_extractor(member.network, layer, precision)
    return average_crop_views(member, blank, extractor, crops=1).shape[1]
