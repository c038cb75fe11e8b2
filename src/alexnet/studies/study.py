"""A study: its folder, its storage, its trials, and the trials of workers that are no more.

study.json     what was asked
study.journal  Optuna's journal, where no other storage is named
study.workers/ a lock for each worker, which the system lets go when the worker dies
trials/0007/   a run folder for each trial
best.json      the best recipe so far, for `train --recipe`
report/        the page for people
retrained/     the best recipe with other seeds
"""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet.errors import RunError
from alexnet.files import read_json, write_json
from alexnet.locks import locked
from alexnet.studies.plan import Plan
from alexnet.studies.storage import close_storage, is_address, open_storage, optuna_quiet, turn

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.trial import FrozenTrial

__all__ = ["JOURNAL", "Progress", "Study", "open_study"]

JOURNAL = "study.journal"
_MOST_DEATHS = 3  # of workers during one trial, before the trial itself is to blame


@dataclass(frozen=True)
class Progress:
    """How far a study is."""

    ended: int  # trials that came to an end of their own
    running: int
    waiting: int  # given back, for the next worker


class Study:
    """An open study. Made by `open_study`."""

    def __init__(self, folder: Path, plan: Plan, storage: str, optuna_study: OptunaStudy) -> None:
        self.folder, self.plan, self.storage, self.optuna = folder, plan, storage, optuna_study
        self.place = place_of_workers(folder, storage)
        self.token = _token(self.place)

    def trials(self) -> list[FrozenTrial]:
        """Return all trials by number, as the storage has them now."""
        return self.optuna.get_trials(deepcopy=False)

    def progress(self) -> Progress:
        """Count the trials; one that was given back counts where it goes on."""
        from optuna.trial import TrialState

        trials = self.trials()
        given_back = {each.user_attrs.get("retry_of") for each in trials}
        states = [each.state for each in trials]
        ended = [e for e in trials if e.state.is_finished() and e.number not in given_back]
        return Progress(
            len(ended), states.count(TrialState.RUNNING), states.count(TrialState.WAITING)
        )

    def folder_of(self, trial: FrozenTrial) -> str:
        """Return the name of a trial's run folder, inside the study's."""
        return _run_of(trial)

    @contextmanager
    def worker(self) -> Generator[str]:
        """Be a worker while the block runs; gives its name, by which others see if it lives."""
        name = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(3)}"
        with locked(self.place, name=f"{name}.lock"):
            yield name
        (self.place / f"{name}.lock").unlink(missing_ok=True)

    @contextmanager
    def turn(self) -> Generator[None]:
        """Hold the right to take a trial, so that two workers do not take one too many."""
        with turn(self.place, "take.turn"):
            yield

    def take_back_from_the_dead(self) -> list[int]:
        """Give back every running trial whose worker died; return their numbers.

        To be called in one's `turn`. Workers of this place are known to be dead by their lock;
        others, who share no more than a server, by their silence.
        """
        import optuna
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        optuna.storages.fail_stale_trials(self.optuna)
        found: list[int] = []
        for trial in self.trials():
            if trial.state is not TrialState.RUNNING or not self._is_orphan(trial):
                continue
            try:
                failed = self.optuna._storage.set_trial_state_values(  # pyright: ignore[reportPrivateUsage]
                    trial._trial_id,  # pyright: ignore[reportPrivateUsage]
                    TrialState.FAIL,
                )
            except UpdateFinishedTrialError:
                continue  # another worker saw it, too, and was faster
            if failed:
                give_back(self.optuna, trial)
                found.append(trial.number)
        return found

    def _is_orphan(self, trial: FrozenTrial) -> bool:
        attributes = trial.user_attrs
        if "worker" not in attributes:  # it died in its turn, before it had signed
            return not is_address(self.storage)
        if attributes["place"] != self.token:
            return False
        try:
            with locked(self.place, name=f"{attributes['worker']}.lock"):
                return True
        except RunError:
            return False


