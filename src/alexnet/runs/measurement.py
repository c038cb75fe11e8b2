"""What a run's weights are worth, measured on images that they did not learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alexnet.evaluation import evaluate_weights
from alexnet.records import Results
from alexnet.runs.job import Job
from alexnet.weights import Weights

__all__ = ["CROSS_VALIDATION", "Measurement", "held_out_results", "measure_held_out"]

CROSS_VALIDATION = "cross-validation"
"""What stands for a split where every image was held out of a fold."""


@dataclass(frozen=True)
class Measurement:
    """What a run's weights are worth, and on which images it was measured."""

    split: str  # "val", "test", or `CROSS_VALIDATION`
    indices: NDArray[np.int64]  # (N,) of the images in the pack
    results: Results
    probabilities: NDArray[np.float32]  # (N, K)


def held_out_results(
    job: Job, weights: Weights, crops: int = 1
) -> tuple[Results, NDArray[np.float32]] | None:
    """Measure weights on the held-out split; also return the (N, K) probabilities."""
    if job.held_out is None:
        return None
    indices = job.splits[job.held_out]
    return evaluate_weights(weights, job.pack, indices, job.training.device, crops=crops)


def measure_held_out(job: Job, weights: Weights) -> Measurement | None:
    """Measure weights on the images that a job holds out, one center crop each; None: on none."""
    measured = held_out_results(job, weights)
    if measured is None or job.held_out is None:
        return None
    return Measurement(job.held_out, job.splits[job.held_out], *measured)
