"""Samplers and pruners for Optuna, which this module imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from alexnet.studies.config import StudyConfig
from alexnet.studies.points import grid_points, quasi_random_point, random_point

__all__ = ["make_pruner", "make_sampler", "slot_of"]

_REDUCTION = 3  # of the trials at a rung, one in three continues


def make_sampler(config: StudyConfig, trials: Callable[[], list[FrozenTrial]]) -> BaseSampler:
    """Return the sampler of a study.

    Args:
        config: of the study.
        trials: returns all trials of the study, by number.
    """
    if config.sampler == "tpe":
        return _SeededTPE(config.seed)
    d = len(config.space.dimensions)
    if config.sampler == "grid":
        grid = grid_points(config.space, config.recipe, config.trials, config.seed)
        return _PointSampler(config, trials, lambda slot: grid[slot % len(grid)])
    draw = random_point if config.sampler == "random" else quasi_random_point
    return _PointSampler(config, trials, lambda slot: draw(config.seed, slot, d))


def make_pruner(config: StudyConfig) -> BasePruner:
    """Return the pruner of a study; its first rung is a ninth of a trial's epochs."""
    first = max(1, -(-config.recipe.epochs // _REDUCTION**2))
    if config.pruner == "halving":
        return SuccessiveHalvingPruner(min_resource=first, reduction_factor=_REDUCTION)
    if config.pruner == "hyperband":
        return HyperbandPruner(first, config.recipe.epochs, _REDUCTION)
    return NopPruner()


def slot_of(number: int, trials: list[FrozenTrial]) -> int:
    """Return a trial's index among those that were sampled: a requeued trial is not."""
    return sum(t.number < number and "retry_of" not in t.user_attrs for t in trials)


class _PointSampler(BaseSampler):
    """Samples by the slot of a trial, whatever the other trials came to."""

    def __init__(
        self,
        config: StudyConfig,
        trials: Callable[[], list[FrozenTrial]],
        point: Callable[[int], list[float]],
    ) -> None:
        self._config, self._trials, self._point = config, trials, point
        self._params: tuple[int, Mapping[str, Any]] = (-1, {})

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
        if self._params[0] != trial.number:
            point = self._point(slot_of(trial.number, self._trials()))
            self._params = trial.number, self._config.space.params(point, self._config.recipe)
        return self._params[1][param_name]


class _SeededTPE(BaseSampler):
    """Optuna's TPE, seeded anew for each trial.

    So one worker samples the same values under the same seed, interrupted or not.
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
