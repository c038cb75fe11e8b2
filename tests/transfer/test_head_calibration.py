"""Which candidate is taken in a tie, how sure it may be, and that rare classes count."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn", reason="heads need scikit-learn")

from scipy import optimize, special
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from alexnet.transfer.head_calibration import HeldOut, choose_candidate, row_weights
from alexnet.transfer.head_conversion import head_from_sklearn
from alexnet.transfer.head_search import search_head


def apart(classes: int = 2, count: int = 40, seed: int = 0):
    """Classes that every choice of parameters tells apart."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centers = 6 * np.eye(classes, 12)
    return (centers[labels] + draw.normal(size=(count, 12))).astype(np.float32), labels


def rare(count: int, seed: int):
    """Two classes that overlap, one in twenty of the second."""
    draw = np.random.default_rng(seed)
    labels = (np.arange(count) % 20 == 0).astype(np.int64)
    return (draw.normal(size=(count, 6)) + 1.2 * labels[:, None]).astype(np.float32), labels


def calibration_error(probabilities, labels, bins: int = 10) -> float:
    """Expected calibration error (Guo et al., 2017)."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    which = np.minimum((sure * bins).astype(int), bins - 1)
    return sum(
        (which == i).mean() * abs(sure[which == i].mean() - right[which == i].mean())
        for i in range(bins)
        if (which == i).any()
    )


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", ["logistic", "svm", "mlp"])
def test_a_tie_takes_the_least_regularized_and_is_sure(kind, classes):
    found = search_head(kind, *apart(classes, 42))
    assert sum(each.top1 == 1 for each in found.candidates) >= 3
    wanted = {"C": 10.0} if kind != "mlp" else {"alpha": 0.1, "hidden_layer_sizes": [128]}
    assert found.best_parameters == wanted
    x, labels = apart(classes, 300, seed=1)
    probabilities = found.predict_proba(x)
    assert probabilities[np.arange(300), labels].mean() > 0.85  # 0.502 with the smallest C
    assert log_loss(labels, probabilities) < 0.2
    assert probabilities.max() < 1 - 1e-9  # 42 images are no certainty


def test_a_tie_of_neighbors_keeps_probabilities_between():
    x, labels = apart(3, 120)
    found = search_head("knn", x, labels)
    tied = [each for each in found.candidates if each.score == found.best.score]
    assert len(tied) > 4
    assert 1 < found.best_parameters["n_neighbors"] < 25


def held_out(logits, labels=(0, 1, 0, 1), scaled: bool = True) -> HeldOut:
    return HeldOut(np.array(logits, dtype=np.float64), np.array(labels), None, scaled)


def test_score_comes_first_then_the_least_regularized_that_is_no_surer_than_it_should_be():
    right = [[1, 0], [0, 1], [1, 0], [0, 1]]
    wrong = [[1, 0], [0, 1], [1, 0], [1, 0]]
    assert choose_candidate([held_out(right), held_out(wrong)]) == 0
    assert choose_candidate([held_out(wrong), held_out(right)]) == 1
    assert choose_candidate([held_out(right)] * 3) == 2
    labels = np.arange(40) % 2
    steady = np.stack([1 - labels, labels], axis=1) * 2.0
    steady[:4] *= -0.1  # wrong, and hardly sure of it
    rash = steady.copy()
    rash[:4] *= 300  # wrong, and more sure than of anything
    pair = [held_out(each, labels) for each in (steady, rash)]
    assert pair[0].score == pair[1].score
    assert choose_candidate(pair) == 0


def test_the_temperature_is_that_of_the_smallest_loss():
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 4, 300)
    logits = 9 * (draw.normal(size=(300, 4)) + np.eye(4)[labels])
    weights = compute_sample_weight("balanced", labels)
    found = HeldOut(logits, labels, weights, True)
    targets = np.where(np.eye(4)[labels] == 1, 301 / 302, 1 / 302 / 3)

    def loss(temperature: float) -> float:
        logs = special.log_softmax(logits / temperature, axis=1)
        return float((weights * -(targets * logs).sum(axis=1)).sum())

    wanted = optimize.minimize_scalar(loss, bounds=(0.1, 100), method="bounded").x
    assert found.temperature == pytest.approx(wanted, rel=1e-3)
    assert HeldOut(logits, labels, weights, False).temperature == 1


@pytest.mark.parametrize("class_weight", ["balanced", None, {0: 1.0, 1: 3.0}])
def test_it_is_scikit_learns_fit_with_the_same_weights_at_the_temperature(class_weight):
    """The same search by scikit-learn's own pipeline, cross-validation and class weights."""
    x, labels = rare(400, 0)
    found = search_head("logistic", x, labels, class_weight=class_weight, seed=3)
    folds = StratifiedKFold(5, shuffle=True, random_state=3)
    rows = np.ones(400) if class_weight is None else compute_sample_weight(class_weight, labels)

    def pipeline(C: float):
        model = LogisticRegression(C=C, class_weight=class_weight, max_iter=1000)
        return make_pipeline(StandardScaler(), model)

    for candidate in found.candidates:
        made = pipeline(**candidate.parameters)
        said = cross_val_predict(made, x, labels, cv=folds)
        assert candidate.score == pytest.approx(np.average(said == labels, weights=rows), abs=0.02)
    best = max(found.candidates, key=lambda each: each.score)
    assert found.best.score == pytest.approx(best.score)
    model = pipeline(**found.best_parameters).fit(x, labels)
    odds = model.decision_function(x) / found.temperature
    np.testing.assert_allclose(found.predict_proba(x)[:, 1], special.expit(odds), atol=2e-3)
    head = head_from_sklearn(found, layer="fc", classes=2)
    np.testing.assert_allclose(
        head(torch.from_numpy(x)).exp().numpy(), found.predict_proba(x), atol=1e-5
    )


@pytest.mark.parametrize("kind", ["logistic", "svm", "tree"])
def test_a_rare_class_is_found_where_classes_weigh_the_same(kind):
    x, labels = rare(400, 0)
    x_new, new = rare(2000, 1)
    accuracy = {}
    for class_weight in ("balanced", None):
        found = search_head(kind, x, labels, class_weight=class_weight)
        said = found.predict_proba(x_new).argmax(axis=1)
        accuracy[class_weight] = balanced_accuracy_score(new, said)
    assert accuracy["balanced"] > 0.8
    assert accuracy["balanced"] > accuracy[None] + 0.05


def test_equal_classes_are_fitted_without_weights():
    x, labels = apart()
    assert row_weights(labels, "balanced") is None
    assert row_weights(labels, None) is None
    found, plain = (
        search_head("logistic", x, labels, class_weight=each) for each in ("balanced", None)
    )
    np.testing.assert_array_equal(found.classifier.coef_, plain.classifier.coef_)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("logistic", "digits"),
        ("logistic", "cancer"),
        ("svm", "cancer"),
        pytest.param("mlp", "digits", marks=pytest.mark.slow),
        pytest.param("mlp", "cancer", marks=pytest.mark.slow),
    ],
)
def test_probabilities_are_usable_on_real_data(kind, name):
    """What is measured on images that were not fitted: log loss in nats, calibration error."""
    data = load_digits() if name == "digits" else load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(data.target))
    x, labels = data.data[order].astype(np.float32), data.target[order]
    found = search_head(kind, x[:150], labels[:150])
    probabilities = found.predict_proba(x[150:])
    chance = np.log(len(np.unique(labels)))
    assert log_loss(labels[150:], probabilities) < 0.3 * chance
    assert calibration_error(probabilities, labels[150:]) < 0.08
