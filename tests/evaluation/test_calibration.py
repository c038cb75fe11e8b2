"""One temperature: found by a grid, kept in the last layer, never another prediction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from alexnet.evaluation import expected_calibration_error, fit_temperature, with_temperature
from alexnet.images import Preprocessing
from alexnet.models import build_model
from alexnet.weights import Weights


def drawn(images: int, *, temperature: float, classes: int = 4, seed: int = 0):
    """Logits of a network that is as sure as its labels, then divided by a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (images, classes))
    chance = softmax(logits, axis=1)
    labels = (chance.cumsum(axis=1) < rng.random(images)[:, None]).sum(axis=1)
    return softmax(logits / temperature, axis=1), np.minimum(labels, classes - 1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_was_divided_by_is_found_again(temperature):
    probabilities, labels = drawn(4000, temperature=temperature)
    assert fit_temperature(probabilities, labels) == pytest.approx(1 / temperature, rel=0.06)


def test_it_is_the_smallest_of_a_grid():
    probabilities, labels = drawn(300, temperature=2.0, seed=3)
    n, k = probabilities.shape
    targets = np.full((n, k), 1 / (n + 2) / (k - 1))
    targets[np.arange(n), labels] = (n + 1) / (n + 2)

    def loss(t: float) -> float:
        logs = log_softmax(np.log(probabilities) / t, axis=1)
        return -(targets * logs).sum() + (np.log(t) / 0.5) ** 2 / 2

    grid = np.geomspace(0.1, 10, 2001)
    best = grid[np.argmin([loss(t) for t in grid])]
    assert fit_temperature(probabilities, labels) == pytest.approx(best, rel=0.005)


def test_few_images_draw_it_to_one():
    """All correct: without a prior the best temperature would be near 0."""
    probabilities = np.tile([0.7, 0.3], (200, 1))
    found = [fit_temperature(probabilities[:n], np.zeros(n, np.int64)) for n in (1, 5, 20, 200)]
    assert 0.9 < found[0] < 1.1
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.3


def test_nothing_to_measure_leaves_it_at_one():
    assert fit_temperature(np.empty((0, 3)), np.empty(0, np.int64)) == 1.0
    assert fit_temperature(np.ones((5, 1)), np.zeros(5, np.int64)) == 1.0
    assert fit_temperature(np.full((5, 2), np.nan), np.zeros(5, np.int64)) == 1.0


def test_calibration_error_is_the_gap_of_the_bins():
    sure = np.array([0.55, 0.55, 0.95, 0.95])
    assert expected_calibration_error(sure, np.array([True, False, True, True])) == pytest.approx(
        0.05
    )
    assert expected_calibration_error(np.ones(4), np.ones(4, bool)) == 0.0
    assert expected_calibration_error(np.ones(4), np.zeros(4, bool)) == 1.0
    probabilities, labels = drawn(5000, temperature=1.0)
    right = probabilities.argmax(axis=1) == labels
    assert expected_calibration_error(probabilities.max(axis=1), right) < 0.03
    flat = softmax(np.log(probabilities) / 4, axis=1)
    assert expected_calibration_error(flat.max(axis=1), right) > 0.2


def weights_of(model: str, **arguments) -> Weights:
    network = build_model(model, classes=5, seed=1, **arguments)
    rule = Preprocessing(
        image_px=network.image_px,
        crop_px=network.crop_px,
        resize_mode="crop",
        order="RGB",
        mean=None,
        mean_at="crop",
        std=None,
    )
    return Weights(
        model=model,
        arguments={**network.arguments},
        state={name: each.clone() for name, each in network.state_dict().items()},
        classes=tuple("abcde"),
        preprocessing=rule,
    )


@pytest.mark.parametrize(
    "model", ["mlp", "alexnet_small", "alexnet_adaptive", "cifar_18pct", "cifar_11pct"]
)
def test_the_last_layer_takes_the_temperature(model):
    weights = weights_of(model)
    scaled = with_temperature(weights, 0.37)
    assert scaled is not None
    side = weights.preprocessing.crop_px
    x = torch.randn(6, 3, side, side, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        before, after = weights.network()(x), scaled.network()(x)
    torch.testing.assert_close(after, before / 0.37, rtol=2e-4, atol=1e-5)
    assert torch.equal(after.argmax(dim=1), before.argmax(dim=1))
    changed = [name for name in weights.state if weights.state[name] is not scaled.state[name]]
    assert len(changed) == 2


def test_weights_whose_logits_are_not_linear_in_the_last_layer_are_left_alone(monkeypatch):
    weights = weights_of("mlp")
    network = type(weights.network())
    forward = network.forward
    monkeypatch.setattr(network, "forward", lambda self, x: forward(self, x).tanh())
    assert with_temperature(weights, 0.5) is None
