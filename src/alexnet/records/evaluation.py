"""What evaluating, predicting and extracting features return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from alexnet.records.record import Record
from alexnet.records.reprs import html_table

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
    calibration_error: float | None = None  # of the predicted class's probability; None: unknown
    majority_rate: float = 0.0  # accuracy of always predicting the class of the most images here

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the accuracy, and a row for each class."""
        interval = self.top1_interval
        rows = [
            (each.name, each.images, percent(each.recall), percent(each.precision))
            for each in self.per_class
        ]
        head = (
            f"<p>top-1 {percent(self.top1)} ({percent(interval.low)} to {percent(interval.high)}), "
            f"top-5 {percent(self.top5)}, {self.images:,} images</p>"
        )
        return head + html_table(("class", "images", "recall", "precision"), rows)

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

    def _repr_html_(self) -> str:
        """Return what a notebook shows: image, class and probability."""
        rows = [(each.path, *_shown(each, self.class_words)) for each in self.predictions]
        return html_table(("image", "prediction", "probability"), rows)


def percent(fraction: float | None) -> str:
    """Write a fraction in 0..1 as "93.1 %"; None is a dash."""
    return "–" if fraction is None else f"{100 * fraction:.1f} %"


def _shown(prediction: Prediction, words: dict[str, str]) -> tuple[str, str]:
    """Return the cells of a prediction: its class, or why there is none, and how probable."""
    if prediction.error is not None or not prediction.classes:
        return prediction.error or "", ""
    best = prediction.classes[0]
    name = "none of these" if prediction.rejected else words.get(best, best)
    return name, percent(prediction.probabilities[0])


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
