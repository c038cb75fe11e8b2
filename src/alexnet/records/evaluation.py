"""What evaluating, predicting and extracting features return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from alexnet.records.record import Record

__all__ = [
    "ClassScore",
    "FeaturesReport",
    "Interval",
    "Prediction",
    "Predictions",
    "Results",
]


@dataclass(frozen=True, kw_only=True)
class Interval(Record):
    """A 95 % confidence interval of an accuracy (Wilson)."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class ClassScore(Record):
    """Metrics of one class, in 0..1; None where there is nothing to count."""

    name: str
    images: int
    recall: float | None  # top-1, of the images of this class
    precision: float | None  # of the predictions of this class
    top5: float | None


@dataclass(frozen=True, kw_only=True)
class Results(Record):
    """Metrics of an evaluation: fractions in 0..1, the loss in nats."""

    images: int
    classes: list[str]
    crops: int
    top1: float
    top5: float
    top1_interval: Interval
    top5_interval: Interval
    loss: float
    balanced_accuracy: float
    per_class: list[ClassScore]
    confusion: list[list[int]]  # [true class][predicted class]
    missing_classes: list[str] = field(default_factory=list[str])  # known to the weights, not here
    unreadable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # path, reason
    majority_rate: float = 0.0  # accuracy of always predicting the class of the most images here

    @property
    def majority_class(self) -> str:
        """The class of the most images here."""
        return max(self.per_class, key=lambda score: score.images).name

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Results:
        """Read what `to_json` gave; older ones lack the majority rate."""
        largest = max((each["images"] for each in values["per_class"]), default=0)
        values = {"majority_rate": largest / max(values["images"], 1), **values}
        fields: dict[str, Any] = {
            **values,
            "top1_interval": Interval(**values["top1_interval"]),
            "top5_interval": Interval(**values["top5_interval"]),
            "per_class": [ClassScore(**each) for each in values["per_class"]],
            "unreadable": [(path, reason) for path, reason in values["unreadable"]],
        }
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class Prediction(Record):
    """The prediction for one image, most probable class first; `error` where it cannot be read."""

    path: str
    classes: list[str] = field(default_factory=list[str])
    probabilities: list[float] = field(default_factory=list[float])
    rejected: bool = False  # the top-1 probability is under `reject_below`
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Predictions(Record):
    """The predictions for some images, in the order in which they were named."""

    predictions: list[Prediction]
    crops: int
    reject_below: float | None = None
    class_words: dict[str, str] = field(default_factory=dict[str, str])  # what class names mean
    csv: str | None = None  # where the same rows were written; "-" is standard output


@dataclass(frozen=True, kw_only=True)
class FeaturesReport(Record):
    """What `features` wrote: a row for each readable image."""

    out: str
    layer: str
    images: int
    feature_dim: int  # columns: features of each image
    classes: list[str]
    crops: int
    unreadable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # path, reason
