"""Result records: what the library hands out, plain numbers that turn into JSON by themselves."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, cast

__all__ = [
    "CacheReport",
    "CachedPack",
    "ClassScore",
    "DemoReport",
    "Epoch",
    "ExportReport",
    "FeaturesReport",
    "Geometry",
    "ImportReport",
    "Interval",
    "LayerGeometry",
    "ModelList",
    "ModelSummary",
    "PackReport",
    "Prediction",
    "Predictions",
    "PublishedWeights",
    "Record",
    "Results",
    "TrainReport",
    "WeightsDownload",
    "WeightsList",
    "plain_values",
]


@dataclass(frozen=True, kw_only=True)
class Record:
    """A value that is written as one JSON object: field names, plain values."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values; numbers that are not finite become None."""
        return {f.name: plain_values(getattr(self, f.name)) for f in dataclasses.fields(self)}


@dataclass(frozen=True, kw_only=True)
class Interval(Record):
    """A 95 % interval of a share of right answers (Wilson)."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class ClassScore(Record):
    """How one class fared: all shares lie in 0..1; None where nothing was there to count."""

    name: str
    images: int
    recall: float | None  # right among the pictures of this class
    precision: float | None  # right among the answers of this class
    top5: float | None


@dataclass(frozen=True, kw_only=True)
class Results(Record):
    """What an evaluation found; all shares are fractions in 0..1, the loss is in nats."""

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
    confusion: list[list[int]]  # [true class][answered class]
    missing_classes: list[str] = field(default_factory=list[str])  # known to the weights, not here
    unreadable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # path, reason

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Results:
        """Read what `to_json` gave."""
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
    """The answer for one picture, most probable class first; `error` where it cannot be read."""

    path: str
    classes: list[str] = field(default_factory=list[str])
    probabilities: list[float] = field(default_factory=list[float])
    rejected: bool = False  # the best probability lies under the asked limit
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Predictions(Record):
    """The answers for some pictures, in the order in which they were named."""

    predictions: list[Prediction]
    crops: int
    reject_below: float | None = None
    class_words: dict[str, str] = field(default_factory=dict[str, str])  # of the named classes
    csv: str | None = None  # where the same rows were written; "-" is standard output


@dataclass(frozen=True, kw_only=True)
class FeaturesReport(Record):
    """What `features` wrote: a row for each readable picture."""

    out: str
    layer: str
    images: int
    numbers: int  # columns: numbers for each picture
    classes: list[str]
    crops: int
    unreadable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # path, reason


@dataclass(frozen=True, kw_only=True)
class LayerGeometry(Record):
    """One layer of a network, for one picture; sides are in positions."""

    name: str
    kind: str  # in words, such as "convolution"
    details: str | None  # settings that the numbers do not show, in words
    kernel: int | None  # side of the square window; None: the layer has none
    stride: int | None
    padding: int | None  # on every side
    towers: int  # groups of channels that do not see each other
    output: list[int]  # channels, height, width; or the units of a row
    neurons: int  # units with weights; 0 where the layer has none
    weights: int
    biases: int
    parameters: int  # weights and biases
    multiply_adds: int  # of convolutions and products
    overhang: int  # positions by which the last window passes the padded edge
    unseen: int  # padded positions at the end that no window reaches
    covering: str | None  # a sentence where the windows do not cover their input exactly


@dataclass(frozen=True, kw_only=True)
class Geometry(Record):
    """A network layer by layer, its sums, and how it differs from the paper's, in sentences."""

    model: str
    summary: str
    image_px: int  # side of the stored picture
    crop_px: int  # side of the crop that the network takes
    classes: int
    activation: str
    inputs: int  # numbers of one crop
    layers: list[LayerGeometry]
    neurons: int
    weights: int
    biases: int
    parameters: int
    multiply_adds: int  # for one crop
    features_layer: str  # the last hidden layer
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class ModelSummary(Record):
    """One model in a line, as it is built by itself."""

    name: str
    summary: str
    image_px: int
    crop_px: int
    classes: int
    parameters: int
    multiply_adds: int


@dataclass(frozen=True, kw_only=True)
class ModelList(Record):
    """Every model."""

    models: list[ModelSummary]


@dataclass(frozen=True, kw_only=True)
class PackReport(Record):
    """What `pack` made."""

    source: str
    folder: str
    pictures: int
    classes: list[str]
    splits: dict[str, int]  # pictures of each split that the source has
    image_px: int
    fit: str
    store: str  # "pixels" or "jpeg"
    bytes: int  # of all stored pictures
    shards: int
    fingerprint: str
    unreadable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # path, reason
    quarantine: str | None = None  # where unreadable files were copied to
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CachedPack(Record):
    """One pack of the cache."""

    name: str
    folder: str
    source: str | None  # None: nobody can tell any more
    pictures: int  # 0 while it is not whole
    image_px: int | None
    fit: str | None
    bytes: int  # on the disk
    last_used: float  # seconds since 1970
    whole: bool  # False: a packing is under way or was interrupted


