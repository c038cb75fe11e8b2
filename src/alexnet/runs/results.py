"""The end of a run: its best weights measured, `results.json`, the page, the report."""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

from alexnet.devices import peak_memory_mb
from alexnet.files import read_json, write_json
from alexnet.records import Results, TrainReport, WayScore
from alexnet.reporting import write_report
from alexnet.runs.advice import final_advice
from alexnet.runs.calibration import calibrated
from alexnet.runs.folder import Run
from alexnet.runs.job import Job
from alexnet.runs.measurement import Measurement, measure_held_out
from alexnet.runs.report_data import report_data
from alexnet.weights import Weights, load_weights, save_weights

__all__ = ["end_run", "train_report", "write_results"]


def write_results(job: Job, run: Run, *, measured: bool, png: bool = False) -> None:
    """Measure the best weights of a run that came to its end, and write results and page.

    Args:
        job: the training.
        run: its folder.
        measured: otherwise nothing is measured and no page is drawn, as for a trial of a search.
        png: whether the page's figures are written as PNG files, too.
    """
    run.saver.wait()
    weights, more = load_weights(run.weights), dict[str, Any]()
    if measured and weights.results is None:  # else a call before this one did it, and was stopped
        weights, calibration = calibrated(job, weights)
        more = {} if calibration is None else {"calibration": calibration.to_json()}
    measurement = measure_held_out(job, weights) if measured else None
    end_run(job, run, weights, measurement, png=png, **more)


def end_run(
    job: Job,
    run: Run,
    weights: Weights,
    measurement: Measurement | None,
    *,
    png: bool = False,
    **more: Any,
) -> None:
    """Write the weights of a run with their results, the page, and that the run is finished.

    Args:
        job: the training.
        run: its folder.
        weights: the final ones.
        measurement: of them; None: nothing was measured, and no page is drawn.
        png: whether the page's figures are written as PNG files, too.
        **more: facts for `results.json` beside the usual ones.
    """
    state, plan = job.training.state, job.training.schedule.plan
    results = measurement.results.to_json() if measurement else None
    save_weights(run.weights, dataclasses.replace(weights, results=results))
    split = measurement.split if measurement else None
    warnings = [str(line["sentence"]) for line in run.events("warning")]
    if measurement:
        for sentence in final_advice(job, run.config, run.folder, measurement.results, warnings):
            run.write("warning", {"about": "results", "sentence": sentence})
            warnings.append(sentence)
    saving = {
        "checkpoint_bytes": run.checkpoint_bytes,
        "saving_seconds": state.saving_seconds,
    }
    run.write("end", {"why": plan.stop_reason, "split": split, **saving})
    facts = {
        "split": split,
        "results": results,
        "stop_reason": plan.stop_reason,
        "best_epoch": plan.best_epoch,
        "seconds": state.all_seconds,
        "peak_memory_mb": peak_memory_mb(),
        "warnings": warnings,
        **more,
    }
    if measurement:
        write_report(run.folder, report_data(run, job, weights, measurement, facts), png=png)
    write_json(run.folder / "results.json", facts)


def train_report(job: Job, run: Run) -> TrainReport:
    """Read back what a finished run came to."""
    facts = read_json(run.folder / "results.json")
    epochs = run.events("epoch")
    page = run.folder / "report" / "index.html"
    return TrainReport(
        run_dir=str(run.folder),
        weights=str(run.weights),
        report=str(page) if page.is_file() else None,
        continued=run.continued,
        already_finished=run.already_finished,
        stop_reason=facts["stop_reason"],
        split=facts["split"],
        results=_results(facts["results"]),
        epochs=len(epochs),
        best_epoch=facts["best_epoch"],
        seconds=facts["seconds"],
        images_per_s=statistics.median(each["images_per_s"] for each in epochs) if epochs else 0.0,
        peak_memory_mb=facts["peak_memory_mb"],
        skipped=len(job.pack.skipped),
        warnings=facts.get("warnings", []),
        way=facts.get("way", "finetune" if run.config.get("start") else "scratch"),
        why=facts.get("why", ""),
        ways=[WayScore(**each) for each in facts.get("ways", [])],
        cross_validation=_results(facts.get("cross_validation")),
    )


def _results(values: dict[str, Any] | None) -> Results | None:
    return Results.from_json(values) if values else None
