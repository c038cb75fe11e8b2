"""A worker: it claims trials of a study until enough have finished."""

from __future__ import annotations

import gc
import logging
import math
import shutil
import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from alexnet.errors import Diverged, Interrupted, RecipeError
from alexnet.recipe import Recipe, changed
from alexnet.records import Epoch
from alexnet.studies.storage import quiet_optuna
from alexnet.studies.study import Study, requeue
from alexnet.training import StopRequest

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["TrainTrial", "TrialWorker"]

_log = logging.getLogger(__name__)

_POLL_S = 0.5  # while other workers run the last trials

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


class TrainTrial(Protocol):
    """Trains one recipe in a run folder, or continues there.

    It yields each epoch when it is done, and before the first one those of earlier calls. Closed
    before its end, it leaves a run that can be continued.
    """

    def __call__(self, recipe: Recipe, folder: Path) -> Generator[Epoch]: ...  # noqa: D102


class _FailedError(Exception):
    """A trial without a result; the reason is stored with it."""


@dataclass
class TrialWorker:
    """Runs trials, one after the other.

    Args:
        study: an open one.
        train: trains a trial.
        stop: checked between trials; `train` checks its own.
        deadline: `time.monotonic()` from which on no trial is started; None: never.
    """

    study: Study
    train: TrainTrial
    stop: StopRequest
    deadline: float | None = None
    _name: str = field(default="", init=False)
    _failed: bool = field(default=False, init=False)

    def work(self) -> None:
        """Run trials until the study is done, or the deadline has passed; raises as `steps`."""
        for _ in self.steps():
            pass

    def steps(self) -> Generator[None]:
        """Run trials; yield before each one, and now and then while waiting for other workers.

        Raises:
            Interrupted: asked to stop; the current trial is requeued with what it has.
            AlexNetError: images or disk fail, which is not due to the trial.
        """
        waiting = False
        with quiet_optuna(), self.study.worker() as self._name:
            while True:
                yield
                if self.stop:
                    raise self.stop.interrupted()
                if self.deadline is not None and time.monotonic() >= self.deadline:
                    return
                with ExitStack() as claim:
                    claim.enter_context(self.study.claim_lock())
                    for number in self.study.requeue_orphans():
                        _log.warning("The worker of trial %d died; the trial goes on.", number)
                    progress = self.study.progress()
                    missing = self.study.config.n_trials - progress.finished
                    if missing <= 0:
                        return
                    if progress.waiting or progress.running < missing:
                        self._run_next(claim)
                        continue
                if not waiting:
                    _log.info("Waiting for %d trials that other workers run.", progress.running)
                    waiting = True
                time.sleep(_POLL_S)

    def _run_next(self, claim: ExitStack) -> None:
        """Run one trial; the claim lock is released as soon as its values are sampled."""
        numbers: list[int] = []

        def objective(trial: Trial) -> float:
            numbers.append(trial.number)
            recipe = self._sample_recipe(trial)
            claim.close()
            return self._run(trial, recipe)

        optuna_study = self.study.optuna
        try:
            optuna_study.optimize(objective, n_trials=1, catch=(_FailedError,))
        except Exception as error:
            if self._was_requeued(numbers):
                return
            for number in numbers:
                died = not isinstance(error, Interrupted)
                requeue(optuna_study, self.study.trials()[number], died=died)
            raise
        if self._failed:  # its exception holds the network, and is held by its own traceback
            self._failed = False
            gc.collect()

    def _was_requeued(self, numbers: list[int]) -> bool:
        """Whether others took this worker for dead, as when its machine had slept."""
        requeued = {trial.user_attrs.get("retry_of") for trial in self.study.trials()}
        lost = [number for number in numbers if number in requeued]
        for number in lost:
            _log.warning(
                "Trial %d was given to another worker: no heartbeat came from here.", number
            )
        return bool(lost)

    def _sample_recipe(self, trial: Trial) -> Recipe:
        """Sample the values, and store who runs the trial and where."""
        config = self.study.config
        params: dict[str, Any] = {}
        for dimension in config.space.dimensions:
            if dimension.is_active(params, config.recipe):
                params[dimension.field] = trial._suggest(  # pyright: ignore[reportPrivateUsage]
                    dimension.field, dimension.distribution()
                )
        frozen = self.study.trials()[trial.number]
        trial.set_user_attr("run_dir", self.study.folder_of(frozen))
        trial.set_user_attr("site", self.study.site)
        trial.set_user_attr("worker", self._name)
        return changed(config.recipe, params)

    def _run(self, trial: Trial, recipe: Recipe) -> float:
        """Train, report each epoch, and store how it ended.

        Raises:
            _FailedError: it diverged, ran out of memory, or the recipe is invalid.
            TrialPruned: it fell behind.
        """
        import optuna

        started = time.perf_counter()
        folder = self.study.folder / trial.user_attrs["run_dir"]
        try:
            epochs = self._train(trial, recipe, folder)
        except (Diverged, RecipeError, MemoryError, RuntimeError) as error:
            reason = _failure_reason(error)
            if reason is None:
                raise
            trial.set_user_attr("reason", reason)
            _finish(trial, folder, started)
            self._failed = True
            raise _FailedError(reason) from None
        except optuna.TrialPruned:
            _finish(trial, folder, started)
            raise
        best = min(
            (epoch for epoch in epochs if epoch.val_error is not None),
            key=lambda epoch: (epoch.val_error, _finite_or_inf(epoch.val_loss)),
        )
        trial.set_user_attr("val_loss", best.val_loss)
        trial.set_user_attr("training_seconds", sum(epoch.seconds for epoch in epochs))
        _finish(trial, folder, started)
        assert best.val_error is not None
        return best.val_error

    def _train(self, trial: Trial, recipe: Recipe, folder: Path) -> list[Epoch]:
        """Train to the end and return all epochs; each is reported once, whoever trained it."""
        import optuna

        reported = set(self.study.trials()[trial.number].intermediate_values)  # before a requeue
        epochs: dict[int, Epoch] = {}
        with closing(self.train(recipe, folder)) as training:
            for epoch in training:
                epochs[epoch.epoch] = epoch
                if epoch.val_error is None or epoch.epoch in reported:
                    continue
                trial.report(epoch.val_error, epoch.epoch)
                reported.add(epoch.epoch)
                if epoch.epoch < recipe.epochs and trial.should_prune():
                    raise optuna.TrialPruned
        return list(epochs.values())


def _finish(trial: Trial, folder: Path, started: float) -> None:
    """Remove the checkpoints, which nothing continues from any more, and store the time."""
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    trial.set_user_attr("seconds", time.perf_counter() - started)


def _failure_reason(error: Exception) -> str | None:
    """Return why a trial failed, as a sentence; None where it is not due to the trial."""
    if isinstance(error, Diverged | RecipeError):
        return str(error)
    if isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY):
        return "There was not enough memory for it."
    return None


def _finite_or_inf(loss: float | None) -> float:
    return math.inf if loss is None or not math.isfinite(loss) else loss
