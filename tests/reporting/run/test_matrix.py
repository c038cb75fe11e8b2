import re

from alexnet.reporting.run.examples import choose_examples
from alexnet.reporting.run.matrix import matrix_of
from alexnet.reporting.thumbnails import make_thumbnails


def matrix(data):
    examples = choose_examples(data)
    return matrix_of(data, examples, make_thumbnails(data.image, examples.items()))


def test_the_table_holds_every_count_in_its_place(report_data_of):
    data = report_data_of(n=200, accuracy=0.6)
    counts = [[cell.images for cell in row.cells] for row in matrix(data).rows]
    assert counts == data.results.confusion


def test_a_cell_says_in_words_what_it_counts(report_data_of):
    data = report_data_of(classes=["ant", "bee"], n=200, accuracy=0.6)
    n, total = data.confusion[0, 1], data.confusion[0].sum()
    share = f"{100 * n / total:.1f}\u202f%"
    label = matrix(data).rows[0].cells[1].label
    assert label == f"ant predicted as bee: {n} of {total} ({share})"


def test_many_classes_are_an_image_with_the_most_confused_pairs(report_data_of):
    drawn = matrix(report_data_of(n=600, k=40, accuracy=0.5))
    assert drawn.rows == []
    assert drawn.image.startswith("data:image/png")
    assert len(drawn.pairs) == 24
    assert all(pair.panel for pair in drawn.pairs)
    assert drawn.hint == "Choose a pair to see the images behind it."


def test_without_mistakes_there_are_no_pairs(report_data_of):
    assert matrix(report_data_of(accuracy=1.0)).pairs == []


def test_a_panel_says_how_many_of_how_many_it_shows(report_data_of):
    data = report_data_of(classes=["ant", "bee"], n=200, accuracy=0.7)
    panels = {panel.id: panel for panel in matrix(data).panels}
    n = int(data.confusion[1, 0])
    mistakes = panels["cell-1-0"]
    assert (mistakes.label, mistakes.predicted) == ("bee", "ant")
    assert f"{n} of 100 images" in mistakes.caption
    shown = len(mistakes.cards)
    assert f"Here the {shown} most confident; predictions.csv names all." in mistakes.caption
    correct = panels["cell-1-1"]
    assert correct.predicted is None
    assert re.search(r"Here the \d+ least confident", correct.caption)
