"""The features of a source as a table in a file: by torch, and of a few images by a cached graph.

Legend: N images, n images of a batch, D features of each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from alexnet.cluster import Executor
from alexnet.data import SPLITS, Source, open_source, unreadable_source
from alexnet.evaluation.graph_predictions import MOST_CROPS, GraphFailure, GraphPredictor
from alexnet.evaluation.held_out import choose_split
from alexnet.progress import track
from alexnet.records import FeaturesReport
from alexnet.transfer.files import FeatureRows, feature_writer
from alexnet.weights.mapped import MappedWeights

if TYPE_CHECKING:
    from alexnet.data import Pack
    from alexnet.evaluation import ComputedBatch, Member

__all__ = ["extract_features", "graph_output"]


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
    cache_gb: float | None = None,
    batch_size: int = 128,
    precision: Literal["fp32", "bf16"] = "fp32",
    exact_convolutions: bool = False,
    mapped: MappedWeights | None = None,
    cluster: str | Executor | None = None,
) -> tuple[FeaturesReport, Member | None]:
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
        cache_gb: as in `open_source`.
        batch_size: images of a batch.
        precision: of the arithmetic.
        exact_convolutions: see `choose_device`.
        mapped: the weights file, if its cached graph may compute what is little.
        cluster: see `open_cluster`; None: this process computes.

    Returns:
        What was written, and the network that torch computed it with; None: a graph has done it.

    Raises:
        SourceError: the source cannot be used, or none of its images can be read.
        WeightsError: the weights cannot be used.
        RecipeError: unknown layer, file suffix or number of crops.
        RunError: the disk refuses.
    """
    write = feature_writer(Path(out))
    graph = None if mapped is None else GraphPredictor.open(mapped, graph_output(layer))
    member: Member | None = None
    if graph is None:  # before the images are looked at
        member = _load_member(weights, precision, exact_convolutions)
    images = open_source(
        Path(source),
        fewest_classes=1,
        class_depth=class_depth,
        join_classes=join_classes,
        name_encoding=name_encoding,
        cache_gb=cache_gb,
    )
    _, indices = choose_split(images.splits, split, where=source)
    table = _Table(out, write, source, images, indices, crops)
    if graph is not None and crops * len(indices) <= MOST_CROPS:
        with contextlib.suppress(GraphFailure):
            computed = graph.batches(images, indices, crops=crops)
            return table.write(computed, graph.entry.output), None
    from alexnet.models import default_features
    from alexnet.transfer.extract import layer_features

    member = member or _load_member(weights, precision, exact_convolutions)
    layer = layer or default_features(member.network)
    if cluster is not None and crops * len(indices) > MOST_CROPS:
        from alexnet.transfer.feature_shards import feature_batches

        with feature_batches(
            member,
            images,
            indices,
            weights=Path(weights),
            layer=layer,
            cluster=cluster,
            out=Path(out),
            crops=crops,
            batch_size=batch_size,
            precision=precision,
        ) as merged:
            return table.write(merged, layer, tracked=False), member
    batches = layer_features(
        member,
        images,
        indices,
        layer=layer,
        crops=crops,
        batch_size=batch_size,
        precision=precision,
    )
    return table.write(batches, layer), member


def graph_output(layer: str | None) -> str:
    """Return how the cache of graphs calls the features of a layer; None: the network's choice."""
    return "features" if layer is None else f"features:{layer}"


def _load_member(
    weights: Path, precision: Literal["fp32", "bf16"], exact_convolutions: bool
) -> Member:
    from alexnet.evaluation import load_ensemble

    (member,) = load_ensemble(
        [Path(weights)], precision=precision, exact_convolutions=exact_convolutions
    ).members
    return member


@dataclass(frozen=True)
class _Table:
    """The file of features, and the images that are its rows."""

    out: Path
    write_rows: Callable[[Iterator[FeatureRows]], None]
    where: Path  # the source, for the sentence
    images: Source | Pack
    indices: NDArray[np.int64]
    crops: int

    def write(
        self, batches: Iterable[ComputedBatch], layer: str, *, tracked: bool = True
    ) -> FeaturesReport:
        """Write what was computed of the images, batch by batch.

        Args:
            batches: in order.
            layer: that was computed.
            tracked: show the progress here.

        Raises:
            SourceError: none of them can be read.
            RunError: the disk refuses.
        """
        unreadable: list[tuple[str, str]] = []
        shape = [0, 0]

        def rows() -> Iterator[FeatureRows]:
            bar = track("extracting features", len(self.indices)) if tracked else nullcontext()
            with bar as advance:
                for batch in batches:
                    failures = batch.failures
                    unreadable.extend((self.images.paths[i], reason) for i, reason in failures)
                    if advance is not None:
                        advance(len(batch.indices) + len(failures))
                    if len(batch.indices):
                        shape[:] = shape[0] + len(batch.indices), batch.numbers.shape[1]
                        yield self._rows(batch.indices, batch.numbers)
            if not shape[0]:
                raise unreadable_source(self.where, unreadable)

        self.write_rows(rows())
        return FeaturesReport(
            out=str(self.out),
            layer=layer,
            images=shape[0],
            feature_dim=shape[1],
            classes=list(self.images.classes),
            crops=self.crops,
            unreadable=unreadable,
        )

    def _rows(self, indices: NDArray[np.int64], features: NDArray[np.float32]) -> FeatureRows:
        source = self.images
        labels = source.labels[indices]
        return FeatureRows(
            features=features,
            paths=[source.paths[i] for i in indices],
            labels=labels,
            classes=[source.classes[label] for label in labels],
            splits=[SPLITS[code] for code in source.splits[indices]],
        )
