"""Baselines of a fine-tuning: the same network from scratch, and a head on its features."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from alexnet.errors import Diverged, RunError
from alexnet.files import read_json, write_json
from alexnet.recipe import Recipe
from alexnet.records import Baseline, Results, TrainReport
from alexnet.reporting import add_baselines
from alexnet.runs.config import run_config
from alexnet.runs.finetune import scratch_recipe, with_first_weights
from alexnet.runs.folder import open_run
from alexnet.runs.job import Job, Packing, Start, prepare
from alexnet.runs.results import held_out_results, train_report
from alexnet.runs.session import FitOptions, fit, format_epoch, preparing
from alexnet.text import format_count
from alexnet.training import stop_on_signals
from alexnet.transfer import fit_head
from alexnet.weights import RUN_WEIGHTS, Weights, load_weights, save_weights

__all__ = ["Baselines", "require_held_out"]

_log = logging.getLogger(__name__)

_FILE = "baselines.json"
_FOLDER = "baselines"


def require_held_out(job: Job) -> None:
    """Raise where baselines could not be measured, before any is trained.

    Raises:
        RunError: no images are held out.
    """
    if job.held_out is None:
        raise RunError(
            "Nothing is held out, so there is nothing to compare on. Bring a folder val or test, "
            "or give --val-fraction above 0."
        )


@dataclass(frozen=True)
class Baselines:
    """What a fine-tuning and its baselines have in common.

    The baselines lie in the run's folder `baselines`; `baselines.json` keeps the figures, the page
    shows them.

    Args:
        report: of the fine-tuning.
        job: its training, with the images and their split; some are held out.
        base: the weights that it began with.
        source: as the user named it.
        crops: views of each image.
        options: as the fine-tuning was asked for.
    """

    report: TrainReport
    job: Job
    base: Weights
    source: Path
    crops: int
    options: FitOptions

    def measure(self) -> list[Baseline]:
        """Train from scratch, fit a head, and measure all three on the same held-out images.

        What is there already, of the same fine-tuning, is read back.
        """
        run_dir, tuned = Path(self.report.run_dir), load_weights(Path(self.report.weights))
        file, key = run_dir / _FILE, {"crops": self.crops, "weights": tuned.digest}
        if file.is_file():
            saved = read_json(file)
            if saved["of"] == key:
                return [Baseline.from_json(each) for each in saved["baselines"]]
        baselines = [
            self._from_scratch(run_dir / _FOLDER / "from-scratch"),
            self._features_and_logistic(run_dir / _FOLDER / "features-logistic.safetensors"),
            Baseline(
                name="fine-tuned",
                weights=self.report.weights,
                results=self._results(tuned),
                seconds=self.report.seconds,
            ),
        ]
        values = [each.to_json() for each in baselines]
        write_json(file, {"of": key, "baselines": values})
        if self.report.report:
            add_baselines(run_dir, values)
        return baselines

    def _from_scratch(self, folder: Path) -> Baseline:
        """Train the network with its first weights, in a run of its own that can be continued."""
        job = self.job
        recipe = scratch_recipe(Start(job.network, job.preprocessing, None), job.recipe)
        epochs = format_count(recipe.epochs, "epoch")
        _log.info("Comparing: the same network from scratch, for %s.", epochs)
        remark, seconds = None, 0.0
        try:
            seconds = self._train(folder, recipe).seconds
        except Diverged as error:
            remark = f"{str(error).partition('. ')[0].rstrip('.')}."
        file = folder / RUN_WEIGHTS
        results = self._results(load_weights(file)) if file.is_file() else None
        return Baseline(
            name="from scratch",
            weights=str(file) if results else None,
            results=results,
            seconds=seconds,
            remark=remark,
        )

    def _train(self, folder: Path, recipe: Recipe) -> TrainReport:
        job = self.job
        with stop_on_signals() as stop:
            with preparing(stop):
                start = with_first_weights(self.base, recipe, len(job.pack.classes))
                device = job.training.device
                job = prepare(job.pack, recipe, device=device, packing=Packing(), start=start)
            with open_run(folder, run_config(job, self.source)) as run:
                for epoch in fit(job, run, stop, replace(self.options, measured=False)):
                    _log.info("%s", format_epoch(epoch, recipe.epochs))
                return train_report(job, run)

    def _features_and_logistic(self, file: Path) -> Baseline:
        _log.info("Comparing: a logistic head on the features.")
        job = self.job
        fitted = fit_head(
            self.base,
            job.pack,
            job.train,
            kind="logistic",
            layer=None,
            device=job.training.device,
            precision="fp32",
            seed=job.recipe.seed,
        )
        results = self._results(fitted.weights)
        save_weights(file, replace(fitted.weights, results=results.to_json()))
        return Baseline(
            name="features and logistic", weights=str(file), results=results, seconds=fitted.seconds
        )

    def _results(self, weights: Weights) -> Results:
        measured = held_out_results(self.job, weights, self.crops)
        assert measured is not None, "an error before"
        return measured[0]