@contextmanager
def open_study(
    folder: Path, plan: Plan, storage: str | None = None, **storage_options: Any
) -> Generator[Study]:
    """Open the study of a folder: begin it, go on with it, or join its other workers.

    Args:
        folder: made where missing; its name is the study's name in the storage.
        plan: what is asked now; `trials` may be more than before.
        storage: journal file or PostgreSQL address; None: a journal in the folder.
        **storage_options: as in `open_storage`.

    Raises:
        RunError: the folder or the storage holds another study (the differences are listed).
        RecipeError: Optuna is not installed, or the storage is of no kind that is known.
    """
    _refuse_strangers(folder)
    with ExitStack() as stack:
        stack.enter_context(optuna_quiet())
        import optuna

        from alexnet.studies.samplers import make_pruner, make_sampler

        where = storage or str(folder / JOURNAL)
        kept_in = open_storage(where, give_back, **storage_options)
        stack.callback(close_storage, kept_in)
        found = optuna.create_study(
            storage=kept_in,
            study_name=folder.resolve().name,
            direction="minimize",
            pruner=make_pruner(plan),
            load_if_exists=True,
        )
        kept = found.user_attrs.get("plan")
        if kept is None:
            found.set_user_attr("plan", plan.to_json())
        else:
            _refuse_other(folder, Plan.from_json(kept, str(folder)), plan)
        write_json(folder / "study.json", {"plan": plan.to_json()})
        study = Study(folder, plan, where, found)
        found.sampler = make_sampler(plan, study.trials)
        yield study


def give_back(study: OptunaStudy, trial: FrozenTrial, *, died: bool = True) -> None:
    """Put a trial that its worker left back into the queue, with its values and its run folder.

    Args:
        study: Optuna's.
        trial: it has failed already; the same values are tried again under a new number.
        died: whether the worker died; after three deaths the trial itself stays failed.
    """
    import optuna

    deaths = trial.user_attrs.get("deaths", 0) + died
    if deaths >= _MOST_DEATHS:
        return
    left = {name: v for name, v in trial.user_attrs.items() if name not in ("worker", "place")}
    own = {"retry_of": trial.number, "deaths": deaths, "run": _run_of(trial)}
    history = [*trial.system_attrs.get("retry_history", []), trial.number]
    study.add_trial(
        optuna.create_trial(
            state=optuna.trial.TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=left | own,
            system_attrs={
                **trial.system_attrs,
                "failed_trial": history[0],
                "retry_history": history,
            },
            intermediate_values=trial.intermediate_values,
        )
    )


def _run_of(trial: FrozenTrial) -> str:
    return trial.user_attrs.get("run", f"trials/{trial.number:04d}")


def _refuse_strangers(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file. Choose a folder for the study with --run.")
    if (folder / "run.json").is_file():
        raise RunError(f"{folder} holds a run of train. Choose another folder with --run.")
    known = {"study.json", JOURNAL, place_of_workers(folder, JOURNAL).name}
    strange = folder.is_dir() and any(folder.iterdir())
    if strange and not known & {each.name for each in folder.iterdir()}:
        raise RunError(f"{folder} is not empty and holds no study. Choose a new folder with --run.")


def _refuse_other(folder: Path, then: Plan, now: Plan) -> None:
    lines = then.differences(now)
    if lines:
        raise RunError(
            f"{folder} holds another study. It differs in {'; '.join(lines)}. Choose another "
            "folder with --run, or ask for the same again to continue it."
        )


def place_of_workers(folder: Path, storage: str) -> Path:
    """Return where workers that share a file system lock their names: beside the journal."""
    journal = folder / JOURNAL if is_address(storage) else Path(storage)
    return journal.with_suffix(".workers")


def _token(place: Path) -> str:
    """Return what is known at this place alone, so that workers elsewhere are not judged by it."""
    path = place / "place.json"
    with turn(place, "place.turn"):
        if not path.is_file():
            write_json(path, secrets.token_hex(8))
        return str(read_json(path))
