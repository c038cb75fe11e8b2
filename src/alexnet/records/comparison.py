"""What `alexnet compare` returns: classifiers on the same images, and what tells them apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alexnet.records.evaluation import Interval, percent
from alexnet.records.record import Record
from alexnet.records.reprs import html_table

__all__ = ["ComparedClassifier", "ComparisonReport", "Difference"]


@dataclass(frozen=True, kw_only=True)
class ComparedClassifier(Record):
    """One of the classifiers that are compared; fractions in 0..1, the loss in nats."""

    name: str  # run folder or weights file
    model: str
    top1: float
    top1_interval: Interval
    top5: float
    balanced_accuracy: float
    loss: float
    calibration_error: float | None
    epochs: int | None  # of its training; None: nobody knows
    seconds: float | None  # likewise
    report: str | None  # its own page


@dataclass(frozen=True, kw_only=True)
class Difference(Record):
    """Two of them, image by image."""

    first: str
    second: str
    difference: float  # top-1 accuracy of the second minus that of the first
    interval: Interval  # 95 %, paired bootstrap
    only_first: int  # images that the first alone got right
    only_second: int
    p: float  # McNemar's exact test
    p_corrected: float  # for the number of pairs (Holm)
    better: str | None  # which of them; None: that cannot be said


@dataclass(frozen=True, kw_only=True)
class ComparisonReport(Record):
    """What `compare` returns."""

    images: int
    measured_on: str  # for people: "val images of photos"
    classifiers: list[ComparedClassifier]
    differences: list[Difference]  # of every pair
    settings: dict[str, list[Any]]  # by field what differs: of each classifier, in order
    page: str | None

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a row for each classifier, and for each pair."""
        rows = [
            (each.name, percent(each.top1), percent(each.top1_interval.low), f"{each.loss:.4f}")
            for each in self.classifiers
        ]
        pairs = [
            (each.first, each.second, percent(each.difference), f"{each.p_corrected:.3g}")
            for each in self.differences
        ]
        return html_table(("classifier", "top-1", "at least", "loss"), rows) + html_table(
            ("first", "second", "second is better by", "p"), pairs
        )