@dataclass(frozen=True, kw_only=True)
class CacheReport(Record):
    """What the cache holds, and what was removed from it."""

    folder: str
    packs: list[CachedPack]  # last used first
    removed: list[CachedPack] = field(default_factory=list[CachedPack])


@dataclass(frozen=True, kw_only=True)
class ImportReport(Record):
    """What `import` read and wrote."""

    out: str
    format: str  # of the files that were read, in a word
    name: str  # what they call the network
    model: str  # "graph", or the model that it is
    parameters: int  # numbers that were taken over
    classes: list[str]
    image_px: int
    crop_px: int
    fit: str
    order: str  # of the channels that the network takes
    mean: str | None  # "image" or "channel"
    scale: float | None  # what is left after the mean is multiplied by this
    remarks: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, kw_only=True)
class ExportReport(Record):
    """What `export` wrote, and how it differs from the weights that it was made of."""

    out: str
    format: str
    precision: str
    bytes: int
    model: str
    classes: int
    takes: str  # the input, in words
    gives: str  # the output, in words
    runtime: str  # what ran the file for the check
    pictures: int  # that it was checked on
    made: bool  # whether these were made for the check, not given
    largest_difference: float  # of two numbers, over the largest number where that is above 1
    moved: float  # share of probability that went to another class, in the mean picture
    bound: float  # on the difference (int8: on what moved); a file beyond it is not kept
    same_class: int  # pictures for which both name one class
    top1_before: float | None = None  # share of right answers, where the pictures have classes
    top1_after: float | None = None
    top5_before: float | None = None
    top5_after: float | None = None
    test_vectors: str | None = None  # the folder


@dataclass(frozen=True, kw_only=True)
class Epoch(Record):
    """One pass over the training pictures; errors are shares in 0..1, losses in nats."""

    epoch: int  # counted from 1
    step: int  # steps since the beginning of the run
    lr: float
    train_loss: float  # mean over the epoch's batches, as augmented, dropout on
    train_error: float
    val_loss: float | None
    val_error: float | None  # top-1, centre crop
    val_top5_error: float | None
    images_per_s: float  # of training alone
    seconds: float  # of training and validation
    best: bool  # the best validation error so far


@dataclass(frozen=True, kw_only=True)
class TrainReport(Record):
    """What a training came to."""

    run: str  # the run folder
    weights: str  # the best weights
    report: str | None  # the page for people, where it could be drawn
    continued: bool  # whether this call went on with an older one
    already_finished: bool  # whether there was nothing left to do
    ended: str  # why the run ended
    split: str | None  # what `results` were measured on
    results: Results | None
    epochs: int
    best_epoch: int
    seconds: float  # training and validation, over all calls
    images_per_s: float  # of training, median over the epochs
    peak_memory_mb: float | None
    skipped: int  # pictures that could not be read


@dataclass(frozen=True, kw_only=True)
class DemoReport(Record):
    """What the demonstration found, and where everything lies."""

    pictures: str  # the folder with the digits
    splits: dict[str, int]  # pictures in its train and test folders
    model: str
    train: TrainReport
    results: Results  # of `evaluate` on the pictures held out
    predictions: Predictions  # of `predict` for one picture of each digit
    seconds: float  # of this call


@dataclass(frozen=True, kw_only=True)
class PublishedWeights(Record):
    """Weights that somebody published; shares of right answers are the publisher's, in 0..1."""

    name: str
    task: str
    model: str  # the network here that they fit
    classes: int
    top1: float
    top5: float
    crops: int
    size_mb: float  # of 2**20 bytes
    licence: str
    source: str
    sha256: str  # hexadecimal; the first digits alone where no more was published
    form: str  # of the file


@dataclass(frozen=True, kw_only=True)
class WeightsList(Record):
    """All published weights that are known here."""

    weights: list[PublishedWeights]


@dataclass(frozen=True, kw_only=True)
class WeightsDownload(Record):
    """Published weights as a file here."""

    name: str
    file: str
    bytes: int
    sha256: str  # of the file, whole
    source: str  # where it came from
    downloaded: int  # bytes fetched in this call; 0: the file was there
    form: str


def plain_values(value: Any) -> Any:
    """Return what JSON can hold: records as objects, tuples as lists, no NaN and no infinity."""
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain_values(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {str(key): plain_values(each) for key, each in items}
    return value
