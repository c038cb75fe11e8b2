import dataclasses

import numpy as np
import pytest

from alexnet.errors import RunError
from alexnet.evaluation import measure


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("labels", np.zeros(3, np.int64), r"labels have the shape \(3,\), not \(40,\), one for"),
        (
            "probabilities",
            np.ones((40, 3), np.float32),
            r"probabilities have the shape \(40, 3\), not \(40, 4\), one row for each path and one",
        ),
        ("labels", np.full(40, 4), r"labels lie outside of 0\.\.3"),
        ("labels", np.full(40, -1), r"labels lie outside of 0\.\.3"),
        (
            "filters",
            np.zeros((8, 1, 5, 5), np.float32),
            r"filters have the shape \(8, 1, 5, 5\), not \(F, 3, k, k\)",
        ),
        ("filters", np.zeros((8, 3), np.float32), r"filters have the shape \(8, 3\)"),
    ],
)
def test_what_does_not_fit_together_is_named(evidence_of, field, value, words):
    with pytest.raises(RunError, match=f"evidence for the report does not fit together: {words}"):
        dataclasses.replace(evidence_of(), **{field: value})


def test_results_of_other_classes_are_refused(evidence_of):
    evidence = evidence_of()
    other = measure(np.full((2, 3), 1 / 3), np.array([0, 1]), ["a", "b", "c"], crops=1)
    with pytest.raises(RunError, match="the confusion matrix is not 4 x 4"):
        dataclasses.replace(evidence, results=other)
    scores = evidence.results.per_class[:3]
    with pytest.raises(RunError, match="3 classes were scored, not 4"):
        dataclasses.replace(
            evidence, results=dataclasses.replace(evidence.results, per_class=scores)
        )


def test_the_answer_is_the_first_of_equals_and_never_what_is_not_a_number(evidence_of):
    nan = float("nan")
    found = np.array([[0.4, 0.4, 0.2], [nan, 0.3, 0.1], [0.1, 0.2, 0.7]], np.float32)
    labels = np.array([1, 1, 2])
    evidence = evidence_of(
        classes=["a", "b", "c"],
        paths=["1", "2", "3"],
        labels=labels,
        probabilities=found,
        results=measure(found, labels, ["a", "b", "c"], crops=1),
    )
    assert evidence.answered.tolist() == [0, 1, 2]
    assert evidence.right.tolist() == [False, True, True]
    np.testing.assert_allclose(evidence.answered_probability, [0.4, 0.3, 0.7], rtol=1e-6)
    np.testing.assert_allclose(evidence.true_probability, [0.4, 0.3, 0.7], rtol=1e-6)
    assert (evidence.confusion == np.asarray(evidence.results.confusion)).all()


def test_codes_are_shown_by_their_words(evidence_of):
    evidence = evidence_of(
        classes=["n01443537", "n01629819", "cat"],
        class_words={"n01443537": "goldfish, Carassius auratus", "n01629819": ""},
    )
    assert [evidence.name(k) for k in range(3)] == [
        "goldfish, Carassius auratus",
        "n01629819",
        "cat",
    ]
    assert [evidence.short_name(k) for k in range(3)] == ["goldfish", "n01629819", "cat"]
