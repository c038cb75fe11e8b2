import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alexnet.reporting.run.examples import MATRIX_CLASSES, choose_cases, confused_pairs


def test_wrong_answers_come_most_confident_first(evidence_of):
    evidence = evidence_of(n=400, right=0.5)
    cases = choose_cases(evidence)
    wrong = np.flatnonzero(~evidence.right)
    by_confidence = sorted(wrong, key=lambda i: -evidence.answered_probability[i])
    assert cases.wrong == by_confidence[: len(cases.wrong)]
    assert 0 < len(cases.wrong) < len(wrong)


def test_right_answers_are_the_least_sure_and_the_surest_of_each_class(evidence_of):
    evidence = evidence_of(n=400)
    cases = choose_cases(evidence)
    right = np.flatnonzero(evidence.right)
    sure = evidence.answered_probability
    assert cases.unsure == sorted(right, key=lambda i: sure[i])[: len(cases.unsure)]
    for k, item in enumerate(cases.sure):
        own = [i for i in right if evidence.labels[i] == k]
        assert item == max(own, key=lambda i: sure[i])


def test_every_cell_of_a_small_matrix_opens_with_its_own_pictures(evidence_of):
    evidence = evidence_of(n=200, right=0.6)
    cases = choose_cases(evidence)
    assert set(cases.cells) == {(int(t), int(a)) for t, a in np.argwhere(evidence.confusion)}
    for (true, answered), items in cases.cells.items():
        assert len(items) == min(int(evidence.confusion[true, answered]), 12)
        assert {int(evidence.labels[i]) for i in items} == {true}
        assert {int(evidence.answered[i]) for i in items} == {answered}


def test_many_classes_open_the_most_confused_pairs_only(evidence_of):
    evidence = evidence_of(n=2000, k=MATRIX_CLASSES + 1, right=0.3)
    cases = choose_cases(evidence)
    assert len(cases.cells) == 24
    assert all(true != answered for true, answered in cases.cells)


def test_items_are_named_once_the_wrong_ones_first(evidence_of):
    cases = choose_cases(evidence_of(n=300, right=0.5))
    items = cases.items()
    assert len(items) == len(set(items))
    assert items[: len(cases.wrong)] == cases.wrong
    assert set(items) >= {i for each in cases.cells.values() for i in each}


def test_nothing_right_and_nothing_wrong_both_have_cases(evidence_of):
    assert choose_cases(evidence_of(right=1.0)).wrong == []
    nothing = choose_cases(evidence_of(right=0.0))
    assert (nothing.sure, nothing.unsure) == ([], [])


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
    assert all(confusion[p.true, p.answered] == p.count for p in found)
