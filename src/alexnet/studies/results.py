"""The results of a study: its trials as records, the best one, the importance of each field."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from alexnet.files import write_json
from alexnet.recipe import changed
from alexnet.records import TrialRecord
from alexnet.studies.space import SearchSpace
from alexnet.studies.storage import quiet_optuna
from alexnet.studies.study import Study

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = ["best_trial", "field_importance", "trial_records", "write_best_recipe"]

_MIN_TRIALS = 8  # for field importance
_GOOD = (
    1 / 3
)  # fraction of the trials that are good ones; of few trials a tenth would be one or two
_DIED = "Its worker died three times during it."

_State = Literal["complete", "pruned", "failed", "running"]


def trial_records(study: Study) -> list[TrialRecord]:
    """Return every trial by number, but for those that continue under another number."""
    with quiet_optuna():
        trials = study.trials()
    requeued = {trial.user_attrs.get("retry_of") for trial in trials}
    return [_record(study, trial) for trial in trials if trial.number not in requeued]


def best_trial(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the trial of the lowest validation error; of equal ones the one of lower loss."""
    complete = [t for t in trials if t.state == "complete" and t.val_error is not None]
    return min(complete, key=_rank, default=None)


def write_best_recipe(study: Study, best: TrialRecord) -> Path:
    """Write `best.json`: the recipe for `train --recipe`, and which trial it is of."""
    path = study.folder / "best.json"
    recipe = changed(study.config.recipe, best.params)
    facts = {"trial": best.number, "val_error": best.val_error, "run_dir": best.run_dir}
    write_json(path, {"recipe": recipe.to_json(), "params": best.params, **facts})
    return path


def field_importance(trials: Sequence[TrialRecord], space: SearchSpace) -> dict[str, float]:
    """Return the importance of each field for a good trial, the largest first; sums to 1.

    PED-ANOVA (Watanabe, Bansal and Hutter 2023) of the best third of all finished trials: a pruned
    one counts with its lowest error, a failed one with the worst error of any. Empty for under 8
    trials, and where so many are equal that no third is the best.
    """
    measured = [t for t in trials if t.state in ("complete", "pruned") and t.val_error is not None]
    failed = [t for t in trials if t.state == "failed"]
    if len(measured) + len(failed) < _MIN_TRIALS or not measured:
        return {}
    worst = max(t.val_error or 0.0 for t in measured)
    with quiet_optuna():
        import optuna
        from optuna.importance import PedAnovaImportanceEvaluator

        study = optuna.create_study(direction="minimize")
        distributions = {d.field: d.distribution() for d in space.dimensions}
        for trial in (*measured, *failed):
            study.add_trial(
                optuna.create_trial(
                    params=trial.params,
                    distributions={name: distributions[name] for name in trial.params},
                    value=worst if trial.state == "failed" else trial.val_error,
                )
            )
        evaluator = PedAnovaImportanceEvaluator(target_quantile=_GOOD)
        with warnings.catch_warnings():
            # Optuna 5.0 warns, and returns zeros, where the best third is no smaller than all.
            warnings.filterwarnings("error", "Target and region quantiles select the same")
            try:
                importances = optuna.importance.get_param_importances(study, evaluator=evaluator)
            except UserWarning:
                return {}
    return {name: float(importance) for name, importance in importances.items()}


def _record(study: Study, trial: FrozenTrial) -> TrialRecord:
    attributes = trial.user_attrs
    state = _state(trial)
    curve = sorted(trial.intermediate_values.items())
    lowest = min((error for _, error in curve), default=None)
    return TrialRecord(
        number=trial.number,
        state=state,
        params=dict(trial.params),
        val_error=trial.value if state == "complete" else lowest,
        val_loss=attributes.get("val_loss"),
        curve=curve,
        seconds=attributes.get("seconds"),
        training_seconds=attributes.get("training_seconds"),
        reason=attributes.get("reason", _DIED) if state == "failed" else None,
        run_dir=study.folder_of(trial),
        retry_of=attributes.get("retry_of"),
    )


def _state(trial: FrozenTrial) -> _State:
    states: dict[str, _State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    return states.get(trial.state.name, "running")


def _rank(trial: TrialRecord) -> tuple[float, float, int]:
    assert trial.val_error is not None
    return trial.val_error, math.inf if trial.val_loss is None else trial.val_loss, trial.number
