"""Samplers and pruners as Optuna takes them. Imported where a study is open: it needs Optuna."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from alexnet.studies.plan import Plan, grid_points, quasi_random_point, random_point

__all__ = ["make_pruner", "make_sampler", "slot_of"]

_REDUCTION = 3  # of those that reached a rung, one in three goes on


def make_sampler(plan: Plan, trials: Callable[[], list[FrozenTrial]]) -> BaseSampler:
    """Return the sampler of a study.

    Args:
        plan: what the study is.
        trials: returns all trials of the study as it is now, by number.
    """
    if plan.sampler == "tpe":
        return _SeededTPE(plan.seed)
    d = len(plan.space.dimensions)
    if plan.sampler == "grid":
        grid = grid_points(plan.space, plan.recipe, plan.trials, plan.seed)
        return _Points(plan, trials, lambda slot: grid[slot % len(grid)])
    draw = random_point if plan.sampler == "random" else quasi_random_point
    return _Points(plan, trials, lambda slot: draw(plan.seed, slot, d))


def make_pruner(plan: Plan) -> BasePruner:
    """Return the pruner; its first look comes after a ninth of a trial's epochs."""
    first = max(1, -(-plan.recipe.epochs // _REDUCTION**2))
    if plan.pruner == "halving":
        return SuccessiveHalvingPruner(min_resource=first, reduction_factor=_REDUCTION)
    if plan.pruner == "hyperband":
        return HyperbandPruner(first, plan.recipe.epochs, _REDUCTION)
    return NopPruner()


def slot_of(number: int, trials: list[FrozenTrial]) -> int:
    """Return a trial's place among those that were drawn: those given back draw nothing."""
    return sum(each.number < number and "retry_of" not in each.user_attrs for each in trials)


class _Points(BaseSampler):
    """Values by the slot of a trial; nothing else is looked at."""

    def __init__(
        self,
        plan: Plan,
        trials: Callable[[], list[FrozenTrial]],
        point: Callable[[int], list[float]],
    ) -> None:
        self._plan, self._trials, self._point = plan, trials, point
        self._drawn: tuple[int, Mapping[str, Any]] = (-1, {})

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        if self._drawn[0] != trial.number:
            point = self._point(slot_of(trial.number, self._trials()))
            self._drawn = trial.number, self._plan.space.values(point, self._plan.recipe)
        return self._drawn[1][param_name]


class _SeededTPE(BaseSampler):
    """Optuna's TPE, its random stream begun anew for each trial.

    So one worker tries the same again under the same seed, interrupted or not.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tpe = TPESampler(seed=0)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        seed = np.random.SeedSequence([self._seed, trial.number]).generate_state(1)
        self._tpe = TPESampler(seed=int(seed[0]))
        self._tpe.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Any,
    ) -> None:
        self._tpe.after_trial(study, trial, state, values)
