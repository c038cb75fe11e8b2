"""The end of a run: its best weights measured, `results.json`, the page, the report."""

from __future__ import annotations

import dataclasses
import statistics

import numpy as np
from numpy.typing import NDArray

from alexnet.devices import peak_memory_mb
from alexnet.evaluation import evaluate_weights
from alexnet.files import read_json, write_json
from alexnet.records import Results, TrainReport
from alexnet.reporting import write_report
from alexnet.runs.advice import final_advice
from alexnet.runs.folder import Run
from alexnet.runs.job import Job
from alexnet.runs.report_data import report_data
from alexnet.weights import Weights, load_weights, save_weights

__all__ = ["held_out_results", "train_report", "write_results"]


def held_out_results(
    job: Job, weights: Weights, crops: int = 1
) -> tuple[Results, NDArray[np.float32]] | None:
    """Measure weights on the held-out split; also return the (N, K) probabilities."""
    if job.held_out is None:
        return None
    indices = job.splits[job.held_out]
    return evaluate_weights(weights, job.pack, indices, job.training.device, crops=crops)


def write_results(job: Job, run: Run, *, measured: bool) -> None:
    """Measure the best weights of a run that came to its end, and write results and page.

    Args:
        job: the training.
        run: its folder.
        measured: otherwise nothing is measured and no page is drawn, as for a trial of a search.
    """
    run.saver.wait()
    state, plan = job.training.state, job.training.schedule.plan
    weights = load_weights(run.weights)
    measurement = held_out_results(job, weights) if measured else None
    results = measurement[0].to_json() if measurement else None
    save_weights(run.weights, dataclasses.replace(weights, results=results))
    split = job.held_out if measurement else None
    warnings = [str(line["sentence"]) for line in run.events("warning")]
    if measurement:
        for sentence in final_advice(job, run.config, run.folder, measurement[0], warnings):
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
    }
    if measurement:
        data = report_data(
            run, job, weights, results=measurement[0], probabilities=measurement[1], facts=facts
        )
        write_report(run.folder, data)
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
        results=Results.from_json(facts["results"]) if facts["results"] else None,
        epochs=len(epochs),
        best_epoch=facts["best_epoch"],
        seconds=facts["seconds"],
        images_per_s=statistics.median(each["images_per_s"] for each in epochs),
        peak_memory_mb=facts["peak_memory_mb"],
        skipped=len(job.pack.skipped),
        warnings=facts.get("warnings", []),
    )
