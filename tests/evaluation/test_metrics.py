import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    log_loss,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)

from alexnet.errors import SourceError
from alexnet.evaluation import MetricAccumulator, compute_metrics, topk_credit, wilson_interval


def random_predictions(
    seed: int, images: int, classes: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    logits = rng.permutation(images * classes).reshape(images, classes) / (images * classes)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = rng.integers(0, classes, images)
    return probabilities, labels, [f"class {i}" for i in range(classes)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(6, 12))
def test_metrics_match_scikit_learn(seed: int, images: int, classes: int) -> None:
    p, y, names = random_predictions(seed, images, classes)
    found, predicted, every = compute_metrics(p, y, names), p.argmax(axis=1), range(classes)
    assert found.top1 == pytest.approx(accuracy_score(y, predicted))
    assert found.top5 == pytest.approx(top_k_accuracy_score(y, p, k=5, labels=every))
    assert found.loss == pytest.approx(log_loss(y, p, labels=every))
    assert found.confusion == confusion_matrix(y, predicted, labels=every).tolist()
    there = np.unique(y)
    recalls = recall_score(y, predicted, labels=there, average=None, zero_division=0)
    assert found.balanced_accuracy == pytest.approx(np.mean(recalls))
    for i, each in enumerate(found.per_class):
        assert each.images == int((y == i).sum())
        if i in there:
            assert each.recall == pytest.approx(recalls[list(there).index(i)])
        else:
            assert each.recall is None and each.top5 is None
        if i in predicted:
            theirs = precision_score(y, predicted, labels=[i], average=None, zero_division=0)
            assert each.precision == pytest.approx(theirs[0])
        else:
            assert each.precision is None


def test_balanced_accuracy_matches_scikit_learn_on_uneven_classes() -> None:
    p, y, names = random_predictions(3, 200, 6)
    y = np.where(np.arange(200) < 150, 0, y)
    found = compute_metrics(p, y, names)
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(y, p.argmax(axis=1)))


def test_exact_ties_are_credited_fractionally() -> None:
    p = np.array([[0.25] * 4, [0.4, 0.4, 0.1, 0.1], [0.4, 0.4, 0.1, 0.1]])
    y = np.array([0, 1, 2])
    assert topk_credit(p, y, 1).tolist() == [0.25, 0.5, 0.0]
    assert topk_credit(p, y, 3).tolist() == [0.75, 1.0, 0.5]
    assert topk_credit(p, y, 4).tolist() == [1.0, 1.0, 1.0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.integers(1, 8))
def test_topk_credit_is_the_mean_over_all_orders_of_the_ties(
    seed: int, classes: int, k: int
) -> None:
    """Fractional top-k accuracy is what breaking ties at random earns on average."""
    rng = np.random.default_rng(seed)
    row = rng.integers(0, 3, classes).astype(float)
    label = int(rng.integers(classes))
    above, equal = int((row > row[label]).sum()), int((row == row[label]).sum())
    places = [above + place < k for place in range(equal)]
    assert topk_credit(row[None], np.array([label]), k)[0] == pytest.approx(np.mean(places))


def test_a_constant_prediction_has_chance_accuracy() -> None:
    names = [str(i) for i in range(1000)]
    found = compute_metrics(np.full((7, 1000), 0.001), np.arange(7), names)
    assert found.top1 == pytest.approx(0.001)
    assert found.top5 == pytest.approx(0.005)


def test_top5_of_few_classes_is_one() -> None:
    p, y, names = random_predictions(0, 20, 4)
    assert compute_metrics(p, y, names).top5 == 1.0


def test_a_probability_of_zero_costs_a_finite_loss() -> None:
    found = compute_metrics(np.array([[1.0, 0.0]]), np.array([1]), ["a", "b"])
    assert found.loss == pytest.approx(-np.log(np.finfo(np.float32).tiny))


def test_nonfinite_probabilities_count_as_wrong() -> None:
    found = compute_metrics(np.array([[np.nan, np.nan], [0.9, 0.1]]), np.array([0, 0]), ["a", "b"])
    assert found.top1 == 0.5
    assert found.to_json()["loss"] is None


def test_metrics_do_not_depend_on_batches_or_their_order() -> None:
    p, y, names = random_predictions(1, 101, 7)
    metrics = MetricAccumulator(names)
    for part in reversed(np.array_split(np.arange(101), 9)):
        metrics.update(p[part], y[part])
    assert metrics.results(crops=1) == compute_metrics(p, y, names)


def test_no_image_is_an_error() -> None:
    with pytest.raises(SourceError, match="no image to measure on"):
        MetricAccumulator(["a"]).results(crops=1)


@pytest.mark.parametrize(
    ("accuracy", "images", "low", "high"),
    [(0.5, 10, 0.2366, 0.7634), (0.0, 10, 0.0, 0.2775), (1.0, 100, 0.9630, 1.0)],
)
def test_wilson_interval_matches_hand_sums(
    accuracy: float, images: int, low: float, high: float
) -> None:
    found = wilson_interval(accuracy, images)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), st.integers(0, 10**7))
def test_wilson_interval_contains_the_accuracy(accuracy: float, images: int) -> None:
    found = wilson_interval(accuracy, images)
    assert 0 <= found.low <= accuracy <= found.high <= 1


def test_record_keeps_what_was_left_out() -> None:
    p, y, names = random_predictions(0, 5, 6)
    found = compute_metrics(
        p, y, names, crops=10, missing=["class 5"], unreadable=[("a.jpg", "cut")]
    )
    assert (found.crops, found.missing_classes) == (10, ["class 5"])
    assert found.unreadable == [("a.jpg", "cut")]
