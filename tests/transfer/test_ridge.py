"""Ridge regression: against its normal equations, its penalty and temperature."""

import numpy as np
import pytest
import torch
from scipy import special

from alexnet.models import Block, build_model
from alexnet.transfer.pooled_rows import PooledRows
from alexnet.transfer.ridge import PENALTIES, choose_penalty, fit_ridge, ridge_head
from alexnet.transfer.ridge_trials import (
    RidgeTrials,
    Views,
    averaged_head,
    fit_head_of_views,
    scores_head,
)


def clusters(count: int, features: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three classes around points of their own."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    centers = draw.normal(size=(3, features))
    rows = centers[labels] + draw.normal(size=(count, features))
    return rows.astype(np.float32), labels.astype(np.int64)


def normal_equations(x, labels, penalty):
    """Weighted least squares with a free intercept, as one system of equations."""
    counts = np.bincount(labels)
    weights = (len(labels) / counts / len(counts))[labels]
    mean = (weights[:, None] * x).sum(axis=0) / weights.sum()
    scale = (weights[:, None] * (x - mean) ** 2).sum() / len(x)
    with_one = np.hstack([x, np.ones((len(x), 1))]).astype(np.float64)
    gram = with_one.T @ (weights[:, None] * with_one)
    gram[:-1, :-1] += penalty * scale * np.eye(x.shape[1])
    targets = 2.0 * np.eye(len(counts))[labels] - 1
    return np.linalg.solve(gram, with_one.T @ (weights[:, None] * targets))


@pytest.mark.parametrize("features", [4, 60], ids=["primal", "dual"])
def test_fits_solve_the_normal_equations(features):
    x, labels = clusters(30, features)
    x, labels = x[:-5], labels[:-5]  # classes of unequal size
    for penalty, fit in zip(PENALTIES, fit_ridge(x, labels, 3), strict=True):
        solution = normal_equations(x, labels, penalty)
        expected = x @ solution[:-1] + solution[-1]
        np.testing.assert_allclose(fit.logits(x), expected, atol=1e-4)


def test_a_class_without_rows_is_never_predicted():
    x, labels = clusters(30, 8)
    (fit,) = fit_ridge(x, labels, 4, [0.1])
    assert (fit.logits(x).argmax(axis=1) < 3).all()


def test_the_penalty_with_the_smallest_loss_is_chosen_not_the_most_accurate():
    labels = np.array([0, 1] * 20)
    sure = np.where(np.eye(2)[labels] > 0, 3.0, 0.0)
    barely = np.where(np.eye(2)[labels] > 0, 3.0, 0.0)
    barely[:4] = barely[:4, ::-1] * 5  # four that are wrong, and very sure
    assert choose_penalty([barely, sure], labels)[0] == 1


def views(rows: np.ndarray) -> Views:
    scores = rows[:, :3]
    return Views(PooledRows(rows, scores), PooledRows(rows[:, ::-1].copy(), scores))


def test_trials_predict_what_they_were_not_fitted_on():
    """Labels that are noise cannot be predicted, however well they are fitted."""
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(90, 200)).astype(np.float32)
    labels = draw.integers(0, 3, 90)
    trials, every = RidgeTrials(90, 3), np.arange(90)
    for fold in range(3):
        trials.fit(views(rows), labels, every[every % 3 != fold], every[every % 3 == fold])
    choice, logits = trials.choose(labels, every)
    assert (logits.argmax(axis=1) == labels).mean() < 0.55
    assert choice.temperature > 1  # unsure, where the fit itself is sure


def test_a_fitted_head_predicts_as_its_trials_did():
    rows, labels = clusters(60, 2 * 3 * 4, seed=4)
    trials, every = RidgeTrials(60, 3), np.arange(60)
    trials.fit(views(rows), labels, every, every)
    choice, logits = trials.choose(labels, every)
    head = fit_head_of_views(views(rows), labels, 3, choice, [Block("relu1", 2)])
    expected = special.softmax(logits, axis=1)
    with torch.inference_mode():
        np.testing.assert_allclose(head(torch.from_numpy(rows)).exp(), expected, atol=1e-5)


def test_heads_with_the_network_s_own_scores():
    network = build_model("alexnet_adaptive", classes=3, image_px=32, crop_px=32)
    rows, labels = clusters(30, 6)
    (fit,) = fit_ridge(rows, labels, 3, [0.1])
    head = ridge_head(fit, [Block("relu6")], temperature=0.5, chosen={})
    scores = torch.randn(30, 3)
    averaged = averaged_head(head, network.scores_layer, 2.0)
    with torch.inference_mode():
        both = averaged(torch.cat([torch.from_numpy(rows), scores], dim=1))
        expected = torch.from_numpy(fit.logits(rows) / 0.5) / 2 + scores / 2.0 / 2
        assert torch.allclose(both.exp(), expected.softmax(dim=1).float(), atol=1e-5)
        alone = scores_head(network, 2.0)(scores)
        assert torch.allclose(alone.exp(), (scores / 2).softmax(dim=1), atol=1e-6)
