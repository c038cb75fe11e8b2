import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alexnet.reporting.run.examples import MATRIX_CLASSES, choose_examples, confused_pairs


def test_mistakes_come_most_confident_first(report_data_of):
    data = report_data_of(n=400, accuracy=0.5)
    examples = choose_examples(data)
    mistakes = np.flatnonzero(~data.correct)
    by_confidence = sorted(mistakes, key=lambda i: -data.predicted_probability[i])
    assert examples.mistakes == by_confidence[: len(examples.mistakes)]
    assert 0 < len(examples.mistakes) < len(mistakes)


def test_correct_ones_are_the_least_confident_and_the_most_confident_of_each_class(report_data_of):
    data = report_data_of(n=400)
    examples = choose_examples(data)
    correct = np.flatnonzero(data.correct)
    confidence = data.predicted_probability
    assert (
        examples.least_confident
        == sorted(correct, key=lambda i: confidence[i])[: len(examples.least_confident)]
    )
    for k, item in enumerate(examples.most_confident):
        own = [i for i in correct if data.labels[i] == k]
        assert item == max(own, key=lambda i: confidence[i])


def test_every_cell_of_a_small_matrix_opens_with_its_own_images(report_data_of):
    data = report_data_of(n=200, accuracy=0.6)
    examples = choose_examples(data)
    assert set(examples.cells) == {(int(t), int(a)) for t, a in np.argwhere(data.confusion)}
    for (true, predicted), items in examples.cells.items():
        assert len(items) == min(int(data.confusion[true, predicted]), 12)
        assert {int(data.labels[i]) for i in items} == {true}
        assert {int(data.predicted[i]) for i in items} == {predicted}


def test_many_classes_open_the_most_confused_pairs_only(report_data_of):
    data = report_data_of(n=2000, k=MATRIX_CLASSES + 1, accuracy=0.3)
    examples = choose_examples(data)
    assert len(examples.cells) == 24
    assert all(true != predicted for true, predicted in examples.cells)


def test_items_are_named_once_the_mistakes_first(report_data_of):
    examples = choose_examples(report_data_of(n=300, accuracy=0.5))
    items = examples.items()
    assert len(items) == len(set(items))
    assert items[: len(examples.mistakes)] == examples.mistakes
    assert set(items) >= {i for each in examples.cells.values() for i in each}


def test_nothing_correct_and_no_mistake_both_have_examples(report_data_of):
    assert choose_examples(report_data_of(accuracy=1.0)).mistakes == []
    nothing = choose_examples(report_data_of(accuracy=0.0))
    assert (nothing.most_confident, nothing.least_confident) == ([], [])


@given(
    st.integers(1, 6).flatmap(lambda k: st.lists(st.integers(0, 9), min_size=k * k, max_size=k * k))
)
def test_pairs_are_those_of_a_plain_count(counts):
    k = int(len(counts) ** 0.5)
    confusion = np.array(counts, dtype=np.int64).reshape(k, k)
    expected = sorted(
        (
            (int(confusion[t, a]), confusion[t, a] / confusion[t].sum(), t, a)
            for t in range(k)
            for a in range(k)
            if t != a and confusion[t, a]
        ),
        key=lambda each: (-each[0], -each[1]),
    )
    found = confused_pairs(confusion, limit=5)
    assert [(p.count, p.share) for p in found] == [(n, share) for n, share, _, _ in expected[:5]]
    assert all(confusion[p.label, p.predicted] == p.count for p in found)
