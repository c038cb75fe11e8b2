"""What the report of a run is drawn from: its journal, predictions, images and machine."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from alexnet.models import Network
from alexnet.records import Epoch
from alexnet.reporting import ReportData, describe_preprocessing
from alexnet.runs.folder import Run
from alexnet.runs.job import Job
from alexnet.runs.measurement import Measurement
from alexnet.text import format_arithmetic, format_bytes, format_count, format_duration
from alexnet.weights import Weights

if TYPE_CHECKING:
    from torch import nn

__all__ = ["first_filters", "report_data"]

_SAMPLE = 64  # images, to see whether they have colors


def report_data(
    run: Run,
    job: Job,
    weights: Weights,
    measurement: Measurement,
    facts: Mapping[str, Any],
) -> ReportData:
    """Gather what the report of a finished run shows.

    Args:
        run: its folder: config and journal.
        job: the training that came to its end, with its pack.
        weights: the best ones, which made the predictions.
        measurement: what was measured, and on which images.
        facts: what `results.json` is going to hold: split, seconds, peak memory, why it ended.
    """
    pack, indices = job.pack, measurement.indices
    epochs, sample = run.epochs(), pack.read(indices[:_SAMPLE])
    filters, no_filters = first_filters(
        weights.network(copy=False),
        weights.preprocessing.order,
        gray=bool((sample == sample[..., :1]).all()),
    )
    return ReportData(
        title=pack.where.resolve().name,
        command=shlex.join(run.config["command"]),
        split=facts["split"],
        recipe=job.recipe.to_json(),
        epochs=epochs,
        results=measurement.results,
        paths=[pack.paths[int(i)] for i in indices],
        labels=pack.labels[indices],
        probabilities=measurement.probabilities,
        classes=pack.classes,
        image=lambda item: pack.read(indices[item : item + 1])[0],
        class_words=job.class_words,
        filters=filters,
        no_filters=no_filters,
        facts=_facts(job, weights, epochs, facts) | _processes(run) | run.config["versions"],
        preprocessing=describe_preprocessing(weights.preprocessing),
        split_sizes={name: len(each) for name, each in job.splits.items() if len(each)},
        skipped=pack.skipped,
        notes=_notes(facts),
        ways=facts.get("ways", ()),
        why=facts.get("why", ""),
    )


def first_filters(
    network: Network, order: str, *, gray: bool
) -> tuple[NDArray[np.float32] | None, str]:
    """Return the first layer's kernels over red, green and blue, or None and why there are none.

    Args:
        network: any.
        order: of the channels that it takes: "RGB" or "BGR".
        gray: the images have no color, so that only the sum over the channels matters.

    Returns:
        (F, 3, k, k) kernels, and a sentence for where there are none.
    """
    modules = cast("Iterator[tuple[str, nn.Module]]", network.named_modules())
    name, layer = next((name, each) for name, each in modules if not any(each.children()))
    weight = dict(layer.named_parameters(recurse=False)).get("weight")
    if weight is None or weight.ndim != 4 or weight.shape[1] != 3:
        return None, f"The first layer of {network.model}, {name}, is not a convolution."
    kernels = weight.detach().float().cpu().numpy()
    if gray:
        kernels = np.repeat(kernels.sum(axis=1, keepdims=True), 3, axis=1)
    return np.ascontiguousarray(kernels[:, ::-1] if order == "BGR" else kernels), ""


def _facts(
    job: Job, weights: Weights, epochs: Sequence[Epoch], facts: Mapping[str, Any]
) -> dict[str, str]:
    device, memory = job.training.device, facts["peak_memory_mb"]
    arithmetic = format_arithmetic(device.precision, device.convolutions)
    lines = {
        "images": f"{len(job.train):,} to train on, {len(job.pack):,} in all",
        "training time": format_duration(facts["seconds"]),
    }
    if epochs:
        speed = statistics.median(each.images_per_s for each in epochs)
        lines["images/s"] = f"{speed:,.0f} in training"
    lines |= {
        "machine": f"{device.processor}, {format_count(device.threads, 'thread')}",
        "parameters": f"{sum(each.numel() for each in weights.network(copy=False).parameters()):,}",
        "ended because": _ending(facts),
        "precision": f"{arithmetic} ({device.reason})",
    }
    if found := facts.get("calibration"):
        count = format_count(found["images"], "validation image")
        lines["temperature"] = f"{found['temperature']:.2f}, of {count}; in the last layer"
    return lines | ({"most memory": f"{memory:,.0f} MB"} if memory else {})


def _processes(run: Run) -> dict[str, str]:
    """Return a line on what each of several processes had to do; nothing where there was one."""
    begun = [each["processes"] for each in run.events("begin") if "processes" in each]
    epochs = run.events("processes")
    if not begun or not epochs:
        return {}
    count, latest = begun[-1]["count"], begun[-1]["parallel"]
    shared = [each for each in epochs if len(each["images"]) == count]

    def sums(name: str) -> list[float]:
        return [sum(values) for values in zip(*(each[name] for each in shared), strict=True)]

    images = ", ".join(f"{number:,.0f}" for number in sums("images"))
    loading, waiting = (
        ", ".join(f"{seconds:,.1f}" for seconds in sums(name))
        for name in ("loading_s", "waiting_s")
    )
    sent = format_bytes(round(statistics.mean(sums("sent_bytes"))))
    return {
        "processes": f"{count}, each batch shared by {latest}; in {len(shared)} epochs they "
        f"computed on {images} images, waited {loading} s for these and {waiting} s for each "
        f"other, and sent {sent} each"
    }


def _ending(facts: Mapping[str, Any]) -> str:
    best = facts["best_epoch"]
    return f"{facts['stop_reason']}; best after epoch {best}" if best else facts["stop_reason"]


def _notes(facts: Mapping[str, Any]) -> list[str]:
    """Say what a reader should know before trusting the figures."""
    notes = list(facts["warnings"])
    if facts["split"] == "val" and facts.get("ways"):
        if not facts.get("cross_validation"):
            notes.append(
                "These validation images also chose the way, so the figure is a little flattering. "
                "A test split that training never sees gives a fair one."
            )
    elif facts["split"] == "val":
        notes.append(
            "These validation images also chose the best epoch, so the figure is a little "
            "flattering. A test split that training never sees gives a fair one."
        )
    return notes
