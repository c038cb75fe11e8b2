"""An exported file and the weights that it was made of, side by side on the same images.

Legend: N images, n of a batch, S side of the stored image, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alexnet.evaluation import Member, MetricAccumulator, average_crop_views
from alexnet.exporters.request import ExportedModel, ExportRequest, prepare_input
from alexnet.images import Preprocessing
from alexnet.weights import Weights

__all__ = [
    "Batch",
    "Comparison",
    "ImagePredictor",
    "compare",
    "exported_predictor",
    "reference_predictor",
    "synthetic_images",
]

ImagePredictor = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From stored images, (n, S, S, 3) uint8, to (n, K)."""

Batch = tuple[NDArray[np.uint8], NDArray[np.int64] | None]
"""Stored images, and their classes as positions in those of the weights where they have some."""

_OCTAVES = 6


@dataclass
class Comparison:
    """How far two predictors are apart on all images so far."""

    classes: tuple[str, ...]
    logits: bool = False  # whether they return these and not probabilities
    images: int = 0
    same_class: int = 0
    total_shift: float = 0.0  # total variation distance, over all images
    max_abs_difference: float = 0.0
    max_abs_value: float = 0.0
    before: MetricAccumulator = field(init=False)
    after: MetricAccumulator = field(init=False)

    def __post_init__(self) -> None:
        self.before, self.after = MetricAccumulator(self.classes), MetricAccumulator(self.classes)

    @property
    def difference(self) -> float:
        """The largest difference, over the largest number where that is above 1."""
        return self.max_abs_difference / max(1.0, self.max_abs_value)

    @property
    def probability_shift(self) -> float:
        """The probability that moved from one class to another, in the mean image."""
        return self.total_shift / max(1, self.images)

    def add(
        self,
        reference: NDArray[np.float32],
        exported: NDArray[np.float32],
        labels: NDArray[np.int64] | None,
    ) -> None:
        """Count one batch: (n, K) of the weights and of the file, and (n,) true classes."""
        self.images += len(reference)
        before, after = self._probabilities(reference), self._probabilities(exported)
        self.total_shift += float(np.abs(before - after).sum()) / 2
        self.same_class += int((reference.argmax(1) == exported.argmax(1)).sum())
        difference = np.nan_to_num(np.abs(reference - exported), nan=np.inf)  # NaN is never near
        self.max_abs_difference = max(self.max_abs_difference, float(difference.max()))
        self.max_abs_value = max(self.max_abs_value, float(np.abs(reference).max()))
        if labels is not None:
            self.before.update(before, labels)
            self.after.update(after, labels)

    def _probabilities(self, output: NDArray[np.float32]) -> NDArray[np.float32]:
        return torch.softmax(torch.from_numpy(output), 1).numpy() if self.logits else output


def compare(
    reference: ImagePredictor,
    exported: ImagePredictor,
    batches: Iterator[Batch],
    classes: tuple[str, ...],
    *,
    logits: bool = False,
) -> Comparison:
    """Apply both to the same images, batch by batch; `logits`: that is what they return."""
    comparison = Comparison(classes, logits=logits)
    for images, labels in batches:
        comparison.add(reference(images), exported(images), labels)
    return comparison


def reference_predictor(weights: Weights, request: ExportRequest) -> ImagePredictor:
    """Return what the weights compute here, in fp32 on this processor, of the central crop."""
    network = weights.network()
    member = Member(network, weights.preprocessing)

    def predictor(x: Tensor) -> Tensor:
        logits = network(x).float()
        return torch.softmax(logits, dim=1) if request.output_type == "probabilities" else logits

    return partial(average_crop_views, member, predictor=predictor, crops=1)


def exported_predictor(
    model: ExportedModel, rule: Preprocessing, request: ExportRequest
) -> ImagePredictor:
    """Return what a written file computes of stored images, prepared as its input."""
    if model.weights is not None:
        return reference_predictor(model.weights, request)
    run = model.run
    assert run is not None
    return lambda images: run(prepare_input(images, rule, request.input_type))


def synthetic_images(image_px: int, count: int = 12) -> NDArray[np.uint8]:
    """Make images with the statistics of photographs: noise of all scales, the same in every call.

    Returns:
        (count, S, S, 3) uint8.
    """
    draw = np.random.default_rng(2012)
    images = np.full((count, 3, image_px, image_px), 120.0)
    for octave in range(_OCTAVES):
        coarse = draw.normal(size=(count, 3, 2 + 2**octave, 2 + 2**octave)) * 60 / (octave + 1)
        size = (image_px, image_px)
        fine = torch.nn.functional.interpolate(torch.from_numpy(coarse), size, mode="bicubic")
        images += fine.numpy()
    whole = images.clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(whole.transpose(0, 2, 3, 1))
