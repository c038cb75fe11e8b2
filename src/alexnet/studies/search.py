"""One call of `search`: prepare, open the study, run workers, retrain the best recipe, report."""

from __future__ import annotations

import dataclasses
import logging
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alexnet.data import Pack, open_source
from alexnet.devices import Device, choose_device
from alexnet.errors import Interrupted, RunError
from alexnet.locks import locked
from alexnet.progress import track
from alexnet.recipe import changed
from alexnet.recipes import choose_recipe
from alexnet.records import RetrainedRun, SearchReport, TrialRecord
from alexnet.reporting import write_study_report
from alexnet.runs import (
    FitOptions,
    Packing,
    fit,
    format_epoch,
    open_run,
    prepare,
    preparing,
    run_config,
    train_report,
)
from alexnet.studies.config import StudyConfig
from alexnet.studies.options import SearchOptions, find_study_folder, named_space, study_config
from alexnet.studies.results import (
    best_trial,
    field_importance,
    trial_records,
    write_best_recipe,
)
from alexnet.studies.storage import redact_url
from alexnet.studies.study import JOURNAL, Study, open_study
from alexnet.studies.trial_cost import estimate_trial_cost
from alexnet.studies.trial_log import TrialLog
from alexnet.studies.trial_training import TrialTraining
from alexnet.studies.trial_worker import TrialWorker
from alexnet.studies.worker_pool import WorkerConfig, WorkerPool
from alexnet.training import SaveEvery, StopRequest, stop_on_signals
from alexnet.urls import shown_place

__all__ = ["run_search"]

_log = logging.getLogger(__name__)

_POLL_S = 0.3


def run_search(options: SearchOptions) -> SearchReport:
    """Search as the options say; the errors are those of `alexnet.search`."""
    started = time.monotonic()
    recipe = choose_recipe(options.recipe, options.changes)
    space = named_space(options, recipe)
    with stop_on_signals() as stop:
        packing = Packing(cache=options.cache, unreadable=options.unreadable)
        with stop.at_once():
            images = open_source(
                options.source,
                class_depth=options.class_depth,
                join_classes=options.join_classes,
                name_encoding=options.name_encoding,
                cache_gb=options.cache_gb,
            )
            device = choose_device(
                options.precision, options.threads, exact_convolutions=options.exact_convolutions
            )
            job = prepare(images, recipe, device=device, packing=packing)
        config = study_config(options, recipe, space, job)
        folder = options.folder or find_study_folder(options.source, config)
        if options.dry_run:
            with stop.at_once():
                cost = estimate_trial_cost(job)
            return _report(options, config, folder, cost=cost, dry_run=True)
        search = _Search(options, config, device, packing, job.pack, stop)
        with open_study(folder, config, options.storage) as study:
            return search.run(study, started)


