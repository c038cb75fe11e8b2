"""A study: its folder, its storage, its trials, and the requeued trials of dead workers.

study.json     the config
study.journal  Optuna's journal, where no other storage is named
study.workers/ a lock for each worker, which the system releases when the worker dies
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
from alexnet.studies.config import StudyConfig
from alexnet.studies.storage import (
    close_storage,
    exclusive_lock,
    is_url,
    open_storage,
    quiet_optuna,
)

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.trial import FrozenTrial

__all__ = ["JOURNAL", "Progress", "Study", "open_study"]

JOURNAL = "study.journal"
_MAX_DEATHS = 3  # of workers during one trial, after which the trial itself fails


@dataclass(frozen=True)
class Progress:
    """How many trials of a study there are, by state."""

    finished: int  # complete, pruned or failed
    running: int
    waiting: int  # requeued, for the next worker


class Study:
    """An open study. Made by `open_study`."""

    def __init__(
        self, folder: Path, config: StudyConfig, storage: str, optuna_study: OptunaStudy
    ) -> None:
        self.folder, self.config, self.storage, self.optuna = folder, config, storage, optuna_study
        self.locks = _locks_folder(folder, storage)
        self.site = _site_id(self.locks)

    def trials(self) -> list[FrozenTrial]:
        """Return all trials by number, from the storage."""
        return self.optuna.get_trials(deepcopy=False)

    def progress(self) -> Progress:
        """Count the trials; one that was requeued counts under its new number."""
        from optuna.trial import TrialState

        trials = self.trials()
        requeued = {trial.user_attrs.get("retry_of") for trial in trials}
        states = [trial.state for trial in trials]
        finished = [t for t in trials if t.state.is_finished() and t.number not in requeued]
        return Progress(
            len(finished), states.count(TrialState.RUNNING), states.count(TrialState.WAITING)
        )

    def folder_of(self, trial: FrozenTrial) -> str:
        """Return a trial's run folder, relative to the study's."""
        return _run_folder(trial)

    @contextmanager
    def worker(self) -> Generator[str]:
        """Register a worker in the block; yield its name, whose lock shows others that it lives."""
        name = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(3)}"
        with locked(self.locks, name=f"{name}.lock"):
            yield name
        (self.locks / f"{name}.lock").unlink(missing_ok=True)

    @contextmanager
    def claim_lock(self) -> Generator[None]:
        """Hold the lock for claiming a trial, so that two workers do not start one too many."""
        with exclusive_lock(self.locks, "claim.lock"):
            yield

    def requeue_orphans(self) -> list[int]:
        """Requeue every running trial whose worker died; return their numbers.

        To be called with the `claim_lock`. Workers of this site are known to be dead by their
        lock; others, who share no more than a server, by their missing heartbeat.
        """
        import optuna
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        optuna.storages.fail_stale_trials(self.optuna)
        requeued: list[int] = []
        for trial in self.trials():
            if trial.state is not TrialState.RUNNING or not self._is_orphan(trial):
                continue
            try:
                failed = self.optuna._storage.set_trial_state_values(  # pyright: ignore[reportPrivateUsage]
                    trial._trial_id,  # pyright: ignore[reportPrivateUsage]
                    TrialState.FAIL,
                )
            except UpdateFinishedTrialError:
                continue  # another worker was faster
            if failed:
                requeue(self.optuna, trial)
                requeued.append(trial.number)
        return requeued

    def _is_orphan(self, trial: FrozenTrial) -> bool:
        attributes = trial.user_attrs
        if "worker" not in attributes:  # it died before it wrote down who it was
            return not is_url(self.storage)
        if attributes["site"] != self.site:
            return False
        try:
            with locked(self.locks, name=f"{attributes['worker']}.lock"):
                return True
        except RunError:
            return False


@contextmanager
def open_study(
    folder: Path, config: StudyConfig, storage: str | None = None, **storage_options: Any
) -> Generator[Study]:
    """Open the study of a folder: begin it, continue it, or join its other workers.

    Args:
        folder: made where missing; its name is the study's name in the storage.
        config: as that of the folder, if it has one, but for more `trials`.
        storage: journal file or PostgreSQL URL; None: a journal in the folder.
        **storage_options: as in `open_storage`.

    Raises:
        RunError: the folder or the storage holds another study (the differences are listed).
        RecipeError: Optuna is not installed, or the storage is of an unknown kind.
    """
    _require_study_or_empty(folder)
    with ExitStack() as stack:
        stack.enter_context(quiet_optuna())
        import optuna

        from alexnet.studies.samplers import make_pruner, make_sampler

        place = storage or str(folder / JOURNAL)
        optuna_storage = open_storage(place, requeue, **storage_options)
        stack.callback(close_storage, optuna_storage)
        optuna_study = optuna.create_study(
            storage=optuna_storage,
            study_name=folder.resolve().name,
            direction="minimize",
            pruner=make_pruner(config),
            load_if_exists=True,
        )
        stored = optuna_study.user_attrs.get("config")
        if stored is None:
            optuna_study.set_user_attr("config", config.to_json())
        else:
            _require_same_config(folder, StudyConfig.from_json(stored, str(folder)), config)
        write_json(folder / "study.json", {"config": config.to_json()})
        study = Study(folder, config, place, optuna_study)
        optuna_study.sampler = make_sampler(config, study.trials)
        yield study


def requeue(study: OptunaStudy, trial: FrozenTrial, *, died: bool = True) -> None:
    """Put a trial that its worker left back into the queue, with its values and its run folder.

    Args:
        study: Optuna's.
        trial: marked as failed already; it continues under a new number.
        died: whether the worker died; after three deaths the trial itself stays failed.
    """
    import optuna

    deaths = trial.user_attrs.get("deaths", 0) + died
    if deaths >= _MAX_DEATHS:
        return
    kept = {name: v for name, v in trial.user_attrs.items() if name not in ("worker", "site")}
    new = {"retry_of": trial.number, "deaths": deaths, "run_dir": _run_folder(trial)}
    history = [*trial.system_attrs.get("retry_history", []), trial.number]
    study.add_trial(
        optuna.create_trial(
            state=optuna.trial.TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=kept | new,
            system_attrs={
                **trial.system_attrs,
                "failed_trial": history[0],
                "retry_history": history,
            },
            intermediate_values=trial.intermediate_values,
        )
    )


def _run_folder(trial: FrozenTrial) -> str:
    return trial.user_attrs.get("run_dir", f"trials/{trial.number:04d}")


def _require_study_or_empty(folder: Path) -> None:
    """Raise RunError for a file, and for a folder that holds other things than a study."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file. Choose a folder for the study with --run-dir.")
    if (folder / "run.json").is_file():
        raise RunError(f"{folder} holds a run of train. Choose another folder with --run-dir.")
    known = {"study.json", JOURNAL, _locks_folder(folder, JOURNAL).name}
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
    if names and not known & names:
        raise RunError(
            f"{folder} is not empty and holds no study. Choose a new folder with --run-dir."
        )


def _require_same_config(folder: Path, then: StudyConfig, now: StudyConfig) -> None:
    differences = then.differences(now)
    if differences:
        raise RunError(
            f"{folder} holds another study. It differs in {'; '.join(differences)}. Choose another "
            "folder with --run-dir, or ask for the same again to continue it."
        )


def _locks_folder(folder: Path, storage: str) -> Path:
    """Return where workers that share a file system keep their locks: beside the journal."""
    journal = folder / JOURNAL if is_url(storage) else Path(storage)
    return journal.with_suffix(".workers")


def _site_id(locks: Path) -> str:
    """Return what is known to the workers that share these locks, and to no others."""
    path = locks / "site.json"
    with exclusive_lock(locks, "site.lock"):
        if not path.is_file():
            write_json(path, secrets.token_hex(8))
        return str(read_json(path))
