"""What a report is drawn from, as one value: every answer, every figure, nothing of the drawing.

Legend: N evaluated pictures, K classes, F filters of k x k pixels, S side of a stored picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import RunError
from alexnet.records import Epoch, Results

__all__ = ["PictureOf", "ReportEvidence"]

PictureOf = Callable[[int], "NDArray[np.uint8] | None"]
"""Gives the stored (S, S, 3) RGB picture of evaluated item i, or None where it is gone."""


@dataclass(frozen=True, kw_only=True)
class ReportEvidence:
    """All that `write_report` needs. Names, paths and words may hold anything: all is escaped.

    Args:
        title: what the page is called, such as the run's or the source's name.
        command: the command that makes the run again.
        split: which split was evaluated: "train", "val", "test" or "all".
        recipe: the recipe's fields as plain values (`Recipe.to_json()`).
        epochs: the journal's epochs, in order; may be empty.
        results: what was measured on the N pictures.
        paths: N names of pictures, as the source gives them.
        labels: (N,) int64, true classes in 0..K-1.
        probabilities: (N, K) float32, each row sums to 1.
        classes: K names, in the order of the probabilities.
        picture: gives the stored picture of item i in 0..N-1, (S, S, 3) uint8 RGB, or None.
        class_words: words for class names that are codes; may be empty.
        filters: (F, 3, k, k) float32 kernels of the first layer, RGB, or None; three times the sum
            over the colours where the pictures are grey, since nothing else of them counts then.
        no_filters: why there are none, as a sentence; shown in their place.
        facts: short facts by name. "pictures", "training time", "images/s" and "machine" stand in
            the headline, the others (precision, memory, versions) under what was done.
        preprocessing: from file to numbers, a word or sentence for each step by name.
        split_sizes: pictures in each split.
        skipped: pictures that could not be read: path and reason.
        notes: sentences worth reading before the figures are believed.
        compared: other ways to a classifier, as plain values (`Compared.to_json()`), this one first
            or last; may be empty.

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
    picture: PictureOf
    class_words: Mapping[str, str] = field(default_factory=dict[str, str])
    filters: NDArray[np.float32] | None = None
    no_filters: str = "The first layer is not a convolution over colours."
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    preprocessing: Mapping[str, str] = field(default_factory=dict[str, str])
    split_sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    skipped: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    compared: Sequence[Mapping[str, Any]] = ()

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
            raise RunError(f"The evidence for the report does not fit together: {problem}.")

    @cached_property
    def answered(self) -> NDArray[np.int64]:
        """(N,) the most probable class of each picture; among equals the first."""
        return np.nan_to_num(self.probabilities, nan=-1.0).argmax(axis=1).astype(np.int64)

    @cached_property
    def answered_probability(self) -> NDArray[np.float32]:
        """(N,) probability of the answer."""
        return self.probabilities[np.arange(len(self.labels)), self.answered]

    @cached_property
    def true_probability(self) -> NDArray[np.float32]:
        """(N,) probability that the true class was given."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """(N,) whether the answer is the true class."""
        return self.answered == self.labels

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """(K, K) counts, true class by answered class."""
        return np.asarray(self.results.confusion, dtype=np.int64)

    def name(self, k: int) -> str:
        """Return the words of class k in full, or its name where it has none."""
        return self.class_words.get(self.classes[k]) or self.classes[k]

    def short_name(self, k: int) -> str:
        """Return the first of several words ("goldfish, Carassius auratus" is "goldfish")."""
        words = self.class_words.get(self.classes[k])
        return words.split(",")[0].strip() or words if words else self.classes[k]
