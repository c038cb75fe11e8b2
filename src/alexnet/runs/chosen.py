"""A run whose way is chosen: every way tried, the best one followed, its figures written down.

Beside what each run folder holds: choice.json, and choice.npz with the logits of every way.

Legend: n images, K classes.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.distributed import alone, world
from alexnet.evaluation import compute_metrics, cross_validation_interval, fold_warning
from alexnet.files import disk_errors, read_json, write_json
from alexnet.models import HeadedNetwork, backbone_of
from alexnet.records import Epoch, WayScore
from alexnet.runs.choice import Candidates
from alexnet.runs.config import device_as_begun
from alexnet.runs.folder import Run
from alexnet.runs.job import Job
from alexnet.runs.measurement import CROSS_VALIDATION, Measurement, measure_held_out
from alexnet.runs.results import end_run
from alexnet.runs.session import FitOptions, fit
from alexnet.runs.ways import AVERAGE, HALFWAY_FEATURES, Division, Outcome, Ways, choose_outcome
from alexnet.text import format_count
from alexnet.training import StopRequest
from alexnet.transfer import RidgeChoice, averaged_head, fit_head_of_views, scores_head
from alexnet.weights import Weights, load_weights

__all__ = ["follow_best_way"]

_log = logging.getLogger(__name__)

_FILE, _ARRAYS = "choice.json", "choice.npz"


def follow_best_way(
    candidates: Candidates, run: Run, stop: StopRequest, options: FitOptions
) -> Generator[Epoch]:
    """Try the ways, follow the best to its end, or go on with it; yield each epoch of it.

    Where images are held out as usual, the ways are told apart at the end, since all but one share
    the fine-tuned network.

    Raises:
        Interrupted: somebody asked to stop; the same call goes on.
        Diverged: the loss is not finite.
    """
    job, tried = candidates.job, None
    device = device_as_begun(
        run.config,
        job.training.device,
        precision=options.precision,
        threads=options.threads,
        exact_convolutions=options.exact_convolutions,
    )
    job.training.device = candidates.ways.device = device  # of the folds, too: it shapes last bits
    if candidates.crossed and not run.finished:
        first = world().first
        with (
            alone()
        ):  # the ways are tried by one process; the one that is chosen is followed by all
            tried = _tried(candidates, run, stop) if first else None
        facts = (tried.warning, tried.chosen.trains) if tried else None
        warning, trains = world().from_first(facts)
        if warning:
            job = replace(job, warnings=(*job.warnings, warning))
        if not trains:
            job.training.schedule.plan.stop_reason = "no layer is trained on"
    yield from fit(job, run, stop, options, finish=partial(_finish, candidates, stop, tried))


@dataclass(frozen=True)
class _Tried:
    """What each way came to, and how the images were divided to find it out."""

    outcomes: list[Outcome]
    division: Division
    warning: str | None = None  # where the folds look easier than new images will be

    @property
    def seconds(self) -> float:
        """Of trying: all ways but the first share one fine-tuning for each fold."""
        return sum(outcome.score.seconds for outcome in self.outcomes[:2])

    @property
    def chosen(self) -> Outcome:
        return choose_outcome(self.outcomes, len(self.division.measured))


def _tried(candidates: Candidates, run: Run, stop: StopRequest) -> _Tried:
    """Try each way on folds; read back what was found out before."""
    file, arrays = run.folder / _FILE, run.folder / _ARRAYS
    if file.is_file():
        return _read(file, arrays)
    with stop.at_once():
        division = candidates.divide()
    _log.info(
        "Each way is tried on %d folds of %s.",
        len(division.folds),
        format_count(len(division.measured), "image"),
    )
    ways = candidates.ways
    warning = fold_warning(ways.base_views.plain.features, ways.labels, division.groups)
    outcomes = ways.measure(division.folds, partial(candidates.tune, stop=stop), stop)
    with disk_errors(arrays):
        logits = np.stack([outcome.logits for outcome in outcomes])
        np.savez(arrays, fold_of=division.fold_of, groups=division.groups, logits=logits)
    write_json(file, {"ways": [_plain(outcome) for outcome in outcomes], "warning": warning})
    return _Tried(outcomes, division, warning)


def _plain(outcome: Outcome) -> dict[str, Any]:
    ridge = asdict(outcome.ridge) if outcome.ridge else None
    return {"score": outcome.score.to_json(), "temperature": outcome.temperature, "ridge": ridge}


def _read(file: Path, path: Path) -> _Tried:
    saved = read_json(file)
    with np.load(path, allow_pickle=False) as arrays:
        outcomes = [
            Outcome(
                WayScore(**each["score"]),
                logits,
                each["temperature"],
                RidgeChoice(**each["ridge"]) if each["ridge"] else None,
            )
            for each, logits in zip(saved["ways"], arrays["logits"], strict=True)
        ]
        division = Division(arrays["fold_of"], arrays["groups"])
        return _Tried(outcomes, division, saved["warning"])


def _finish(
    candidates: Candidates,
    stop: StopRequest,
    tried: _Tried | None,
    job: Job,
    run: Run,
    *,
    measured: bool,
    png: bool,
) -> None:
    """Make the final weights of the chosen way, measure them, and end the run."""
    run.saver.wait()
    ways, tuned = candidates.ways, None
    if job.training.state.step:
        tuned = candidates.evaluated(load_weights(run.weights))
    if tried is None:
        assert tuned is not None, "a run that holds images out trains"
        division, own = candidates.divide(), tuned
        tried = _Tried(ways.measure(division.folds, lambda fold: own, stop), division)
    chosen = tried.chosen
    base = tuned if chosen.trains and tuned else candidates.base
    if chosen.name == HALFWAY_FEATURES:
        base = ways.halfway(base)
    rows = np.arange(len(ways.indices)) if candidates.crossed else tried.division.folds[0].train
    weights = _final_weights(chosen, base, ways, rows, job)
    crossed = _cross_validation(tried, ways, job) if candidates.crossed else None
    measurement = measure_held_out(job, weights) or crossed
    end_run(
        job,
        run,
        weights,
        measurement if measured else None,
        png=png,
        seconds=job.training.state.all_seconds + tried.seconds,
        way=chosen.name,
        why=_reason(tried, crossed=candidates.crossed),
        ways=[replace(each.score, chosen=each is chosen).to_json() for each in tried.outcomes],
        cross_validation=crossed.results.to_json() if crossed else None,
    )


def _reason(tried: _Tried, *, crossed: bool) -> str:
    images = format_count(len(tried.division.measured), "image")
    if crossed:
        folds = len(tried.division.folds)
        return f"{tried.chosen.name} was best in {folds}-fold cross-validation on {images}"
    return f"{tried.chosen.name} was best on {images} that were held out"


def _final_weights(
    chosen: Outcome, base: Weights, ways: Ways, rows: NDArray[np.int64], job: Job
) -> Weights:
    """Return the weights that predict in the chosen way.

    Args:
        chosen: the way.
        base: of the network that the way ends with.
        ways: has the images.
        rows: positions of those that a head is fitted on.
        job: for the classes and the recipe.
    """
    network = backbone_of(base.network())
    if chosen.ridge is None:
        head = scores_head(network, chosen.temperature)
    else:
        views, blocks = ways.views(base, rows)
        labels, classes = ways.labels[rows], len(job.pack.classes)
        head = fit_head_of_views(views, labels, classes, chosen.ridge, blocks)
        if chosen.name == AVERAGE:
            head = averaged_head(head, network.scores_layer, chosen.temperature)
    headed = HeadedNetwork(network, head)
    return Weights(
        model=headed.model,
        arguments=headed.arguments,
        state=headed.state_dict(),
        classes=tuple(job.pack.classes),
        class_words=job.class_words,
        preprocessing=base.preprocessing,
        recipe=job.recipe.to_json(),
    )


def _cross_validation(tried: _Tried, ways: Ways, job: Job) -> Measurement:
    """Return what the chosen way is worth on images that its folds held out."""
    rows = tried.division.measured
    labels, logits = ways.labels[rows], tried.chosen.logits[rows]
    probabilities = torch.from_numpy(logits).softmax(dim=1).float().numpy()
    results = compute_metrics(probabilities, labels, job.pack.classes, crops=1)
    right = logits.argmax(axis=1) == labels
    interval = cross_validation_interval(
        right, tried.division.groups[rows], folds=len(tried.division.folds)
    )
    results = replace(results, top1_interval=interval)
    return Measurement(CROSS_VALIDATION, ways.indices[rows], results, probabilities)
