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
from alexnet.evaluation import Tally, credit, measure, wilson


def answers(seed: int, images: int, classes: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    logits = rng.permutation(images * classes).reshape(images, classes) / (images * classes)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = rng.integers(0, classes, images)
    return probabilities, labels, [f"class {i}" for i in range(classes)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(6, 12))
def test_figures_match_scikit_learn(seed: int, images: int, classes: int) -> None:
    p, y, names = answers(seed, images, classes)
    found, answered, every = measure(p, y, names), p.argmax(axis=1), range(classes)
    assert found.top1 == pytest.approx(accuracy_score(y, answered))
    assert found.top5 == pytest.approx(top_k_accuracy_score(y, p, k=5, labels=every))
    assert found.loss == pytest.approx(log_loss(y, p, labels=every))
    assert found.confusion == confusion_matrix(y, answered, labels=every).tolist()
    there = np.unique(y)
    recalls = recall_score(y, answered, labels=there, average=None, zero_division=0)
    assert found.balanced_accuracy == pytest.approx(np.mean(recalls))
    for i, each in enumerate(found.per_class):
        assert each.images == int((y == i).sum())
        if i in there:
            assert each.recall == pytest.approx(recalls[list(there).index(i)])
        else:
            assert each.recall is None and each.top5 is None
        if i in answered:
            theirs = precision_score(y, answered, labels=[i], average=None, zero_division=0)
            assert each.precision == pytest.approx(theirs[0])
        else:
            assert each.precision is None


def test_balanced_accuracy_matches_scikit_learn_on_uneven_classes() -> None:
    p, y, names = answers(3, 200, 6)
    y = np.where(np.arange(200) < 150, 0, y)
    found = measure(p, y, names)
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(y, p.argmax(axis=1)))


def test_exact_ties_share_credit() -> None:
    p = np.array([[0.25] * 4, [0.4, 0.4, 0.1, 0.1], [0.4, 0.4, 0.1, 0.1]])
    y = np.array([0, 1, 2])
    assert credit(p, y, 1).tolist() == [0.25, 0.5, 0.0]
    assert credit(p, y, 3).tolist() == [0.75, 1.0, 0.5]
    assert credit(p, y, 4).tolist() == [1.0, 1.0, 1.0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.integers(1, 8))
def test_credit_is_the_mean_over_all_orders_of_the_ties(seed: int, classes: int, k: int) -> None:
    """Shared credit is what breaking ties at random earns on average."""
    rng = np.random.default_rng(seed)
    row = rng.integers(0, 3, classes).astype(float)
    label = int(rng.integers(classes))
    above, equal = int((row > row[label]).sum()), int((row == row[label]).sum())
    places = [above + place < k for place in range(equal)]
    assert credit(row[None], np.array([label]), k)[0] == pytest.approx(np.mean(places))


def test_a_constant_answer_is_right_by_chance_alone() -> None:
    names = [str(i) for i in range(1000)]
    found = measure(np.full((7, 1000), 0.001), np.arange(7), names)
    assert found.top1 == pytest.approx(0.001)
    assert found.top5 == pytest.approx(0.005)


def test_top5_of_few_classes_is_one() -> None:
    p, y, names = answers(0, 20, 4)
    assert measure(p, y, names).top5 == 1.0


def test_a_probability_of_zero_costs_a_finite_loss() -> None:
    found = measure(np.array([[1.0, 0.0]]), np.array([1]), ["a", "b"])
    assert found.loss == pytest.approx(-np.log(np.finfo(np.float32).tiny))


def test_numbers_that_are_not_finite_earn_nothing() -> None:
    found = measure(np.array([[np.nan, np.nan], [0.9, 0.1]]), np.array([0, 0]), ["a", "b"])
    assert found.top1 == 0.5
    assert found.to_json()["loss"] is None


def test_batches_and_their_order_do_not_change_a_figure() -> None:
    p, y, names = answers(1, 101, 7)
    tally = Tally(names)
    for part in reversed(np.array_split(np.arange(101), 9)):
        tally.add(p[part], y[part])
    assert tally.results(crops=1) == measure(p, y, names)


def test_no_picture_is_an_error() -> None:
    with pytest.raises(SourceError, match="no picture to measure on"):
        Tally(["a"]).results(crops=1)


@pytest.mark.parametrize(
    ("share", "images", "low", "high"),
    [(0.5, 10, 0.2366, 0.7634), (0.0, 10, 0.0, 0.2775), (1.0, 100, 0.9630, 1.0)],
)
def test_wilson_matches_hand_sums(share: float, images: int, low: float, high: float) -> None:
    found = wilson(share, images)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), st.integers(0, 10**7))
def test_wilson_holds_the_share(share: float, images: int) -> None:
    found = wilson(share, images)
    assert 0 <= found.low <= share <= found.high <= 1


def test_record_keeps_what_was_left_out() -> None:
    p, y, names = answers(0, 5, 6)
    found = measure(p, y, names, crops=10, missing=["class 5"], unreadable=[("a.jpg", "cut")])
    assert (found.crops, found.missing_classes) == (10, ["class 5"])
    assert found.unreadable == [("a.jpg", "cut")]
