"""What the report of a run is drawn from, as one value: predictions, figures, settings.

Legend: N evaluated images, K classes, F filters of k x k pixels, S side of a stored image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import RunError
from alexnet.images import Preprocessing
from alexnet.records import Epoch, Results

__all__ = ["ReadImage", "ReportData", "describe_preprocessing"]

ReadImage = Callable[[int], "NDArray[np.uint8] | None"]
"""Gives the stored (S, S, 3) RGB image of evaluated item i, or None where it is gone."""


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """All that `write_report` needs. Names, paths and words may hold anything: all is escaped.

    Args:
        title: what the page is called, such as the run's or the source's name.
        command: the command that makes the run again.
        split: which split was evaluated: "train", "val", "test" or "all".
        recipe: the recipe's fields as plain values (`Recipe.to_json()`).
        epochs: the journal's epochs, in order; may be empty.
        results: what was measured on the N images.
        paths: N names of images, as the source gives them.
        labels: (N,) int64, true classes in 0..K-1.
        probabilities: (N, K) float32, each row sums to 1.
        classes: K names, in the order of the probabilities.
        image: gives the stored image of item i in 0..N-1, (S, S, 3) uint8 RGB, or None.
        class_words: words for class names that are codes; may be empty.
        filters: (F, 3, k, k) float32 kernels of the first layer, RGB, or None; three times the sum
            over the colors where the images are gray, since nothing else of them counts then.
        no_filters: why there are none, as a sentence; shown in their place.
        facts: short facts by name. "images", "training time", "images/s" and "machine" stand in
            the headline, the others (precision, memory, versions) under the settings.
        preprocessing: a word or sentence for each step by name.
        split_sizes: images in each split.
        skipped: images that could not be read: path and reason.
        notes: sentences worth reading before the figures are trusted.
        baselines: this run and others on the same images, as plain values (`Baseline.to_json()`),
            in the order in which they are shown; may be empty.
        ways: those that were tried, as plain values (`WayScore.to_json()`); may be empty.
        why: the reason of the choice, as a sentence without its period.

    Raises:
        RunError: the lengths and shapes do not fit together.
    """

    title: str
    command: str
    split: str
    recipe: Mapping[str, Any]
    epochs: Sequence[Epoch]
    results: Results
    paths: Sequence[str]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    classes: Sequence[str]
    image: ReadImage
    class_words: Mapping[str, str] = field(default_factory=dict[str, str])
    filters: NDArray[np.float32] | None = None
    no_filters: str = "The first layer is not a convolution over colors."
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    preprocessing: Mapping[str, str] = field(default_factory=dict[str, str])
    split_sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    skipped: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    baselines: Sequence[Mapping[str, Any]] = ()
    ways: Sequence[Mapping[str, Any]] = ()
    why: str = ""

    def __post_init__(self) -> None:
        n, k = len(self.paths), len(self.classes)
        problem = None
        if self.labels.shape != (n,):
            problem = f"labels have the shape {self.labels.shape}, not ({n},), one for each path"
        elif self.probabilities.shape != (n, k):
            problem = (
                f"probabilities have the shape {self.probabilities.shape}, not ({n}, {k}), one row "
                "for each path and one column for each class"
            )
        elif n and (self.labels.min() < 0 or self.labels.max() >= k):
            problem = f"labels lie outside of 0..{k - 1}"
        elif np.asarray(self.results.confusion).shape != (k, k):
            problem = f"the confusion matrix is not {k} x {k}"
        elif len(self.results.per_class) != k:
            problem = f"{len(self.results.per_class)} classes were scored, not {k}"
        elif self.filters is not None and (self.filters.ndim, self.filters.shape[1:2]) != (4, (3,)):
            problem = f"filters have the shape {self.filters.shape}, not (F, 3, k, k)"
        if problem:
            raise RunError(f"The data for the report does not fit together: {problem}.")

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) the most probable class of each image; among equals the first."""
        return np.nan_to_num(self.probabilities, nan=-1.0).argmax(axis=1).astype(np.int64)

    @cached_property
    def predicted_probability(self) -> NDArray[np.float32]:
        """(N,) probability of the predicted class."""
        return self.probabilities[np.arange(len(self.labels)), self.predicted]

    @cached_property
    def label_probability(self) -> NDArray[np.float32]:
        """(N,) probability of the true class."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """(N,) whether the predicted class is the true one."""
        return self.predicted == self.labels

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """(K, K) counts, true class by predicted class."""
        return np.asarray(self.results.confusion, dtype=np.int64)

    def name(self, k: int) -> str:
        """Return the words of class k in full, or its name where it has none."""
        return self.class_words.get(self.classes[k]) or self.classes[k]

    def short_name(self, k: int) -> str:
        """Return the first of several words ("goldfish, Carassius auratus" is "goldfish")."""
        words = self.class_words.get(self.classes[k])
        return words.split(",")[0].strip() or words if words else self.classes[k]


def describe_preprocessing(preprocessing: Preprocessing) -> dict[str, str]:
    """Return a phrase for each step by its name, in the order in which they are done."""
    side, crop = preprocessing.image_px, preprocessing.crop_px
    resized = {
        "crop": f"the shorter side becomes {side} pixels, the central square is kept",
        "squash": f"both sides become {side} pixels, whatever their proportions",
        "pad": f"the longer side becomes {side} pixels, the rest is mid-gray",
    }
    channels = {"RGB": "red, green, blue", "BGR": "blue, green, red"}
    return {
        "decode": "to 8 bits in red, green and blue, upright as the camera noted",
        "resize": resized[preprocessing.resize_mode],
        "crop": (
            "the whole square"
            if crop == side
            else f"{crop} × {crop} pixels, the center; in training as drawn"
        ),
        "subtract": _describe_mean(preprocessing),
        "divide by": (
            "nothing"
            if preprocessing.std is None
            else f"the deviation of each channel: {_levels(preprocessing.std)}"
        ),
        "channels": channels[preprocessing.order],
    }


def _describe_mean(preprocessing: Preprocessing) -> str:
    mean = preprocessing.mean
    if mean is None:
        return "nothing"
    if mean.ndim == 1:
        return f"the mean color of the training images: {_levels(mean)}"
    where = "its center crop" if preprocessing.mean_at == "center" else "cropped where the image is"
    return f"the mean image of the training images, {where}"


def _levels(values: NDArray[np.float32]) -> str:
    return ", ".join(f"{float(value):.1f}" for value in values)
