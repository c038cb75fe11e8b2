"""Features: what a layer of a trained network says about each picture, as a table of numbers.

Legend: N pictures, n pictures of a batch, D numbers for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data import SPLITS, Pack, Readable, Source, nothing_readable, open_source
from alexnet.evaluation import (
    BATCH,
    Ask,
    Exactness,
    Member,
    choose_split,
    mean_over_views,
    stored_pictures,
)
from alexnet.evaluation.ensemble import load_ensemble
from alexnet.models import Network, for_inference
from alexnet.progress import track
from alexnet.records import FeaturesReport
from alexnet.transfer.files import FeatureRows, feature_writer

__all__ = ["Features", "extract_features", "layer_features", "layer_numbers"]


@dataclass(frozen=True)
class Features:
    """The features of one batch."""

    indices: NDArray[np.int64]  # (n,) of the pictures that could be read
    numbers: NDArray[np.float32]  # (n, D)
    failures: list[tuple[int, str]]  # index and reason of those that could not


def layer_numbers(network: Network, layer: str, precision: Exactness) -> Ask:
    """Return what makes a layer's output of pictures, laid out flat: a row of numbers of each.

    Raises:
        RecipeError: the network has no layer of this name.
    """
    made = for_inference(network, precision, until=layer)
    return lambda x: made(x).float().flatten(1)


def layer_features(
    member: Member,
    pictures: Readable | Pack,
    indices: NDArray[np.int64],
    *,
    layer: str,
    crops: int = 1,
    batch: int = BATCH,
    precision: Exactness = "fp32",
) -> Iterator[Features]:
    """Yield a layer's output for picture files, batch by batch, averaged over the views.

    The output is exactly the layer's own: "fc7" before its activation, "relu7" after it. A layer
    of maps is laid out flat, channel by channel. Dropout is off, as in every evaluation.

    Raises:
        RecipeError: the network has no layer of this name.
    """
    ask = layer_numbers(member.network, layer, precision)
    for stored in stored_pictures([member.preprocessing], pictures, indices, batch=batch):
        numbers = mean_over_views(member, stored.pictures[0], ask, crops=crops)
        yield Features(stored.indices, numbers, stored.failures)


def extract_features(
    weights: Path,
    source: Path,
    *,
    out: Path,
    layer: str | None = None,
    crops: int = 1,
    split: str = "all",
    batch: int = BATCH,
    precision: Exactness = "fp32",
) -> FeaturesReport:
    """Write the features of a source's pictures with path, class and split, in its order.

    Args:
        weights: a weights file or run folder.
        source: folder, archive, table or pack.
        out: `.npz` or `.parquet`; replaced as a whole where it exists.
        layer: name of a layer; None: the network's own choice, its last hidden one.
        crops: 1, 5 or 10; the features of the views are averaged.
        split: "train", "val", "test" or "all".
        batch: pictures at once.
        precision: of the arithmetic.

    Raises:
        SourceError: the source cannot be used, or none of its pictures can be read.
        WeightsError: the weights cannot be used.
        RecipeError: unknown layer, kind of file or number of crops.
        RunError: the disk refuses.
    """
    write = feature_writer(Path(out))
    member = load_ensemble([Path(weights)], precision=precision).members[0]
    layer = layer or member.network.features_layer
    opened = open_source(Path(source), fewest_classes=1)
    _, indices = choose_split(opened.splits, split, where=source)
    unreadable: list[tuple[str, str]] = []
    shape = [0, 0]

    def rows() -> Iterator[FeatureRows]:
        stream = layer_features(
            member, opened, indices, layer=layer, crops=crops, batch=batch, precision=precision
        )
        with track("taking features", len(indices)) as advance:
            for part in stream:
                unreadable.extend((opened.paths[i], reason) for i, reason in part.failures)
                advance(len(part.indices) + len(part.failures))
                if len(part.indices):
                    shape[:] = shape[0] + len(part.indices), part.numbers.shape[1]
                    yield _rows(opened, part)
        if not shape[0]:
            raise nothing_readable(source, unreadable)

    write(rows())
    return FeaturesReport(
        out=str(out),
        layer=layer,
        images=shape[0],
        numbers=shape[1],
        classes=list(opened.classes),
        crops=crops,
        unreadable=unreadable,
    )


def _rows(source: Source | Pack, part: Features) -> FeatureRows:
    labels = source.labels[part.indices]
    return FeatureRows(
        features=part.numbers,
        paths=[source.paths[i] for i in part.indices],
        labels=labels,
        classes=[source.classes[label] for label in labels],
        splits=[SPLITS[code] for code in source.splits[part.indices]],
    )
