"""How sure a network may be: one temperature for all its logits, kept in its last layer.

After Guo et al. (2017, "On Calibration of Modern Neural Networks"): logits are divided by one
number, so that probabilities come to be what they say. The order of the classes stays as it was. A
network whose logits are linear in its last layer keeps the number there, so every reader and every
export has the same probabilities, and no file needs a field for it.

Legend: N images, K classes.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from alexnet.evaluation.temperature import best_temperature
from alexnet.weights import Weights

__all__ = ["fit_temperature", "with_temperature"]

_SPREAD = 0.5  # of the logarithm of a temperature before anything is measured, one deviation
_LEAST = float(np.finfo(np.float32).tiny)  # a probability that was rounded to 0 is not impossible
_TOLERANCE = 1e-4  # of logits, relative to the largest


def fit_temperature(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Return what the logits are to be divided by for the smallest log loss on held-out images.

    Few images say little of it, and it is drawn to 1: a true class counts as (N + 1) / (N + 2),
    after Platt (1999), and the logarithm has a normal prior of deviation 0.5. No image gives 1.

    Args:
        probabilities: (N, K) softmax of the logits; one crop, no average.
        labels: (N,) true classes.
    """
    images, classes = probabilities.shape
    if not images or classes < 2 or not np.isfinite(probabilities).all():
        return 1.0
    logits = np.log(np.maximum(probabilities.astype(np.float64), _LEAST))
    return best_temperature(logits, labels, spread=_SPREAD)[0]


def with_temperature(weights: Weights, temperature: float) -> Weights | None:
    """Return weights whose logits are these weights' over a temperature; None: they cannot be.

    The last layer with weights is scaled, and what comes of it is compared on an image of noise:
    activation and pooling after it pass a factor on, anything else does not.

    Args:
        weights: of any network.
        temperature: above 0.
    """
    network = weights.network(copy=False)
    names = _last_layer(network)
    if not names:
        return None
    state = dict(weights.state)
    for name in names:
        state[name] = (state[name].double() / temperature).to(state[name].dtype)
    scaled = dataclasses.replace(weights, state=state)
    side = weights.preprocessing.crop_px
    noise = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before, after = network(noise).double(), scaled.network(copy=False)(noise).double()
    # Logits may differ by a number that softmax takes away again.
    wanted = torch.log_softmax(before / temperature, dim=1)
    error = (torch.log_softmax(after, dim=1) - wanted).abs().max()
    return scaled if bool(error <= _TOLERANCE * (1 + wanted.abs().max())) else None


def _last_layer(network: nn.Module) -> list[str]:
    """Return the names of the last layer's weight and bias; none: it has other parameters."""
    names = [name for name, _ in network.named_parameters()]
    layer = names[-1].rpartition(".")[0] if names else ""
    own = [name for name in names if name.rpartition(".")[0] == layer]
    kinds = {name.rpartition(".")[2] for name in own}
    return own if "weight" in kinds and kinds <= {"weight", "bias"} else []
