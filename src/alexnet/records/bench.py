"""Records of `alexnet bench`: what this machine can do at most, and what is reached here."""

from __future__ import annotations

from dataclasses import dataclass

from alexnet.records.results import Record

__all__ = ["BenchReport", "MachineLimit", "SpeedFigure"]


@dataclass(frozen=True, kw_only=True)
class MachineLimit(Record):
    """What a machine does at most of one thing: the best of several turns."""

    name: str
    unit: str
    value: float
    least: float  # of the turns


@dataclass(frozen=True, kw_only=True)
class SpeedFigure(Record):
    """How fast one part of the work is, in images a second, and what it could be."""

    name: str
    value: float  # median of the turns
    least: float
    most: float
    limit: float | None  # what the machine's limit allows; None: nothing is known
    limited_by: str  # name of that limit

    @property
    def share(self) -> float | None:
        """How much of the limit is reached; 1 is all."""
        return self.value / self.limit if self.limit else None


@dataclass(frozen=True, kw_only=True)
class BenchReport(Record):
    """How fast a model is on this machine, how far from its limits, and what to do about it."""

    model: str
    batch: int
    image_px: int
    crop_px: int
    processor: str
    kind: str  # "cpu" or "cuda"
    precision: str  # of training: "fp32" or "bf16"
    reason: str  # why this precision
    threads: int
    cores: int
    torch: str
    normalisation: str | None  # which form of it runs; None: the model has none
    feeding: str  # where the batches of training are cut
    limits: list[MachineLimit]
    figures: list[SpeedFigure]
    advice: list[str]
    seconds: float
    out: str | None  # file that holds this
