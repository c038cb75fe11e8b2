"""What came of a study: its trials as records, the best of them, and which field matters."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from alexnet.files import write_json
from alexnet.records import TrialRecord
from alexnet.studies.space import Space
from alexnet.studies.storage import optuna_quiet
from alexnet.studies.study import Study
from alexnet.studies.worker import recipe_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = ["best_of", "field_importance", "trial_records", "write_best"]

_FEWEST = 8  # trials below which nothing is said of importance
_GOOD = 1 / 3  # share of the trials that are good ones; of few trials a tenth would be one or two
_DIED = "Its worker died three times during it."

_State = Literal["complete", "pruned", "failed", "running"]


def trial_records(study: Study) -> list[TrialRecord]:
    """Return every trial by number, but for those that go on under another number."""
    with optuna_quiet():
        trials = study.trials()
    goes_on = {each.user_attrs.get("retry_of") for each in trials}
    return [_record(study, each) for each in trials if each.number not in goes_on]


def best_of(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the trial of the lowest validation error; of equal ones the one of lower loss."""
    ended = [each for each in trials if each.state == "complete" and each.error is not None]
    return min(ended, key=_rank, default=None)


def write_best(study: Study, best: TrialRecord) -> Path:
    """Write `best.json`: the recipe that `train --recipe` takes, beside where it comes from."""
    path = study.folder / "best.json"
    recipe = recipe_of(study.plan.recipe, best.values)
    facts = {"trial": best.number, "validation_error": best.error, "run": best.run}
    write_json(path, {"recipe": recipe.to_json(), "values": best.values, **facts})
    return path


def field_importance(trials: Sequence[TrialRecord], space: Space) -> dict[str, float]:
    """Return how much of the way to a good trial each field decides, the largest first; sums to 1.

    PED-ANOVA (Watanabe, Bansal and Hutter 2023) of the best third of all trials that ended: a
    pruned one counts with its lowest error, a failed one with the worst that any had. Empty for
    under 8 trials, and where so many are equal that no third is the best.
    """
    known = [e for e in trials if e.state in ("complete", "pruned") and e.error is not None]
    failed = [each for each in trials if each.state == "failed"]
    if len(known) + len(failed) < _FEWEST or not known:
        return {}
    worst = max(each.error or 0.0 for each in known)
    with optuna_quiet():
        import optuna
        from optuna.importance import PedAnovaImportanceEvaluator

        study = optuna.create_study(direction="minimize")
        distributions = {each.field: each.distribution() for each in space.dimensions}
        for each in (*known, *failed):
            study.add_trial(
                optuna.create_trial(
                    params=each.values,
                    distributions={name: distributions[name] for name in each.values},
                    value=worst if each.state == "failed" else each.error,
                )
            )
        evaluator = PedAnovaImportanceEvaluator(target_quantile=_GOOD)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Target and region quantiles select the same")
            try:
                found = optuna.importance.get_param_importances(study, evaluator=evaluator)
            except UserWarning:
                return {}
    return {name: float(share) for name, share in found.items()}


def _record(study: Study, trial: FrozenTrial) -> TrialRecord:
    attributes = trial.user_attrs
    state = _state(trial)
    curve = sorted(trial.intermediate_values.items())
    return TrialRecord(
        number=trial.number,
        state=state,
        values=_plain_values(trial),
        error=trial.value if state == "complete" else min((e for _, e in curve), default=None),
        loss=attributes.get("loss"),
        curve=curve,
        seconds=attributes.get("seconds"),
        training_seconds=attributes.get("training_seconds"),
        reason=attributes.get("reason", _DIED) if state == "failed" else None,
        run=study.folder_of(trial),
        retry_of=attributes.get("retry_of"),
    )


def _plain_values(trial: FrozenTrial) -> dict[str, Any]:
    return dict(trial.params)


def _state(trial: FrozenTrial) -> _State:
    words: dict[str, _State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    return words.get(trial.state.name, "running")


def _rank(trial: TrialRecord) -> tuple[float, float, int]:
    assert trial.error is not None
    return trial.error, math.inf if trial.loss is None else trial.loss, trial.number
