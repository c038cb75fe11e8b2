"""Records of what was made of trained weights: heads on features, and what they are held against.

Apart from `alexnet.records.results` so that neither grows out of hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from alexnet.records.results import Record, Results, TrainReport

__all__ = ["Compared", "FinetuneReport", "HeadCandidate", "HeadReport"]


@dataclass(frozen=True, kw_only=True)
class HeadCandidate(Record):
    """One choice of a head's parameters, and its share of right answers over the folds, in 0..1."""

    parameters: dict[str, Any]
    top1: float
    deviation: float  # standard, over the folds


@dataclass(frozen=True, kw_only=True)
class HeadReport(Record):
    """A classic classifier on a layer's numbers, in a weights file of its own."""

    out: str  # the weights file
    kind: str
    layer: str
    numbers: int  # features of each picture
    images: int  # that it was taught with
    classes: list[str]
    chosen: dict[str, Any]  # parameters
    cross_validation: HeadCandidate  # how the chosen parameters fared in the search
    candidates: list[HeadCandidate]  # all that were tried
    folds: int
    searched_on: int  # pictures that took part in the search
    split: str | None  # what `results` were measured on
    results: Results | None
    seconds: float  # of features, search and fit
    unreadable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # path, reason


@dataclass(frozen=True, kw_only=True)
class Compared(Record):
    """One way to a classifier, measured on the same pictures and crops as the others."""

    name: str  # in words, such as "fine-tuned"
    weights: str | None  # its file; None: it came to none
    results: Results | None
    seconds: float  # of teaching it
    remark: str | None = None  # a sentence where it went wrong

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Compared:
        """Read what `to_json` gave."""
        results = values["results"]
        fields: dict[str, Any] = {
            **values,
            "results": Results.from_json(results) if results else None,
        }
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class FinetuneReport(TrainReport):
    """What a fine-tuning came to, beside other ways to a classifier where that was asked for."""

    compared: list[Compared] = field(default_factory=list[Compared])
