"""The best temperature: against another minimization of the same loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

from alexnet.evaluation import best_temperature


@given(st.integers(0, 2**16), st.floats(0.2, 8.0))
def test_the_temperature_has_the_smallest_loss(seed, spread):
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, 40)
    logits = spread * (draw.normal(size=(40, 3)) + np.eye(3)[labels])
    temperature, loss = best_temperature(logits, labels)

    def reference(log_scale):
        logs = special.log_softmax(logits * np.exp(log_scale), axis=1)
        targets = np.full((40, 3), 1 / 42 / 2)
        targets[np.arange(40), labels] = 41 / 42
        return -(targets * logs).sum(axis=1).mean()

    best = optimize.minimize_scalar(reference, bounds=(-8, 8), method="bounded")
    assert loss <= best.fun + 1e-6
    assert reference(-np.log(temperature)) == pytest.approx(loss, abs=1e-9)


def test_weights_of_images_are_their_shares_of_the_loss():
    draw = np.random.default_rng(2)
    labels = draw.integers(0, 3, 30)
    logits = draw.normal(size=(30, 3)) + np.eye(3)[labels]
    weights = draw.integers(1, 4, 30).astype(np.float64)
    repeated = np.repeat(np.arange(30), weights.astype(int))
    weighed, _ = best_temperature(logits, labels, weights=weights)
    plain, _ = best_temperature(logits[repeated], labels[repeated])
    assert weighed == pytest.approx(plain, rel=0.05)  # but for the count in Platt's targets


def test_a_prior_draws_the_temperature_of_few_images_to_one():
    labels = np.array([0, 1, 0])
    logits = 20.0 * np.eye(2)[1 - labels]  # very sure, and wrong
    free, _ = best_temperature(logits, labels)
    drawn, _ = best_temperature(logits, labels, spread=0.5)
    assert 1 < drawn < free
