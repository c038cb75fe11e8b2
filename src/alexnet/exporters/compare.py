"""An exported file and the weights that it was made of, side by side on the same pictures.

Legend: N pictures, n of a batch, S side of the stored picture, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alexnet.evaluation import Member, Tally, mean_over_views
from alexnet.exporters.request import ExportRequest, Runnable, handed_over
from alexnet.images import Preprocessing
from alexnet.weights import Weights

__all__ = ["Answer", "Batch", "Comparison", "asked", "compare", "made_pictures", "reference"]

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From stored pictures, (n, S, S, 3) uint8, to (n, K)."""

Batch = tuple[NDArray[np.uint8], NDArray[np.int64] | None]
"""Stored pictures, and their classes as positions in those of the weights where they have some."""

_OCTAVES = 6


@dataclass
class Comparison:
    """What was found on all pictures so far."""

    classes: tuple[str, ...]
    pictures: int = 0
    same_class: int = 0
    logits: bool = False  # whether the numbers are these and not probabilities
    moved_in_all: float = 0.0  # probability that went from one class to another, over all pictures
    farthest: float = 0.0  # largest difference of two numbers
    largest: float = 0.0  # largest number
    before: Tally = field(init=False)
    after: Tally = field(init=False)

    def __post_init__(self) -> None:
        self.before, self.after = Tally(self.classes), Tally(self.classes)

    @property
    def difference(self) -> float:
        """The largest difference, over the largest number where that is above 1."""
        return self.farthest / max(1.0, self.largest)

    @property
    def moved(self) -> float:
        """The share of probability that went from one class to another, in the mean picture."""
        return self.moved_in_all / max(1, self.pictures)

    def add(
        self,
        wanted: NDArray[np.float32],
        found: NDArray[np.float32],
        labels: NDArray[np.int64] | None,
    ) -> None:
        """Count one batch: (n, K) of the weights and of the file, and (n,) true classes."""
        self.pictures += len(wanted)
        before, after = self._believed(wanted), self._believed(found)
        self.moved_in_all += float(np.abs(before - after).sum()) / 2
        self.same_class += int((wanted.argmax(1) == found.argmax(1)).sum())
        apart = np.abs(wanted - found)
        # What is not a number is as far away as can be.
        self.farthest = max(self.farthest, float(np.nan_to_num(apart, nan=np.inf).max()))
        self.largest = max(self.largest, float(np.abs(wanted).max()))
        if labels is not None:
            self.before.add(before, labels)
            self.after.add(after, labels)

    def _believed(self, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return probabilities."""
        return torch.softmax(torch.from_numpy(numbers), 1).numpy() if self.logits else numbers


def compare(
    wanted: Answer,
    found: Answer,
    batches: Iterator[Batch],
    classes: tuple[str, ...],
    *,
    logits: bool = False,
) -> Comparison:
    """Ask both about the same pictures, batch by batch; `logits`: that is what they answer with."""
    comparison = Comparison(classes, logits=logits)
    for pictures, labels in batches:
        comparison.add(wanted(pictures), found(pictures), labels)
    return comparison


def reference(weights: Weights, request: ExportRequest) -> Answer:
    """Return what the weights answer here, in fp32 on this processor, on the central crop."""
    network = weights.network()
    member = Member(network, weights.preprocessing)

    def ask(x: Tensor) -> Tensor:
        logits = network(x).float()
        return torch.softmax(logits, dim=1) if request.gives == "probabilities" else logits

    return partial(mean_over_views, member, ask=ask, crops=1)


def asked(file: Runnable, rule: Preprocessing, request: ExportRequest) -> Answer:
    """Return what a written file answers for stored pictures, handed over as it takes them."""
    if file.weights is not None:
        return reference(file.weights, request)
    run = file.run
    assert run is not None
    return lambda pictures: run(handed_over(pictures, rule, request.takes))


def made_pictures(image_px: int, count: int = 12) -> NDArray[np.uint8]:
    """Make pictures with the statistics of photographs: noise of all scales, always the same.

    Returns:
        (count, S, S, 3) uint8.
    """
    draw = np.random.default_rng(2012)
    pictures = np.full((count, 3, image_px, image_px), 120.0)
    for octave in range(_OCTAVES):
        coarse = draw.normal(size=(count, 3, 2 + 2**octave, 2 + 2**octave)) * 60 / (octave + 1)
        size = (image_px, image_px)
        fine = torch.nn.functional.interpolate(torch.from_numpy(coarse), size, mode="bicubic")
        pictures += fine.numpy()
    whole = pictures.clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(whole.transpose(0, 2, 3, 1))
