"""Result records of searching: a study with its trials, and the learning-rate range test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from alexnet.records.results import Record

__all__ = [
    "Retraining",
    "SearchReport",
    "SearchedField",
    "TrialCost",
    "TrialRecord",
    "TuneReport",
]


@dataclass(frozen=True, kw_only=True)
class SearchedField(Record):
    """One field of the recipe that moves: a range with its scale, or choices."""

    field: str
    low: float | None  # None: choices
    high: float | None
    scale: str | None  # "linear" or "log"; None: choices
    whole: bool  # whole numbers only
    choices: list[Any] | None
    only_with: str | None  # when it moves at all, in words
    usual: Any  # what the recipe has


@dataclass(frozen=True, kw_only=True)
class TrialRecord(Record):
    """One trial: what was tried, and how far it came. Errors are shares in 0..1."""

    number: int
    state: Literal["complete", "pruned", "failed", "running"]
    values: dict[str, Any]  # of the fields that moved
    error: float | None  # the best validation error; None: none was measured
    loss: float | None  # validation loss of that epoch, in nats
    curve: list[tuple[int, float]]  # epoch and validation error, as reported
    seconds: float | None  # from the draw of its values to its end, in the last worker
    training_seconds: float | None  # of that: training and validation
    reason: str | None  # why it failed
    run: str | None  # its run folder, inside the study's
    retry_of: int | None  # the trial of a worker that died, or was stopped, which this one goes on


@dataclass(frozen=True, kw_only=True)
class Retraining(Record):
    """The best recipe, trained once more with another seed."""

    seed: int
    run: str
    split: str | None  # what it was measured on
    images: int
    error: float | None


@dataclass(frozen=True, kw_only=True)
class TrialCost(Record):
    """What one trial of full length is expected to take here, measured on some steps."""

    epochs: int
    train_images: int
    val_images: int
    parameters: int
    images_per_s: float  # of training
    seconds: float  # of a whole trial


@dataclass(frozen=True, kw_only=True)
class SearchReport(Record):
    """A study: what may move, what was tried, what was found."""

    folder: str
    source: str
    storage: str
    sampler: str
    pruner: str
    wanted: int  # trials that were asked for
    space: list[SearchedField]
    model: str
    epochs: int
    dry_run: bool = False
    cost: TrialCost | None = None  # of a dry run
    trials: list[TrialRecord] = field(default_factory=list[TrialRecord])  # by number
    best: TrialRecord | None = None
    best_recipe: str | None = None  # the file that `train --recipe` takes
    report: str | None = None  # the page for people
    importance: dict[str, float] = field(default_factory=dict[str, float])  # sums to 1
    retrained: list[Retraining] = field(default_factory=list[Retraining])
    done: bool = False  # whether every trial that was asked for came to an end
    seconds: float = 0.0  # of this call

    @property
    def ended(self) -> list[TrialRecord]:
        """The trials that came to an end of their own."""
        return [each for each in self.trials if each.state != "running"]


@dataclass(frozen=True, kw_only=True)
class TuneReport(Record):
    """A learning-rate range test."""

    lr: float  # the suggestion
    reason: str
    rates: list[float]  # of each step
    losses: list[float]  # of each step, nats
    smoothed: list[float]
    falls_from: float  # rate at which the smoothed loss leaves its start
    falls_to: float  # rate at which it is lowest
    exploded: float | None  # rate at which the test was stopped; None: it never exploded
    model: str
    batch: int
    seconds: float
    page: str | None = None  # the picture
