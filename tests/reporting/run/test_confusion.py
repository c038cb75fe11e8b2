import re

import numpy as np

from alexnet.reporting.run.confusion import draw_confusion, heat, heat_picture
from alexnet.reporting.run.examples import choose_cases, make_album


def drawn(evidence):
    cases = choose_cases(evidence)
    return draw_confusion(evidence, cases, make_album(evidence.picture, cases.items()))


def test_the_table_holds_every_count_in_its_place(evidence_of):
    evidence = evidence_of(n=200, right=0.6)
    rows = re.findall(r"<tr>(.*?)</tr>", drawn(evidence).split("<tbody>")[1].split("</tbody>")[0])
    found = [
        [int(re.sub("<[^>]+>|,", "", cell) or 0) for cell in re.findall(r"<td.*?</td>", row)]
        for row in rows
    ]
    assert found == evidence.results.confusion


def test_a_cell_says_in_words_what_it_counts(evidence_of):
    evidence = evidence_of(classes=["ant", "bee"], n=200, right=0.6)
    n, total = evidence.confusion[0, 1], evidence.confusion[0].sum()
    share = f"{100 * n / total:.1f}\u202f%"
    assert f'aria-label="ant answered as bee: {n} of {total} ({share})"' in drawn(evidence)


def test_many_classes_are_a_picture_with_the_most_confused_pairs(evidence_of):
    evidence = evidence_of(n=600, k=40, right=0.5)
    page = drawn(evidence)
    assert "<table" not in page
    assert "40 classes in the order of the class list" in page
    assert page.count('<li><span class="names">') == 24


def test_nothing_mixed_up_is_said(evidence_of):
    assert "No class was taken for another." in drawn(evidence_of(right=1.0))


def test_the_ink_is_the_root_of_the_share_of_the_row():
    confusion = np.array([[9, 7], [0, 0]])
    np.testing.assert_allclose(heat(confusion), [[0.75, np.sqrt(7 / 16)], [0, 0]])
    pixels = heat_picture(confusion)
    assert (pixels[0, 0, :3] == (34, 108, 100)).all()
    assert (pixels[0, 1, :3] == (186, 68, 28)).all()
    assert pixels[0, 0, 3] > pixels[0, 1, 3] > 40
    assert (pixels[1, :, 3] == 0).all()
