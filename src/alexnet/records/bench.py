"""What `alexnet bench` returns: the machine's limits and the throughput that is reached here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alexnet.records.record import Record

__all__ = ["BenchReport", "MachineLimit", "SharedStep", "SharedSteps", "Throughput"]


@dataclass(frozen=True, kw_only=True)
class MachineLimit(Record):
    """The highest rate of a machine at one operation: the best of several rounds."""

    name: str
    unit: str
    max: float
    min: float  # over the rounds


@dataclass(frozen=True, kw_only=True)
class Throughput(Record):
    """How fast one part of the work is, in images a second, and what it could be."""

    name: str
    median: float  # over the rounds
    min: float
    max: float
    limit: float | None  # what the machine's limit allows; None: nothing is known
    limited_by: str  # name of that limit

    @property
    def utilization(self) -> float | None:
        """The fraction of the limit that is reached, in 0..1."""
        return self.median / self.limit if self.limit else None


@dataclass(frozen=True, kw_only=True)
class SharedStep(Record):
    """A training step that several processes make together, in one way of sharing it."""

    parallel: str  # "data", "hybrid" or "towers"
    seconds: float  # of a step, median
    images_per_s: float
    sent_bytes: float  # by each process in a step, on average
    waited_s: float  # in a step, by each process for the others, on average
    loss: float  # mean over the steps; the same for every way but for its last digits


@dataclass(frozen=True, kw_only=True)
class SharedSteps(Record):
    """Steps of a model in every way in which some processes can share it."""

    model: str
    batch_size: int
    processes: int
    bytes_per_s: float  # that a process sends while sums are made
    latency_s: float  # of a sum of a single number
    ways: list[SharedStep]

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SharedSteps:
        """Read what `to_json` gave."""
        fields: dict[str, Any] = {
            **values,
            "ways": [SharedStep(**each) for each in values["ways"]],
        }
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class BenchReport(Record):
    """How fast a model is on this machine, how far from its limits, and what to do about it."""

    model: str
    batch_size: int
    image_px: int
    crop_px: int
    processor: str
    device: str  # "cpu" or "cuda"
    precision: str  # of training: "fp32" or "bf16"
    precision_reason: str
    convolutions: str = "torch"  # their form in fp32: "torch" or "winograd"
    convolution_layers: str | None = None  # which layers are in that form; None: all torch's
    threads: int
    cores: int
    torch: str
    normalization: str | None  # which form of it runs; None: the model has none
    loading: str  # how the batches of training are made
    limits: list[MachineLimit]
    throughputs: list[Throughput]
    advice: list[str]
    seconds: float
    out: str | None  # file that holds this
    shared: SharedSteps | None = None  # where steps of several processes were asked for
