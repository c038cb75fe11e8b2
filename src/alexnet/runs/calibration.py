"""The temperature of a trained network, found on its validation images and kept in its weights."""

from __future__ import annotations

from dataclasses import dataclass

from alexnet.evaluation import evaluate_weights, fit_temperature, with_temperature
from alexnet.records import Record
from alexnet.runs.job import Job
from alexnet.weights import Weights

__all__ = ["Calibration", "calibrated"]


@dataclass(frozen=True, kw_only=True)
class Calibration(Record):
    """What a temperature brought on the validation images that it was found on.

    The loss is in nats, the error the expected calibration error in 0..1.
    """

    temperature: float
    images: int
    loss_before: float
    loss_after: float
    error_before: float | None
    error_after: float | None


def calibrated(job: Job, weights: Weights) -> tuple[Weights, Calibration | None]:
    """Return a job's weights with logits over the temperature that suits the validation images.

    No prediction changes. Weights are returned as they are, and None, where there is no validation
    image, where training was not by softmax, or where the logits are not linear in a last layer.

    Args:
        job: the training, with its pack.
        weights: the best ones, as training left them.
    """
    indices = job.splits.get("val")
    if indices is None or not len(indices) or job.recipe.loss != "softmax":
        return weights, None
    device = job.training.device
    before, probabilities = evaluate_weights(weights, job.pack, indices, device, crops=1)
    temperature = fit_temperature(probabilities, job.pack.labels[indices])
    scaled = with_temperature(weights, temperature)
    if scaled is None:
        return weights, None
    after, _ = evaluate_weights(scaled, job.pack, indices, device, crops=1)
    return scaled, Calibration(
        temperature=temperature,
        images=len(indices),
        loss_before=before.loss,
        loss_after=after.loss,
        error_before=before.calibration_error,
        error_after=after.calibration_error,
    )
