"""Predictions and features of a few images by a cached graph, sooner than torch is loaded.

What comes out is what torch gives, within rounding; where that cannot be, nothing comes out and
torch does it.

Legend: n images of a batch, D numbers for each.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data import ImageFiles, Pack
from alexnet.evaluation.crops import CropView, crop_view_array, crop_views
from alexnet.evaluation.graph_cache import GraphEntry
from alexnet.evaluation.graph_session import GraphFunction, onnx_runtime, open_graph
from alexnet.evaluation.stored_images import ComputedBatch, stored_images
from alexnet.images.resize import resize_without_torch
from alexnet.weights.mapped import MappedWeights, map_weights

__all__ = ["MOST_CROPS", "GraphFailure", "GraphPredictor", "map_for_graph"]

MOST_CROPS = 64
"""That are computed by a graph: of more, torch has caught up with its own loading."""

_BATCH = 8  # so few that no compiled kernel is loaded to crop them


class GraphFailure(Exception):
    """A graph gives nothing: torch is to compute, and says what is wrong where something is."""


def map_for_graph(
    weights: Path | str, *, precision: str, exact_convolutions: bool = False
) -> MappedWeights | None:
    """Map a weights file for its graph; None: torch is to compute.

    That is where it is loaded anyway, where ONNX Runtime is missing, and for anything but the
    network's own float32.

    Args:
        weights: a weights file, a run folder, or a name.
        precision: of convolutions and products.
        exact_convolutions: whether they are to be torch's own.
    """
    if "torch" in sys.modules or precision != "fp32" or exact_convolutions:
        return None
    return map_weights(weights) if onnx_runtime() is not None else None


class GraphPredictor:
    """The cached graph of a weights file, opened.

    Attributes:
        weights: the mapped file.
        entry: what is known of the graph.
    """

    def __init__(self, weights: MappedWeights, entry: GraphEntry, run: GraphFunction) -> None:
        self.weights, self.entry, self._run = weights, entry, run

    @classmethod
    def open(cls, weights: MappedWeights, output: str) -> GraphPredictor | None:
        """Open a graph; None: there is none that can be used.

        Args:
            weights: the mapped file.
            output: "probabilities"; or "features", or "features:LAYER".
        """
        opened = open_graph(weights, output)
        return None if opened is None else cls(weights, *opened)

    def batches(
        self, images: ImageFiles | Pack, indices: NDArray[np.int64], *, crops: int
    ) -> Iterator[ComputedBatch]:
        """Compute what the graph gives of images, averaged over crops, batch by batch.

        Args:
            images: gives the bytes and the name of each image; or a pack.
            indices: (N,) which images.
            crops: 1, 5 or 10.

        Raises:
            GraphFailure: none of it counts, and torch is to compute.
            RecipeError: another number of crops.
            SourceError: a pack that does not hold what the weights take.
        """
        resize_without_torch()
        rule = self.weights.preprocessing
        views = crop_views(rule, crops)
        for stored in stored_images([rule], images, indices, batch_size=_BATCH):
            numbers = np.empty((0, 0), dtype=np.float32)
            if len(stored.indices):
                numbers = self._average(stored.images[0], views)
            yield ComputedBatch(stored.indices, numbers, stored.failures)
        if not self.weights.is_unchanged():
            raise GraphFailure("the weights file changed meanwhile")

    def _average(self, images: NDArray[np.uint8], views: Sequence[CropView]) -> NDArray[np.float32]:
        """Return (n, D), the mean over the crops."""
        total = np.zeros((), dtype=np.float64)
        for view in views:
            x = crop_view_array(images, self.weights.preprocessing, view)
            try:
                total = total + self._run(x)
            except Exception as error:  # of ONNX Runtime's own kinds: out of memory, for one
                raise GraphFailure(str(error)) from error
        if not np.isfinite(total).all():
            raise GraphFailure("a number is not finite")
        return (total / len(views)).astype(np.float32)
