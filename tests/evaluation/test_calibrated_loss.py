"""The log loss at the best temperature, against scipy's search for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special

from alexnet.evaluation import calibrated_loss


def drawn(images: int, classes: int, strength: float, seed: int):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    logits = rng.normal(size=(images, classes))
    logits[np.arange(images), labels] += strength
    return logits, labels


def probabilities(logits):
    return special.softmax(logits, axis=1).astype(np.float32)


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("strength", [0.5, 2.0, 6.0])
def test_it_is_the_smallest_of_all_temperatures(classes, strength):
    logits, labels = drawn(40, classes, strength, 1)
    targets = np.full(logits.shape, 1 / 42 / (classes - 1))
    targets[np.arange(40), labels] = 41 / 42

    def loss(log_scale):
        logs = special.log_softmax(logits * np.exp(log_scale), axis=1)
        return -(targets * logs).sum(axis=1).mean()

    best = optimize.minimize_scalar(loss, bounds=(-4, 4), method="bounded").fun
    assert calibrated_loss(probabilities(logits), labels) == pytest.approx(best, abs=2e-3)


def test_how_sure_a_network_is_makes_no_difference():
    logits, labels = drawn(30, 5, 2.0, 2)
    one, surer, milder = (
        calibrated_loss(probabilities(logits * scale), labels) for scale in (1, 3, 0.3)
    )
    assert one == pytest.approx(surer, abs=5e-3) == pytest.approx(milder, abs=5e-3)


def test_better_predictions_have_a_lower_loss_also_where_all_are_right():
    losses = [
        calibrated_loss(probabilities(drawn(30, 5, s, 3)[0]), drawn(30, 5, s, 3)[1])
        for s in (0.5, 2, 4, 9)
    ]
    assert losses == sorted(losses, reverse=True)
    sure = np.eye(3, dtype=np.float32)[[0, 1, 2]]  # zeros are no infinite loss
    assert np.isfinite(calibrated_loss(sure, np.array([0, 1, 0])))
