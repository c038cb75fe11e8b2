"""The log of a search: a line for each finished trial, and the progress."""

from __future__ import annotations

import logging

from alexnet.progress import Advance
from alexnet.records import TrialRecord
from alexnet.studies.results import best_trial, trial_records
from alexnet.studies.study import Study

__all__ = ["TrialLog", "format_trial"]

_log = logging.getLogger(__name__)


class TrialLog:
    """Logs each trial once when it has finished, whichever worker ran it.

    Args:
        study: an open one; trials of earlier calls are counted and not logged.
        advance: of the progress.
    """

    def __init__(self, study: Study, advance: Advance) -> None:
        self._study, self._advance = study, advance
        self._logged: set[int] = set()
        finished = self._new_trials()
        self._best = best_trial(finished)
        self._count(finished)

    @property
    def finished(self) -> int:
        """How many trials have finished."""
        return len(self._logged)

    @property
    def done(self) -> bool:
        """Whether the study is done."""
        return self.finished >= self._study.config.n_trials

    def update(self) -> None:
        """Log the trials that have finished since."""
        trials = self._new_trials()
        for trial in trials:
            self._best = best_trial([trial, *([self._best] if self._best else [])])
            is_best = self._best is not None and self._best.number == trial.number
            _log.info("%s%s", format_trial(trial), "  best so far" if is_best else "")
        self._count(trials)

    def _new_trials(self) -> list[TrialRecord]:
        trials = trial_records(self._study)
        return [t for t in trials if t.state != "running" and t.number not in self._logged]

    def _count(self, trials: list[TrialRecord]) -> None:
        self._logged |= {trial.number for trial in trials}
        self._advance(len(trials))


def format_trial(trial: TrialRecord) -> str:
    """Return a line: number, validation error, state, parameters."""
    params = ", ".join(f"{name} {_format(value)}" for name, value in trial.params.items())
    if trial.state == "failed":
        return f"trial {trial.number:>3}  failed: {trial.reason}  ({params})"
    state = "" if trial.state == "complete" else f"  {trial.state} after epoch {len(trial.curve)}"
    error = "no val error" if trial.val_error is None else f"val error {trial.val_error:.2%}"
    return f"trial {trial.number:>3}  {error}{state}  ({params})"


def _format(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
