"""What training, fine-tuning and fitting a head return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from alexnet.records.curve import draw_curve, read_errors
from alexnet.records.evaluation import Predictions, Results
from alexnet.records.record import Record

__all__ = [
    "Baseline",
    "DemoReport",
    "Epoch",
    "FinetuneReport",
    "HeadCandidate",
    "HeadReport",
    "MeasuredBy",
    "TrainReport",
    "WayScore",
]

MeasuredBy = Literal["split", "held-out tenth", "cross-validation"]


@dataclass(frozen=True, kw_only=True)
class Epoch(Record):
    """One pass over the training images; errors are fractions in 0..1, losses in nats."""

    epoch: int  # counted from 1
    step: int  # steps since the beginning of the run
    lr: float
    train_loss: float  # mean over the epoch's batches, as augmented, dropout on
    train_error: float
    val_loss: float | None
    val_error: float | None  # top-1, center crop
    val_top5_error: float | None
    images_per_s: float  # of training alone
    seconds: float  # of training and validation
    best: bool  # the best validation error so far


@dataclass(frozen=True, kw_only=True)
class WayScore(Record):
    """One way from images to a classifier, and what images were worth that it did not learn from.

    The ways: "features", a head on several layers of the weights as they are; "finetune", all
    layers trained on; "finetune + features", a head on several layers of that network; "halfway +
    features", on those of the mean of both networks' weights; "average", the logits of "finetune"
    and "finetune + features" added.
    """

    name: str
    top1: float  # fraction in 0..1, one center crop
    loss: float  # in nats, at the best temperature
    seconds: float  # of all folds; ways that share a network share its time
    chosen: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainReport(Record):
    """What `train` returns."""

    run_dir: str  # the run folder
    weights: str  # the best weights
    report: str | None  # the page for people, where it could be drawn
    continued: bool  # whether this call resumed an earlier one
    already_finished: bool  # whether there was nothing left to do
    stop_reason: str
    split: str | None  # that `results` are of
    results: Results | None
    epochs: int
    best_epoch: int
    seconds: float  # training and validation, over all calls
    images_per_s: float  # of training, median over the epochs
    peak_memory_mb: float | None
    skipped: int  # images that could not be read
    warnings: list[str] = field(default_factory=list[str])  # before the figures are trusted
    way: str = "scratch"  # how the weights came about: scratch, finetune, or a `WayScore`'s name
    why: str = ""  # a sentence, where the way was chosen
    ways: list[WayScore] = field(default_factory=list[WayScore])  # that were compared
    cross_validation: Results | None = None  # out of fold, where the figures come from folds

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TrainReport:
        """Read what `to_json` gave."""
        fields: dict[str, Any] = {
            **values,
            "results": _results(values["results"]),
            "cross_validation": _results(values["cross_validation"]),
            "ways": [WayScore(**each) for each in values["ways"]],
        }
        return cls(**fields)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the fields, and the curve where the run folder is there."""
        return Record._repr_html_(self) + draw_curve(read_errors(self.run_dir))


@dataclass(frozen=True, kw_only=True)
class DemoReport(Record):
    """What `demo` returns: the three verbs' reports and where everything lies."""

    images: str  # the folder with the digits
    splits: dict[str, int]  # images in its train and test folders
    model: str
    train: TrainReport
    results: Results  # of `evaluate` on the test split
    predictions: Predictions  # of `predict` for one image of each digit
    seconds: float  # of this call


@dataclass(frozen=True, kw_only=True)
class HeadCandidate(Record):
    """One choice of a head's parameters, and its cross-validated accuracy, in 0..1."""

    parameters: dict[str, Any]
    top1: float  # mean over the folds
    top1_std: float  # over the folds
    score: float | None = None  # what decides: accuracy of all rows, by the weights of the classes
    log_loss: float | None = None  # in nats, calibrated, by the same weights


@dataclass(frozen=True, kw_only=True)
class HeadReport(Record):
    """A classic classifier on a layer's features, in a weights file."""

    out: str  # the weights file
    kind: str
    layer: str
    feature_dim: int  # features of each image
    images: int  # that it was fitted on
    classes: list[str]
    best_parameters: dict[str, Any]
    cross_validation: HeadCandidate  # of the best parameters
    candidates: list[HeadCandidate]  # all that were tried
    folds: int
    search_images: int  # images that took part in the search
    split: str | None  # that `results` are of
    results: Results | None
    seconds: float  # of features, search and fit
    unreadable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # path, reason
    measured_by: MeasuredBy = "split"
    """On what `results` are: a split of the source; a tenth that was held out and learned from in
    the end; or every image, held out in turn."""
    warnings: list[str] = field(default_factory=list[str])  # sentences


@dataclass(frozen=True, kw_only=True)
class Baseline(Record):
    """A classifier for the same classes, measured on the same images and crops as the others."""

    name: str  # such as "fine-tuned"
    weights: str | None  # its file; None: training it failed
    results: Results | None
    seconds: float  # of training it
    remark: str | None = None  # why it failed

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Baseline:
        """Read what `to_json` gave."""
        fields: dict[str, Any] = {**values, "results": _results(values["results"])}
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class FinetuneReport(TrainReport):
    """What `finetune` returns: the training, and its baselines with `--compare`."""

    baselines: list[Baseline] = field(default_factory=list[Baseline])


def _results(values: dict[str, Any] | None) -> Results | None:
    return Results.from_json(values) if values else None
