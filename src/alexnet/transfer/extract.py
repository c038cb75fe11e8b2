"""Features: what a layer of a trained network computes of each image, as a table.

Legend: N images, n images of a batch, D features of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data import SPLITS, ImageFiles, Pack, Source, open_source, unreadable_source
from alexnet.errors import WeightsError
from alexnet.evaluation import (
    BATCH,
    InferencePrecision,
    Member,
    PredictFunction,
    average_crop_views,
    choose_split,
    load_ensemble,
    stored_images,
)
from alexnet.models import Block, Network, default_features, for_inference
from alexnet.progress import track
from alexnet.records import FeaturesReport
from alexnet.transfer.files import FeatureRows, feature_writer

__all__ = ["FeatureBatch", "extract_features", "layer_features", "make_layer_extractor"]


@dataclass(frozen=True)
class FeatureBatch:
    """The features of one batch."""

    indices: NDArray[np.int64]  # (n,) of the images that could be read
    features: NDArray[np.float32]  # (n, D)
    failures: list[tuple[int, str]]  # index and reason of those that could not


def make_layer_extractor(
    network: Network, layer: str, precision: InferencePrecision
) -> PredictFunction:
    """Return a function from (n, 3, c, c) to a layer's output, flattened: (n, D).

    Args:
        network: in evaluation mode when the function is called.
        layer: its name; "mean:NAME" for the means of its maps, (n, C).
        precision: of the arithmetic.

    Raises:
        RecipeError: the network has no layer of this name, or it has no maps.
    """
    if layer.startswith("mean:"):
        block = Block.parse(layer)
        until_maps = for_inference(network, precision, until=block.layer)
        return lambda x: block(until_maps(x))
    until_layer = for_inference(network, precision, until=layer)
    return lambda x: until_layer(x).float().flatten(1)


def layer_features(
    member: Member,
    images: ImageFiles | Pack,
    indices: NDArray[np.int64],
    *,
    layer: str,
    crops: int = 1,
    batch_size: int = BATCH,
    precision: InferencePrecision = "fp32",
) -> Iterator[FeatureBatch]:
    """Yield a layer's output for images, batch by batch, averaged over the crops.

    The output is exactly the layer's own: "fc7" before its activation, "relu7" after it. A layer
    of maps is flattened channel by channel, or averaged over each map where it is named as
    "mean:NAME". Dropout is off, as in every evaluation.

    Raises:
        RecipeError: the network has no layer of this name.
        WeightsError: an output that is no number.
    """
    extractor = make_layer_extractor(member.network, layer, precision)
    for stored in stored_images([member.preprocessing], images, indices, batch_size=batch_size):
        features = average_crop_views(member, stored.images[0], extractor, crops=crops)
        if not np.isfinite(features).all():
            raise WeightsError(
                f'The output of the layer "{layer}" is no number for some images: the weights are '
                "not finite or overflow, as after a training that diverged. Use other weights."
            )
        yield FeatureBatch(stored.indices, features, stored.failures)


def extract_features(
    weights: Path,
    source: Path,
    *,
    out: Path,
    layer: str | None = None,
    crops: int = 1,
    split: str = "all",
    class_depth: int | None = None,
    join_classes: bool = False,
    name_encoding: str | None = None,
    batch_size: int = BATCH,
    precision: InferencePrecision = "fp32",
) -> FeaturesReport:
    """Write the features of a source's images with path, class and split, in its order.

    Args:
        weights: a weights file or run folder.
        source: folder, archive, table or pack.
        out: `.npz` or `.parquet`; replaced as a whole where it exists.
        layer: name of a layer; None: the network's own choice, the input of its
            classifier; "mean:NAME" where that is averaged over its maps.
        crops: 1, 5 or 10; the features of the crops are averaged.
        split: "train", "val", "test" or "all".
        class_depth: level of the class folders, 1 for the top ones; None: told by names and
            structure.
        join_classes: take classes for one whose names look alike (Cat, cat; 1, 1.0).
        name_encoding: of names in a zip or tar that does not say it; None: told by their bytes.
        batch_size: images of a batch.
        precision: of the arithmetic.

    Raises:
        SourceError: the source cannot be used, or none of its images can be read.
        WeightsError: the weights cannot be used.
        RecipeError: unknown layer, file suffix or number of crops.
        RunError: the disk refuses.
    """
    write = feature_writer(Path(out))
    member = load_ensemble([Path(weights)], precision=precision).members[0]
    layer = layer or default_features(member.network)
    images = open_source(
        Path(source),
        fewest_classes=1,
        class_depth=class_depth,
        join_classes=join_classes,
        name_encoding=name_encoding,
    )
    _, indices = choose_split(images.splits, split, where=source)
    batches = layer_features(
        member,
        images,
        indices,
        layer=layer,
        crops=crops,
        batch_size=batch_size,
        precision=precision,
    )
    unreadable: list[tuple[str, str]] = []
    shape = [0, 0]

    def rows() -> Iterator[FeatureRows]:
        with track("extracting features", len(indices)) as advance:
            for batch in batches:
                unreadable.extend((images.paths[i], reason) for i, reason in batch.failures)
                advance(len(batch.indices) + len(batch.failures))
                if len(batch.indices):
                    shape[:] = shape[0] + len(batch.indices), batch.features.shape[1]
                    yield _rows(images, batch)
        if not shape[0]:
            raise unreadable_source(source, unreadable)

    write(rows())
    return FeaturesReport(
        out=str(out),
        layer=layer,
        images=shape[0],
        feature_dim=shape[1],
        classes=list(images.classes),
        crops=crops,
        unreadable=unreadable,
    )


def _rows(source: Source | Pack, batch: FeatureBatch) -> FeatureRows:
    labels = source.labels[batch.indices]
    return FeatureRows(
        features=batch.features,
        paths=[source.paths[i] for i in batch.indices],
        labels=labels,
        classes=[source.classes[label] for label in labels],
        splits=[SPLITS[code] for code in source.splits[batch.indices]],
    )
