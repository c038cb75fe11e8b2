"""A worker: it takes trials of a study until enough have come to an end."""

from __future__ import annotations

import gc
import logging
import math
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from alexnet.errors import Diverged, Interrupted, RecipeError
from alexnet.recipe import Recipe, changed
from alexnet.records import Epoch
from alexnet.studies.storage import optuna_quiet
from alexnet.studies.study import Study, give_back
from alexnet.training import StopRequest

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["TrainTrial", "Worker", "recipe_of"]

_log = logging.getLogger(__name__)

_LOOK_S = 0.5  # between two looks at a study whose last trials others run


class TrainTrial(Protocol):
    """Trains one recipe in a run folder, or goes on there.

    It calls `on_epoch` with each epoch as it is done, lets through what that raises, and returns
    all epochs of the run and the seconds that training and validation took.
    """

    def __call__(  # noqa: D102
        self, recipe: Recipe, folder: Path, on_epoch: Callable[[Epoch], None]
    ) -> tuple[list[Epoch], float]: ...


class _FailedError(Exception):
    """A trial that came to no figure; the reason is written down."""


@dataclass
class Worker:
    """Takes trials, one after the other.

    Args:
        study: an open one.
        train: trains a trial.
        stop: looked at between trials; `train` looks at its own.
        deadline: `time.monotonic()` from which on no trial is begun; None: never.
        on_look: called before each trial, and while others are waited for.
    """

    study: Study
    train: TrainTrial
    stop: StopRequest
    deadline: float | None = None
    on_look: Callable[[], object] = lambda: None
    _name: str = field(default="", init=False)
    _failed: bool = field(default=False, init=False)

    def work(self) -> None:
        """Take trials until the study is done, or the time is over.

        Raises:
            Interrupted: asked to stop; the trial at hand is given back with what it has.
            AlexNetError: pictures or disk refuse, which is no fault of a trial.
        """
        said = False
        with optuna_quiet(), self.study.worker() as self._name:
            while True:
                self._refuse_if_stopped()
                self.on_look()
                if self.deadline is not None and time.monotonic() >= self.deadline:
                    return
                with ExitStack() as turn:
                    turn.enter_context(self.study.turn())
                    for number in self.study.take_back_from_the_dead():
                        _log.warning("The worker of trial %d died; the trial goes on.", number)
                    now = self.study.progress()
                    if now.ended >= self.study.plan.wanted:
                        return
                    if now.waiting or now.ended + now.running < self.study.plan.wanted:
                        self._take(turn)
                        continue
                if not said:
                    _log.info("Waiting for %d trials that other workers run.", now.running)
                    said = True
                time.sleep(_LOOK_S)

    def _refuse_if_stopped(self) -> None:
        if self.stop:
            raise Interrupted(f"Stopped by {self.stop.reason}.")

    def _take(self, turn: ExitStack) -> None:
        """Run one trial; the turn ends as soon as its values are drawn."""
        taken: list[int] = []

        def objective(trial: Trial) -> float:
            taken.append(trial.number)
            recipe = self._sign(trial)
            turn.close()
            return self._run(trial, recipe)

        optuna_study = self.study.optuna
        try:
            optuna_study.optimize(objective, n_trials=1, catch=(_FailedError,))
        except Exception as error:
            if self._lost(taken):
                return
            for number in taken:
                died = not isinstance(error, Interrupted)
                give_back(optuna_study, self.study.trials()[number], died=died)
            raise
        if self._failed:  # its exception holds the network, and is held by its own traceback
            self._failed = False
            gc.collect()

    def _lost(self, taken: list[int]) -> bool:
        """Whether others took this worker for dead, as when its machine had slept."""
        goes_on = {each.user_attrs.get("retry_of") for each in self.study.trials()}
        lost = [number for number in taken if number in goes_on]
        for number in lost:
            _log.warning("Trial %d was given to another worker: this one was silent.", number)
        return bool(lost)

    def _sign(self, trial: Trial) -> Recipe:
        """Draw the values, and write down who runs the trial and where."""
        plan = self.study.plan
        values: dict[str, Any] = {}
        for dimension in plan.space.dimensions:
            if dimension.moves(values, plan.recipe):
                values[dimension.field] = trial._suggest(  # pyright: ignore[reportPrivateUsage]
                    dimension.field, dimension.distribution()
                )
        frozen = self.study.trials()[trial.number]
        trial.set_user_attr("run", self.study.folder_of(frozen))
        trial.set_user_attr("place", self.study.token)
        trial.set_user_attr("worker", self._name)
        return recipe_of(plan.recipe, values)

    def _run(self, trial: Trial, recipe: Recipe) -> float:
        """Train, report each epoch, and write down how it ended.

        Raises:
            _FailedError: it diverged, ran out of memory, or cannot be built.
            TrialPruned: it fell behind.
        """
        import optuna

        started = time.perf_counter()
        last = recipe.epochs
        known = set(self.study.trials()[trial.number].intermediate_values)  # of its first half

        def report(epoch: Epoch) -> bool:
            if epoch.val_error is None or epoch.epoch in known:
                return False
            trial.report(epoch.val_error, epoch.epoch)
            known.add(epoch.epoch)
            return True

        def on_epoch(epoch: Epoch) -> None:
            if not report(epoch):
                return
            if epoch.epoch < last and trial.should_prune():
                raise optuna.TrialPruned

        folder = self.study.folder / trial.user_attrs["run"]
        try:
            epochs, seconds = self.train(recipe, folder, on_epoch)
        except (Diverged, RecipeError, MemoryError, RuntimeError) as error:
            reason = _reason(error)
            if reason is None:
                raise
            trial.set_user_attr("reason", reason)
            _end(trial, folder, started)
            self._failed = True
            raise _FailedError(reason) from None
        except optuna.TrialPruned:
            _end(trial, folder, started)
            raise
        for each in epochs:  # a worker that died may have left one in its run alone
            report(each)
        best = min(
            (each for each in epochs if each.val_error is not None),
            key=lambda each: (each.val_error, _or_infinite(each.val_loss)),
        )
        trial.set_user_attr("loss", best.val_loss)
        trial.set_user_attr("training_seconds", seconds)
        _end(trial, folder, started)
        assert best.val_error is not None
        return best.val_error


def recipe_of(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """Return the recipe with a trial's values."""
    return changed(recipe, values)


def _end(trial: Trial, folder: Path, started: float) -> None:
    """Remove the checkpoints, which nothing goes on from any more, and write down the time."""
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    trial.set_user_attr("seconds", time.perf_counter() - started)


def _reason(error: Exception) -> str | None:
    """Return why a trial failed, as a sentence; None where it is not the trial's fault."""
    if isinstance(error, Diverged | RecipeError):
        return str(error)
    words = ("out of memory", "can't allocate memory", "not enough memory")
    if isinstance(error, MemoryError) or any(each in str(error) for each in words):
        return "There was not enough memory for it."
    return None


def _or_infinite(loss: float | None) -> float:
    return math.inf if loss is None or not math.isfinite(loss) else loss
