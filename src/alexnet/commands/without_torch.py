"""Rows of predictions: a few images by a cached graph, everything else by torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from alexnet.progress import track
from alexnet.records import Prediction

if TYPE_CHECKING:
    from alexnet.evaluation import ComputedBatch, Member
    from alexnet.evaluation.inputs import NamedImages
    from alexnet.weights.mapped import MappedWeights

__all__ = [
    "PredictionRequest",
    "keep_features_graph",
    "making_graphs_later",
    "predict_some",
]

_FEW_CROPS = 32  # that are predicted sooner than the compiled kernels are loaded

Answer = tuple[list[Prediction], dict[str, str]]
"""The rows in order, and what class names mean."""


@dataclass(frozen=True, kw_only=True)
class PredictionRequest:
    """What `predict` is called with, after its checks."""

    weights: Path
    also: Sequence[Path]
    images: Sequence[Path | str]
    top: int
    reject_below: float | None
    crops: int
    precision: Literal["fp32", "bf16"]
    batch_size: int
    exact_convolutions: bool = False
    cluster: str | None = None
    csv: Path | None = None  # beside it shards wait that are done


_later: ContextVar[list[Callable[[], None]] | None] = ContextVar("graphs_later", default=None)


@contextlib.contextmanager
def making_graphs_later() -> Generator[None]:
    """Make the graphs that are asked for in the block at its end: after the answer is printed."""
    works: list[Callable[[], None]] = []
    token = _later.set(works)
    try:
        yield
    finally:
        _later.reset(token)
    for work in works:
        work()


def predict_some(request: PredictionRequest) -> Answer:
    """Predict images with one or several weights.

    Where torch is not loaded yet and the images are few, a graph of the cache does it; torch
    makes that graph for the next call where there is none.

    Raises:
        WeightsError: the weights cannot be used, or do not belong together.
        SourceError: a value that is no image at all.
        RecipeError: a setting cannot work.
    """
    from alexnet.evaluation.graph_predictions import map_for_graph

    mapped = None
    if not request.also:
        mapped = map_for_graph(
            request.weights,
            precision=request.precision,
            exact_convolutions=request.exact_convolutions,
        )
    if mapped is None:
        return _by_torch(request, None)
    from alexnet.evaluation.graph_predictions import MOST_CROPS
    from alexnet.evaluation.inputs import NamedImages

    inputs = NamedImages(request.images)
    if request.crops * len(inputs.paths) > MOST_CROPS:
        return _by_torch(request, inputs)
    return _by_graph(request, mapped, inputs) or _by_torch(request, inputs, mapped)


def keep_features_graph(
    mapped: MappedWeights, layer: str | None, member: Member, crops: int
) -> None:
    """Make the graph of a layer for the next time, where torch has just computed a few images.

    Args:
        mapped: the weights, mapped before they were loaded.
        layer: as it was asked for; None: the network's own choice.
        member: the network that computed them.
        crops: that were computed.
    """
    from alexnet.evaluation.graph_predictions import MOST_CROPS
    from alexnet.exporters.onnx.cached import keep_graph
    from alexnet.transfer.feature_table import graph_output

    if crops <= MOST_CROPS:
        rule = member.preprocessing
        _make(partial(keep_graph, mapped, graph_output(layer), member.network, rule))


def _make(graph: Callable[[], None]) -> None:
    """Make a graph, now or at the end of the block that puts them off."""
    works = _later.get()
    if works is None:
        graph()
    else:
        works.append(graph)


def _by_graph(
    request: PredictionRequest, mapped: MappedWeights, inputs: NamedImages
) -> Answer | None:
    """Predict by the cached graph; None: there is none, or it gives nothing."""
    from alexnet.evaluation.graph_cache import PROBABILITIES
    from alexnet.evaluation.graph_predictions import GraphFailure, GraphPredictor

    predictor = GraphPredictor.open(mapped, PROBABILITIES)
    if predictor is None:
        return None
    with contextlib.suppress(GraphFailure):
        with track("predicting", len(inputs.paths)) as advance:
            batches = predictor.batches(inputs, inputs.indices, crops=request.crops)
            rows = _rows(batches, inputs, request, tuple(mapped.header["classes"]))
            advance(len(rows))
        return rows, mapped.header["class_words"]
    return None


def _by_torch(
    request: PredictionRequest, inputs: NamedImages | None, mapped: MappedWeights | None = None
) -> Answer:
    """Predict by torch, and make the graph of mapped weights for the next time."""
    from alexnet.evaluation import load_ensemble
    from alexnet.evaluation.batch_shards import predicting
    from alexnet.evaluation.graph_predictions import MOST_CROPS
    from alexnet.evaluation.inputs import NamedImages
    from alexnet.evaluation.prediction_rows import NO_NUMBER

    inputs = inputs or NamedImages(request.images)
    compiled = request.crops * len(inputs.paths) > _FEW_CROPS
    ensemble = load_ensemble(
        [request.weights, *request.also],
        precision=request.precision,
        # For a few images torch's are the fastest, and nothing is measured.
        exact_convolutions=request.exact_convolutions or not compiled,
    )
    with predicting(
        ensemble.members,
        inputs,
        inputs.indices,
        title="predicting",
        weights=[request.weights, *request.also],
        signature=lambda: inputs.signature,
        cluster=request.cluster if request.crops * len(inputs.paths) > MOST_CROPS else None,
        output=request.csv,
        crops=request.crops,
        batch_size=request.batch_size,
        precision=request.precision,
        compiled=compiled,
    ) as batches:
        rows = _rows(batches, inputs, request, ensemble.classes)
    if mapped is not None and not any(row.error == NO_NUMBER for row in rows):
        from alexnet.evaluation.graph_cache import PROBABILITIES
        from alexnet.exporters.onnx.cached import keep_graph

        (member,) = ensemble.members
        rule = member.preprocessing
        _make(partial(keep_graph, mapped, PROBABILITIES, member.network, rule))
    return rows, ensemble.class_words


def _rows(
    batches: Iterable[ComputedBatch],
    inputs: NamedImages,
    request: PredictionRequest,
    classes: tuple[str, ...],
) -> list[Prediction]:
    """Return a row for each image, in the order given."""
    from alexnet.evaluation.prediction_rows import named_prediction

    rows: dict[int, Prediction] = {}
    for batch in batches:
        for index, reason in batch.failures:
            rows[index] = Prediction(path=inputs.paths[index], error=reason)
        indices: list[int] = batch.indices.tolist()
        for index, row in zip(indices, batch.numbers, strict=True):
            path = inputs.paths[index]
            rows[index] = named_prediction(path, row, classes, request.top, request.reject_below)
    return [rows[index] for index in range(len(rows))]
