"""What a hyperparameter search and a learning-rate range test return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from alexnet.records.record import Record

__all__ = [
    "RetrainedRun",
    "SearchReport",
    "SearchedField",
    "TrialCost",
    "TrialRecord",
    "TuneReport",
]


@dataclass(frozen=True, kw_only=True)
class SearchedField(Record):
    """One field of the recipe in the search space: a range with its scale, or choices."""

    field: str
    low: float | None  # None: choices
    high: float | None
    scale: str | None  # "linear" or "log"; None: choices
    integer: bool  # whole numbers only
    choices: list[Any] | None
    condition: str | None  # in which trials it is sampled, as a phrase; None: in all
    default: Any  # the recipe's value


@dataclass(frozen=True, kw_only=True)
class TrialRecord(Record):
    """One trial: its hyperparameters and how far it came. Errors are fractions in 0..1."""

    number: int
    state: Literal["complete", "pruned", "failed", "running"]
    params: dict[str, Any]  # by field of the recipe
    val_error: float | None  # the lowest validation error; None: none was measured
    val_loss: float | None  # of that epoch, in nats
    curve: list[tuple[int, float]]  # epoch and validation error, as reported
    seconds: float | None  # from sampling to the end, in the last worker
    training_seconds: float | None  # of that: training and validation
    reason: str | None  # why it failed
    run_dir: str | None  # its run folder, inside the study's
    retry_of: int | None  # the interrupted trial that this one continues


@dataclass(frozen=True, kw_only=True)
class RetrainedRun(Record):
    """The best recipe, trained once more with another seed."""

    seed: int
    run_dir: str
    split: str | None  # what it was evaluated on
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
    """A study: the search space, every trial, the best one."""

    folder: str
    source: str
    storage: str
    sampler: str
    pruner: str
    n_trials: int  # how many are to finish
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
    retrained: list[RetrainedRun] = field(default_factory=list[RetrainedRun])
    done: bool = False  # whether `n_trials` have finished
    seconds: float = 0.0  # of this call

    @property
    def finished(self) -> list[TrialRecord]:
        """The trials that are complete, pruned or failed."""
        return [trial for trial in self.trials if trial.state != "running"]


@dataclass(frozen=True, kw_only=True)
class TuneReport(Record):
    """A learning-rate range test."""

    lr: float  # the suggestion
    reason: str
    lrs: list[float]  # of each step
    losses: list[float]  # of each step, nats
    smoothed_losses: list[float]
    fall_start_lr: float  # where the smoothed loss starts to fall
    fall_end_lr: float  # where it is lowest
    diverged_at_lr: float | None  # where the test was stopped; None: it never diverged
    model: str
    batch_size: int
    seconds: float
    page: str | None = None  # with the chart
