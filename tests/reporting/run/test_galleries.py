import pytest

from alexnet.reporting.run.examples import choose_cases, make_album
from alexnet.reporting.run.galleries import draw_cell, draw_galleries


def drawn(evidence, picture=None):
    cases = choose_cases(evidence)
    return draw_galleries(evidence, cases, make_album(picture or evidence.picture, cases.items()))


def test_captions_count_what_is_shown_of_how_many(evidence_of):
    evidence = evidence_of(n=400, right=0.5)
    wrong, right = int((~evidence.right).sum()), int(evidence.right.sum())
    page = drawn(evidence)
    assert f"24 of {wrong} wrong answers, most confident first." in page
    assert f"10 of {right} right answers, least sure first." in page
    few = drawn(evidence_of(n=8, right=0.5, seed=3))
    assert " wrong answers, most confident first." in few
    assert " of 3 wrong" not in few


def test_a_wrong_answer_is_shown_with_the_truth_and_its_probability(evidence_of):
    evidence = evidence_of(classes=["ant", "bee"], n=4, right=0.0)
    page = drawn(evidence)
    assert page.count('class="card wrong"') == 4
    assert page.count('class="truth"') == 4
    assert "No picture was answered right." in page
    assert "Every picture was answered right." in drawn(evidence_of(right=1.0))


@pytest.mark.parametrize(
    ("probability", "said"),
    [(1.0, "100"), (0.999, "&gt;99"), (0.42, "42"), (0.001, "&lt;1"), (0.0, "0")],
)
def test_a_probability_is_never_rounded_to_certainty(evidence_of, probability, said):
    import numpy as np

    found = np.array([[probability, 1 - probability]], np.float32)
    evidence = evidence_of(classes=["ant", "bee"], n=1, labels=np.array([0]), probabilities=found)
    own = "answer" if probability >= 0.5 else "truth"
    assert f'<span class="p">{said}\u202f%</span></span>' in drawn(evidence)
    assert f'class="{own}"' in drawn(evidence)


def test_a_picture_that_is_gone_leaves_a_word(evidence_of):
    assert "picture not kept" in drawn(evidence_of(), picture=lambda item: None)


def test_a_cell_says_how_many_of_how_many_it_shows(evidence_of):
    evidence = evidence_of(classes=["ant", "bee"], n=200, right=0.7)
    cases = choose_cases(evidence)
    album = make_album(evidence.picture, cases.items())
    n = int(evidence.confusion[1, 0])
    page = draw_cell(evidence, (1, 0), cases.cells[1, 0], album)
    assert 'id="cell-1-0"' in page
    assert f"{n} of 100 pictures" in page
    assert f"Here the {page.count('<img')} most confident; predictions.csv names all." in page
    right = draw_cell(evidence, (1, 1), cases.cells[1, 1], album)
    assert "answered right</h3>" in right
    assert "least sure" in right