@dataclass(frozen=True)
class _Search:
    """One call of `search` on an open study."""

    options: SearchOptions
    config: StudyConfig
    device: Device
    packing: Packing
    pack: Pack
    stop: StopRequest

    def run(self, study: Study, started: float) -> SearchReport:
        """Run trials until the study is done, then report; also when it is interrupted."""
        _log.info("Study in %s; trials in %s", study.folder, study.folder / "trials")
        n_trials = self.config.n_trials
        with track("searching", n_trials) as advance:
            log = TrialLog(study, advance)
            try:
                self._run_trials(study, log)
            except Interrupted as error:
                log.update()
                self._write_report(study, [], started)
                raise Interrupted(
                    f"{error} {log.finished} of {n_trials} trials have ended. "
                    "The same command continues the study."
                ) from None
        return self._write_report(study, self._retrain(study), started)

    def _run_trials(self, study: Study, log: TrialLog) -> None:
        if self.options.workers == 1:
            self._run_worker(study, log)
        else:
            self._run_pool(study, log)
        log.update()

    def _run_worker(self, study: Study, log: TrialLog) -> None:
        """Run the trials in this process."""
        options = self.options
        deadline = None if options.minutes is None else time.monotonic() + 60 * options.minutes
        train = TrialTraining(
            options.source, self.pack, self.device, self.packing, options.save_every
        )
        worker = TrialWorker(study, train, self.stop, deadline)
        with closing(worker.steps()) as steps:
            for _ in steps:
                log.update()

    def _run_pool(self, study: Study, log: TrialLog) -> None:
        """Run the trials in processes, and watch them."""
        options = self.options
        config = WorkerConfig(
            folder=str(study.folder),
            source=str(options.source),
            storage=options.storage,
            study=self.config.to_json(),
            cache=options.cache,
            unreadable=options.unreadable,
            precision=self.device.precision,
            convolutions=self.device.convolutions,
            threads=max(1, self.device.threads // options.workers),
            save_every=options.save_every,
            minutes=options.minutes,
            trusted=options.changes.get("model"),
            class_depth=options.class_depth,
            join_classes=options.join_classes,
            name_encoding=options.name_encoding,
            cache_gb=options.cache_gb,
        )
        with WorkerPool(config, options.workers, study.locks) as pool:
            while pool:
                time.sleep(_POLL_S)
                log.update()
                if self.stop:
                    raise self.stop.interrupted()
                pool.replace_dead(done=log.done)

    def _retrain(self, study: Study) -> list[RetrainedRun]:
        """Train the best recipe with other seeds and evaluate each, once, on the test split."""
        best = best_trial(trial_records(study))
        if not self.options.retrain or best is None:
            return []
        if study.progress().finished < self.config.n_trials:
            _log.warning("The study is not done, so nothing is trained again yet.")
            return []
        try:
            with locked(study.folder, name="retrain.lock"):
                seeds = range(1, self.options.retrain + 1)
                return [self._train_once(study, best, self.config.seed + seed) for seed in seeds]
        except RunError as error:
            if "in use" not in str(error):
                raise
            _log.warning("The best recipe is being trained again elsewhere: %s", error)
            return []

    def _train_once(self, study: Study, best: TrialRecord, seed: int) -> RetrainedRun:
        recipe = changed(self.config.recipe, {**best.params, "seed": seed})
        folder = study.folder / "retrained" / f"seed-{seed}"
        command = ["alexnet", "train", shown_place(self.options.source), "--recipe"]
        command += [str(study.folder / "best.json"), "--seed", str(seed)]
        options = FitOptions(save_every=SaveEvery.parse(self.options.save_every))
        with stop_on_signals() as stop:
            with preparing(stop):
                job = prepare(self.pack, recipe, device=self.device, packing=self.packing)
            with open_run(folder, run_config(job, self.options.source, command)) as run:
                for epoch in fit(job, run, stop, options):
                    _log.info("%s", format_epoch(epoch, recipe.epochs))
                report = train_report(job, run)
        results = report.results
        return RetrainedRun(
            seed=seed,
            run_dir=str(folder),
            split=report.split,
            images=results.images if results else 0,
            error=1 - results.top1 if results else None,
        )

    def _write_report(
        self, study: Study, retrained: list[RetrainedRun], started: float
    ) -> SearchReport:
        """Write `best.json` and the page, and return all that was found."""
        trials = trial_records(study)
        best = best_trial(trials)
        report = _report(
            self.options,
            self.config,
            study.folder,
            trials=trials,
            best=best,
            best_recipe=str(write_best_recipe(study, best)) if best else None,
            importance=field_importance(trials, self.config.space),
            retrained=retrained,
            done=study.progress().finished >= self.config.n_trials,
            seconds=time.monotonic() - started,
        )
        layouts = self.config.layouts(len(report.finished) or self.config.n_trials)
        page = write_study_report(study.folder, report, layouts)
        return dataclasses.replace(report, report=str(page))


def _report(
    options: SearchOptions, config: StudyConfig, folder: Path, **results: Any
) -> SearchReport:
    return SearchReport(
        folder=str(folder),
        source=shown_place(options.source),
        storage=redact_url(options.storage or str(folder / JOURNAL)),
        sampler=config.sampler,
        pruner=config.pruner,
        n_trials=config.n_trials,
        space=config.space.records(config.recipe),
        model=config.recipe.model,
        epochs=config.recipe.epochs,
        **results,
    )
