"""Baselines of a fine-tuning: the same network from scratch, a head on its features, no network."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.devices import convolving
from alexnet.errors import Diverged, RunError
from alexnet.evaluation import BATCH, compute_metrics
from alexnet.files import read_json, write_json
from alexnet.images import resize_to_square
from alexnet.recipe import Recipe
from alexnet.records import Baseline, Results, TrainReport
from alexnet.reporting import add_baselines
from alexnet.runs.config import run_config
from alexnet.runs.finetune import scratch_recipe, with_first_weights, with_new_head
from alexnet.runs.folder import open_run
from alexnet.runs.job import Job, Packing, Start, prepare
from alexnet.runs.measurement import held_out_results
from alexnet.runs.results import train_report
from alexnet.runs.session import FitOptions, fit, format_epoch, preparing
from alexnet.text import format_count
from alexnet.training import stop_on_signals
from alexnet.transfer import fit_head
from alexnet.transfer.last_layer import fit_last_layer
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
        """Train from scratch, fit a head and classic classifiers, and measure all of them.

        On the same held-out images; the classic classifiers see each as one square of 64 pixels.

        What is there already, of the same fine-tuning, is read back.
        """
        run_dir, tuned = Path(self.report.run_dir), load_weights(Path(self.report.weights))
        file, key = run_dir / _FILE, {"crops": self.crops, "weights": tuned.digest}
        if file.is_file():
            saved = read_json(file)
            if saved["of"] == key:
                return [Baseline.from_json(each) for each in saved["baselines"]]
        baselines = [
            *self._without_network(),
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

    def _without_network(self) -> list[Baseline]:
        """Fit and measure classic classifiers of small images."""
        from alexnet.transfer.image_baselines import fit_image_baselines

        _log.info("Comparing: classic classifiers of small images.")
        job, started = self.job, time.perf_counter()
        train, held_out = (self._small_images(job.splits[name]) for name in ("train", self._split))
        labels = job.pack.labels[job.splits[self._split]]
        baselines: list[Baseline] = []
        for fitted in fit_image_baselines(train, job.pack.labels[job.train], seed=job.recipe.seed):
            probabilities = np.zeros((len(labels), len(job.pack.classes)), dtype=np.float32)
            probabilities[:, fitted.classes] = fitted.predict_proba(held_out)
            results = compute_metrics(probabilities, labels, job.pack.classes, crops=1)
            seconds = time.perf_counter() - started
            started += seconds
            baselines.append(
                Baseline(name=fitted.name, weights=None, results=results, seconds=seconds)
            )
        return baselines

    @property
    def _split(self) -> str:
        assert self.job.held_out is not None, "an error before"
        return self.job.held_out

    def _small_images(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return stored squares at 64 pixels: (n, 64, 64, 3)."""
        from alexnet.transfer.image_baselines import IMAGE_PX

        parts = [
            resize_to_square(image, IMAGE_PX, "squash")
            for start in range(0, len(indices), BATCH)
            for image in self.job.pack.read(indices[start : start + BATCH])
        ]
        return np.stack(parts)

    def _features_and_logistic(self, file: Path) -> Baseline:
        _log.info("Comparing: a logistic head on the features.")
        started = time.perf_counter()
        job, recipe = self.job, self.job.recipe
        start = with_new_head(self.base, len(job.pack.classes), seed=recipe.seed)
        if start.fits_last_layer:
            weights = self._fitted_alone(start)
        else:
            device = job.training.device
            weights = fit_head(
                self.base,
                job.pack,
                job.train,
                kind="logistic",
                layer=None,
                device=device,
                precision="fp32",
                seed=recipe.seed,
            ).weights
        seconds = time.perf_counter() - started
        results = self._results(weights)
        save_weights(file, replace(weights, results=results.to_json()))
        return Baseline(
            name="features and logistic", weights=str(file), results=results, seconds=seconds
        )

    def _fitted_alone(self, start: Start) -> Weights:
        """Fit the last layer as the fine-tuning began with it."""
        job, network = self.job, start.network
        device = job.training.device
        device.place(network)
        with convolving(device.convolutions):
            fit_last_layer(
                network,
                start.preprocessing,
                job.pack,
                job.train,
                balanced=job.recipe.class_weights == "auto",
                seed=job.recipe.seed,
            )
        return Weights(
            model=network.model,
            arguments=network.arguments,
            state=network.cpu().state_dict(),
            classes=tuple(job.pack.classes),
            class_words=dict(job.class_words),
            preprocessing=start.preprocessing,
            recipe=self.base.recipe,
        )

    def _results(self, weights: Weights) -> Results:
        measured = held_out_results(self.job, weights, self.crops)
        assert measured is not None, "an error before"
        return measured[0]
