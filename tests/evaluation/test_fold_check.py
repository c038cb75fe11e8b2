"""The check of folds: closed forms against refitting, and when it speaks."""

from __future__ import annotations

import numpy as np
import pytest

from alexnet.data import find_alike_features, merge_pairs, stratified_group_folds
from alexnet.evaluation import fold_difficulty, fold_warning


def clouds(per_class=24, classes=4, width=20, seed=0, apart=0.45):
    draw = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), per_class)
    centers = apart * draw.normal(size=(classes, width))
    return (centers[labels] + draw.normal(size=(len(labels), width))).astype(np.float32), labels


def bursts(members=4, **more):
    features, labels = clouds(**{"per_class": 8, **more})
    features = np.repeat(features, members, axis=0)
    features += 0.1 * np.random.default_rng(9).normal(size=features.shape).astype(np.float32)
    return features, np.repeat(labels, members), np.repeat(np.arange(len(labels)), members)


def refitted_accuracy(features, labels, parts):
    """Fit without each part and predict it, with nothing but the normal equations."""
    x = np.concatenate([features - features.mean(axis=0), np.ones((len(features), 1))], axis=1)
    x = x.astype(np.float64)
    lengths = (x[:, :-1] ** 2).sum(axis=1).mean()
    targets = np.where(labels[:, None] == np.arange(labels.max() + 1), 1.0, -1.0)
    right = []
    for held_out, left_out in parts:
        rest = np.setdiff1d(np.arange(len(labels)), left_out)
        normal = x[rest].T @ x[rest] + 0.03 * lengths * np.eye(x.shape[1])
        weight = np.linalg.solve(normal, x[rest].T @ targets[rest])
        right.append((x[held_out] @ weight).argmax(axis=1) == labels[held_out])
    return float(np.concatenate(right).mean())


def test_the_three_accuracies_are_those_of_refitting():
    features, labels, groups = bursts()
    found = fold_difficulty(features, labels, groups, 0.3)
    for accuracy, own in ((found.one_by_one, np.arange(len(labels))), (found.by_groups, groups)):
        folds = stratified_group_folds(labels, own, 5, 0)
        parts = [(np.flatnonzero(folds == k),) * 2 for k in range(5)]
        assert accuracy == pytest.approx(refitted_accuracy(features, labels, parts))
    alone = [(np.array([i]), np.flatnonzero(groups == groups[i])) for i in range(len(labels))]
    assert found.none_alike == pytest.approx(refitted_accuracy(features, labels, alone))


def test_bursts_are_said_with_their_figures():
    features, labels, _ = bursts()
    alike = find_alike_features(features, labels)
    groups = merge_pairs(np.arange(len(labels)), alike.too_close(), labels, 0.5)
    said = fold_warning(features, labels, groups)
    assert said is not None
    found = fold_difficulty(features, labels, groups, alike.limit)
    assert found.one_by_one > found.by_groups + 0.1
    assert f"right on {100 * found.one_by_one:.0f} % of them when they are held out one by" in said
    assert f"on {100 * found.by_groups:.0f} % when what belongs together" in said
    assert said.startswith("128 of 128 training images have another one of their class")
    assert said.endswith("keep some of those in a folder test.")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("apart", [0.0, 0.45, 3.0])
def test_separate_images_are_no_reason_to_warn(seed, apart):
    features, labels = clouds(seed=seed, apart=apart)
    assert fold_warning(features, labels, np.arange(len(labels))) is None


def test_a_few_copies_are_no_reason_to_warn():
    features, labels = clouds()
    features[1], features[30] = features[0], features[29]
    assert fold_warning(features, labels, np.arange(len(labels))) is None


def test_large_sets_are_warned_without_figures(monkeypatch):
    monkeypatch.setattr("alexnet.evaluation.fold_check._MOST", 100)
    features, labels, groups = bursts()
    said = fold_warning(features, labels, groups)
    assert said is not None
    assert "simple classifier" not in said
