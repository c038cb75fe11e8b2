"""One call of `search`: prepare, open the study, let workers work, answer."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alexnet.data import Cache, Pack, Unreadable, open_source
from alexnet.devices import Device, Precision, choose_device
from alexnet.errors import AlexNetError, Interrupted, RecipeError, RunError
from alexnet.files import read_json
from alexnet.locks import locked
from alexnet.nn import Dropout
from alexnet.progress import Advance, track
from alexnet.recipe import Recipe, RecipeChanges, changed
from alexnet.recipes import choose_recipe
from alexnet.records import Retraining, SearchReport, TrialRecord
from alexnet.reporting import write_study_report
from alexnet.runs.identity import RUNS, dated_name, new_folder
from alexnet.runs.job import Job, Packing, prepare
from alexnet.runs.session import Manner, conduct
from alexnet.studies.plan import Plan, Pruner, Sampler
from alexnet.studies.results import best_of, field_importance, trial_records, write_best
from alexnet.studies.space import Space, usual_space
from alexnet.studies.spelling import read_space, space_of
from alexnet.studies.storage import shown_address
from alexnet.studies.study import JOURNAL, Study, open_study
from alexnet.studies.trial_cost import cost_of
from alexnet.studies.worker import Worker
from alexnet.studies.workers import Crew, Order, Trials
from alexnet.training import StopRequest, stop_on_signals

__all__ = ["Asked", "conduct_search", "trial_in_words"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The parameters of `search`."""

    source: Path
    recipe: str | None
    changes: RecipeChanges
    folder: Path | None
    vary: tuple[str, ...]
    space: Path | None
    sampler: Sampler
    pruner: Pruner
    trials: int
    minutes: float | None
    workers: int
    storage: str | None
    retrain: int
    dry_run: bool
    cache: Cache
    unreadable: Unreadable
    precision: Precision
    threads: int | None
    save_every: float | str


def conduct_search(asked: Asked) -> SearchReport:
    """Search, as `alexnet.studies` says."""
    started = time.monotonic()
    recipe = choose_recipe(asked.recipe, asked.changes)
    space = _asked_space(asked, recipe)
    with stop_on_signals() as stop:
        device = choose_device(asked.precision, asked.threads)
        packing = Packing(cache=asked.cache, unreadable=asked.unreadable)
        with stop.at_once():
            source = open_source(asked.source)
            job = prepare(source, recipe, device=device, packing=packing)
        plan = _plan(asked, recipe, space, job)
        folder = asked.folder or _default_folder(asked.source, plan)
        if asked.dry_run:
            with stop.at_once():
                return _report(asked, plan, folder, cost=cost_of(job), dry_run=True)
        search = _Search(asked, plan, folder, device, packing, job.pack, stop)
        return search.run(started)


