"""What a fine-tuning is held against: the same network from scratch, and a head on its features."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from alexnet.build import Job, Packing, final_results, prepare
from alexnet.cli.session import Manner, conduct
from alexnet.devices import Precision
from alexnet.errors import Diverged, RunError
from alexnet.evaluation import Exactness
from alexnet.files import read_json, write_json
from alexnet.records import Results, TrainReport
from alexnet.reporting import add_comparison
from alexnet.transfer import scratch_recipe, teach_head, with_first_weights
from alexnet.transfer_records import Compared
from alexnet.weights import Weights, load_weights, save_weights
from alexnet.words import counted

__all__ = ["compare_ways", "refuse_nothing_held_out"]

_log = logging.getLogger(__name__)

_KEPT = "comparison.json"
_FOLDER = "compared"


def refuse_nothing_held_out(job: Job) -> None:
    """Raise where no ways could be compared, before any is taken.

    Raises:
        RunError: no pictures are held out.
    """
    if job.held_out is None:
        raise RunError(
            "Nothing is held out, so there is nothing to compare on. Bring a folder val or test, "
            "or give --val-fraction above 0."
        )


def compare_ways(
    report: TrainReport,
    job: Job,
    base: Weights,
    source: Path,
    *,
    crops: int,
    precision: Precision,
    threads: int | None,
) -> list[Compared]:
    """Train from scratch and teach a head, and measure all three on the same held-out pictures.

    Both lie in the run's folder `compared`; `comparison.json` keeps the figures, the page shows
    them. What is there already, of the same fine-tuning, is read back.

    Args:
        report: of the fine-tuning.
        job: its training, with the pictures and their split; some are held out.
        base: the weights that it began with.
        source: as the user named it.
        crops: views of each picture.
        precision: as the fine-tuning was asked for.
        threads: likewise.
    """
    run = Path(report.run)
    asked = {"crops": crops, "weights": load_weights(Path(report.weights)).digest}
    if (run / _KEPT).is_file():
        kept = read_json(run / _KEPT)
        if kept["asked"] == asked:
            return [Compared.from_json(each) for each in kept["compared"]]
    scratch = _from_scratch(run, job, base, source, crops, precision, threads)
    _log.info("Comparing: a logistic head on the features.")
    compared = [
        scratch,
        _features_and_logistic(run, job, base, crops),
        Compared(
            name="fine-tuned",
            weights=report.weights,
            results=_measured(load_weights(Path(report.weights)), job, crops),
            seconds=report.seconds,
        ),
    ]
    values = [each.to_json() for each in compared]
    write_json(run / _KEPT, {"asked": asked, "compared": values})
    if report.report:
        add_comparison(run, [each.to_json() for each in compared])
    return compared


def _from_scratch(
    run: Path,
    job: Job,
    base: Weights,
    source: Path,
    crops: int,
    precision: Precision,
    threads: int | None,
) -> Compared:
    """Train the network with its first weights, in a run of its own that can be continued."""
    classes = len(job.pack.classes)
    recipe = scratch_recipe(with_first_weights(base, job.recipe, classes), job.recipe)
    _log.info("Comparing: the same network from scratch, for %s.", counted(recipe.epochs, "epoch"))

    def make() -> Job:
        start = with_first_weights(base, recipe, classes)
        device = job.training.device
        return prepare(job.pack, recipe, device=device, packing=Packing(), start=start)

    folder, remark, seconds = run / _FOLDER / "from-scratch", None, 0.0
    try:
        seconds = conduct(
            make,
            source,
            folder,
            precision=precision,
            threads=threads,
            manner=Manner(measured=False),
        ).seconds
    except Diverged as error:
        remark = f"{str(error).partition('. ')[0].rstrip('.')}."
    weights, results = folder / "weights.safetensors", None
    if weights.is_file():
        results = _measured(load_weights(weights), job, crops)
    return Compared(
        name="from scratch",
        weights=str(weights) if results else None,
        results=results,
        seconds=seconds,
        remark=remark,
    )


def _features_and_logistic(run: Path, job: Job, base: Weights, crops: int) -> Compared:
    exact: Exactness = "fp32"
    taught = teach_head(
        base,
        job.pack,
        job.train,
        kind="logistic",
        layer=None,
        device=job.training.device,
        precision=exact,
        seed=job.recipe.seed,
    )
    results = _measured(taught.weights, job, crops)
    out = run / _FOLDER / "features-logistic.safetensors"
    save_weights(out, dataclasses.replace(taught.weights, results=results.to_json()))
    return Compared(
        name="features and logistic", weights=str(out), results=results, seconds=taught.seconds
    )


def _measured(weights: Weights, job: Job, crops: int) -> Results:
    found = final_results(job, weights, crops)
    assert found is not None, "refused before"
    return found[0]
