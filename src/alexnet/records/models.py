"""Summaries of networks, and what importing, exporting and downloading weights return."""

from __future__ import annotations

from dataclasses import dataclass, field

from alexnet.records.record import Record

__all__ = [
    "ExportReport",
    "ImportReport",
    "LayerSummary",
    "ModelEntry",
    "ModelList",
    "NetworkSummary",
    "PublishedWeights",
    "WeightsDownload",
    "WeightsList",
]


@dataclass(frozen=True, kw_only=True)
class LayerSummary(Record):
    """One layer of a network, for one image; sides are in positions."""

    name: str
    kind: str  # such as "convolution"
    details: str | None  # settings that the numbers do not show, as a phrase
    kernel: int | None  # side of the square window; None: the layer has none
    stride: int | None
    padding: int | None  # on every side
    towers: int  # groups of channels, as in a grouped convolution
    output: list[int]  # channels, height, width; or the units of a row
    neurons: int  # units with weights; 0 where the layer has none
    weights: int
    biases: int
    parameters: int  # weights and biases
    multiply_adds: int  # of convolutions and matrix products
    overhang: int  # positions by which the last window passes the padded edge
    uncovered: int  # padded positions at the end that no window reaches
    coverage: str | None  # a sentence where the windows do not cover their input exactly
    tile: int | None = None  # of a convolution in Winograd's form: side of a tile of outputs
    saving: float | None = None  # products of the direct form over those of Winograd's
    torch_because: str | None = None  # why a convolution has no such form, as a phrase


@dataclass(frozen=True, kw_only=True)
class NetworkSummary(Record):
    """A network layer by layer, its sums, and how it differs from the paper's, in sentences."""

    model: str
    summary: str
    image_px: int  # side of the stored image
    crop_px: int  # side of the crop that the network takes
    classes: int
    activation: str
    inputs: int  # numbers of one crop
    layers: list[LayerSummary]
    neurons: int
    weights: int
    biases: int
    parameters: int
    multiply_adds: int  # for one crop
    features_layer: str  # the last hidden layer
    convolutions: str | None = None  # which Winograd's form computes where it is measured fastest
    notes: list[str]
    images: list[str] = field(default_factory=list[str])  # of a description: mean, scale, channels


@dataclass(frozen=True, kw_only=True)
class ModelEntry(Record):
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

    models: list[ModelEntry]


@dataclass(frozen=True, kw_only=True)
class ImportReport(Record):
    """What `import` read and wrote."""

    out: str
    format: str  # of the files that were read
    name: str  # what they call the network
    model: str  # "graph", or the model that it is
    parameters: int  # numbers that were taken over
    classes: list[str]
    image_px: int
    crop_px: int
    resize_mode: str
    channel_order: str  # that the network takes, such as BGR
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
    input: str  # meaning, dtype and shape
    output: str
    runtime: str  # what ran the file for the check
    images: int  # that it was checked on
    synthetic_images: bool  # whether these were made for the check, not given
    max_difference: float  # of two numbers, over the largest number where that is above 1
    probability_shift: float  # probability that moved to another class, in the mean image
    tolerance: float  # of the difference (int8: of the shift); a file beyond it is not kept
    same_class: int  # images for which both predict one class
    quantized_share: float | None = None  # of an int8 file's multiply-adds: those on 8 bits, 0..1
    top1_before: float | None = None  # accuracy, where the images have classes
    top1_after: float | None = None
    top5_before: float | None = None
    top5_after: float | None = None
    test_vectors: str | None = None  # the folder


@dataclass(frozen=True, kw_only=True)
class PublishedWeights(Record):
    """Weights that somebody published; accuracies are the publisher's, in 0..1."""

    name: str
    task: str
    model: str  # the network here that they fit
    classes: int
    top1: float | None  # None: not published
    top5: float | None
    crops: int | None  # None: measured in another way
    size_mb: float  # of 2**20 bytes
    license: str
    source: str
    sha256: str  # in hexadecimal digits; another hash as "KIND:DIGITS"; "": none is published
    format: str  # of the file
    size_known: bool = True  # False: the size is counted from the network's weights
    input_px: int | None = None  # side of the crop that the network takes
    figures_from: str = ""  # where the publisher prints the accuracies


@dataclass(frozen=True, kw_only=True)
class WeightsList(Record):
    """All published weights that are known here."""

    weights: list[PublishedWeights]


@dataclass(frozen=True, kw_only=True)
class WeightsDownload(Record):
    """Published weights as files here."""

    name: str
    file: str  # as it was published
    bytes: int
    sha256: str  # of the file, whole
    source: str  # where it came from
    downloaded: int  # bytes fetched in this call; 0: the file was there
    format: str
    license: str = ""
    files: list[str] = field(default_factory=list[str])  # fetched beside it
    weights: str = ""  # the weights file that was made of them; "": none could be
    remarks: list[str] = field(default_factory=list[str])