class _Search:
    """One call of `search` on an open study."""

    def __init__(
        self,
        asked: Asked,
        plan: Plan,
        folder: Path,
        device: Device,
        packing: Packing,
        pack: Pack,
        stop: StopRequest,
    ) -> None:
        self.asked, self.plan, self.folder, self.stop = asked, plan, folder, stop
        self.device, self.packing, self.pack = device, packing, pack

    def run(self, started: float) -> SearchReport:
        """Work until the study is done, then answer; stopped, answer with what there is."""
        asked = self.asked
        with open_study(self.folder, self.plan, asked.storage) as study:
            _log.info("Study in %s; trials in %s", study.folder, study.folder / "trials")
            wanted = self.plan.wanted
            with track("searching", wanted) as advance:
                herald = _Herald(study, advance)
                try:
                    self._work(study, herald)
                except Interrupted as error:
                    herald()
                    self._answer(study, [], started)
                    raise Interrupted(
                        f"{error} {herald.ended} of {wanted} trials have ended. "
                        "The same command continues the study."
                    ) from None
            retrained = self._retrain(study)
            return self._answer(study, retrained, started)

    def _work(self, study: Study, herald: Callable[[], bool]) -> None:
        asked = self.asked
        if asked.workers == 1:
            deadline = None if asked.minutes is None else time.monotonic() + 60 * asked.minutes
            trials = Trials(asked.source, self.pack, self.device, self.packing, asked.save_every)
            Worker(study, trials, self.stop, deadline, herald).work()
            herald()
            return
        order = Order(
            folder=str(study.folder),
            source=str(asked.source),
            storage=asked.storage,
            plan=self.plan.to_json(),
            cache=asked.cache,
            unreadable=asked.unreadable,
            precision=self.device.precision,
            threads=max(1, self.device.threads // asked.workers),
            save_every=asked.save_every,
            minutes=asked.minutes,
            trusted=asked.changes.get("model"),
        )
        Crew(order, asked.workers, study.place, self.stop).work(herald)

    def _answer(self, study: Study, retrained: list[Retraining], started: float) -> SearchReport:
        """Write `best.json` and the page, and say it all."""
        trials = trial_records(study)
        best = best_of(trials)
        found = _report(
            self.asked,
            self.plan,
            study.folder,
            trials=trials,
            best=best,
            best_recipe=str(write_best(study, best)) if best else None,
            importance=field_importance(trials, self.plan.space),
            retrained=retrained,
            done=study.progress().ended >= self.plan.wanted,
            seconds=time.monotonic() - started,
        )
        layouts = self.plan.layouts(len(found.ended) or self.plan.wanted)
        page = write_study_report(study.folder, found, layouts)
        return dataclasses.replace(found, report=str(page))

    def _retrain(self, study: Study) -> list[Retraining]:
        """Train the best recipe with other seeds and measure each, once, on the test split."""
        best = best_of(trial_records(study))
        if not self.asked.retrain or best is None:
            return []
        if study.progress().ended < self.plan.wanted:
            _log.warning("The study is not done, so nothing is trained again yet.")
            return []
        try:
            with locked(study.folder, name="retrain.lock"):
                seeds = range(1, self.asked.retrain + 1)
                return [self._once_more(study, best, self.plan.seed + each) for each in seeds]
        except RunError as error:
            if "in use" not in str(error):
                raise
            _log.warning("The best recipe is being trained again elsewhere: %s", error)
            return []

    def _once_more(self, study: Study, best: TrialRecord, seed: int) -> Retraining:
        recipe = changed(self.plan.recipe, {**best.values, "seed": seed})
        folder = study.folder / "retrained" / f"seed-{seed}"
        words = ["alexnet", "train", str(self.asked.source), "--recipe"]
        words += [str(study.folder / "best.json"), "--seed", str(seed)]
        report = conduct(
            lambda: prepare(self.pack, recipe, device=self.device, packing=self.packing),
            self.asked.source,
            folder,
            save_every=self.asked.save_every,
            manner=Manner(command=words),
        )
        results = report.results
        return Retraining(
            seed=seed,
            run=str(folder),
            split=report.split,
            images=results.images if results else 0,
            error=1 - results.top1 if results else None,
        )


class _Herald:
    """Says each trial once when it has ended, and moves the bar."""

    def __init__(self, study: Study, advance: Advance) -> None:
        self._study, self._advance = study, advance
        self._said: set[int] = set()
        self.ended = 0
        earlier = [each for each in trial_records(study) if each.state != "running"]
        self._best = best_of(earlier)
        self._take(earlier)

    def __call__(self) -> bool:
        """Look at the study; return whether it is done."""
        trials = trial_records(self._study)
        new = [e for e in trials if e.state != "running" and e.number not in self._said]
        for each in new:
            better = best_of([each, *([self._best] if self._best else [])])
            self._best = better
            mark = "  best so far" if better is not None and better.number == each.number else ""
            _log.info("%s%s", trial_in_words(each), mark)
        self._take(new)
        return self.ended >= self._study.plan.wanted

    def _take(self, trials: list[TrialRecord]) -> None:
        self._said |= {each.number for each in trials}
        self.ended += len(trials)
        self._advance(len(trials))


def trial_in_words(trial: TrialRecord) -> str:
    """Return a line: number, how it ended, what was tried."""
    tried = ", ".join(f"{name} {_shown(value)}" for name, value in trial.values.items())
    if trial.state == "failed":
        return f"trial {trial.number:>3}  failed: {trial.reason}  ({tried})"
    ended = "" if trial.state == "complete" else f"  {trial.state} after epoch {len(trial.curve)}"
    error = "no figure" if trial.error is None else f"val error {trial.error:.2%}"
    return f"trial {trial.number:>3}  {error}{ended}  ({tried})"


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _report(asked: Asked, plan: Plan, folder: Path, **found: Any) -> SearchReport:
    return SearchReport(
        folder=str(folder),
        source=str(asked.source),
        storage=shown_address(asked.storage or str(folder / JOURNAL)),
        sampler=plan.sampler,
        pruner=plan.pruner,
        wanted=plan.wanted,
        space=plan.space.records(plan.recipe),
        model=plan.recipe.model,
        epochs=plan.recipe.epochs,
        **found,
    )


def _asked_space(asked: Asked, recipe: Recipe) -> Space | None:
    """Read what was said to move; None: nothing was."""
    if asked.space is not None:
        space = read_space(asked.space, recipe)
    elif asked.vary:
        space = space_of(asked.vary, recipe)
    else:
        return None
    for each in space.dimensions:
        if each.field in asked.changes:
            flag = f"--{each.field.replace('_', '-')}"
            raise RecipeError(f"{each.field} is to vary and has a value, too: take {flag} away.")
    return space


def _plan(asked: Asked, recipe: Recipe, space: Space | None, job: Job) -> Plan:
    has_dropout = any(isinstance(each, Dropout) for each in job.network.modules())
    if space is None:
        space = usual_space(recipe, tuple(asked.changes), has_dropout=has_dropout)
    elif not has_dropout and any(each.field == "dropout" for each in space.dimensions):
        raise RecipeError(f"{recipe.model} has no layer that drops units. Leave dropout out.")
    if not len(job.splits.get("val", ())):
        raise RecipeError(
            "A search follows the validation error, and there are no validation pictures. Give "
            "--val-fraction above 0."
        )
    return Plan(
        recipe=recipe,
        space=space,
        sampler=asked.sampler,
        pruner=asked.pruner,
        trials=asked.trials,
        fingerprint=job.pack.fingerprint,
        classes=tuple(job.pack.classes),
    )


def _default_folder(source: Path, plan: Plan) -> Path:
    """Return the folder of the same study where there is one, else a new one with date and name."""
    for kept in sorted(RUNS.glob("*/study.json"), key=lambda path: path.stat().st_mtime)[::-1]:
        try:
            if not Plan.from_json(read_json(kept)["plan"], str(kept)).differences(plan):
                return kept.parent
        except (AlexNetError, LookupError, TypeError):
            continue  # not readable: it is another one's
    name = f"{dated_name(source, plan.recipe.model)}-search"
    return new_folder(name, lambda folder: not folder.exists())
