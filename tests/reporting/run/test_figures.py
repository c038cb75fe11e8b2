"""The PNG files: really drawn, whatever the names are."""

import numpy as np
from PIL import Image

from alexnet.reporting.run.examples import choose_examples
from alexnet.reporting.run.figures import write_figures
from alexnet.reporting.thumbnails import make_thumbnails

CORRECT, WRONG = (34, 108, 100), (186, 68, 28)


def write(folder, data):
    examples = choose_examples(data)
    return write_figures(folder, data, examples, make_thumbnails(data.image, examples.items()))


def ink(path, color):
    """Pixels of about that color."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.array(image.convert("RGB"), dtype=int)
    return int((np.abs(pixels - color).max(axis=2) < 24).sum())


def test_every_figure_is_drawn(tmp_path, report_data_of):
    gray = np.full((16, 16, 3), 200, np.uint8)
    names = write(tmp_path, report_data_of(n=12, image=lambda _: gray))
    assert names == ["curves.png", "confusion.png", "filters.png", "mistakes.png", "correct.png"]
    for name in names:
        with Image.open(tmp_path / name) as image:
            assert min(image.size) > 100
            assert len(image.convert("RGB").getcolors(1 << 24) or ()) > 20
    assert ink(tmp_path / "curves.png", CORRECT) > 100  # the validation line
    assert ink(tmp_path / "confusion.png", CORRECT) > 1000  # the diagonal
    assert ink(tmp_path / "mistakes.png", WRONG) > 20  # the words above the images
    assert ink(tmp_path / "mistakes.png", CORRECT) == 0


def test_what_has_nothing_to_show_is_left_out(tmp_path, report_data_of):
    data = report_data_of(n=6, k=2, accuracy=1.0, epochs=[], filters=None)
    assert write(tmp_path, data) == ["confusion.png", "correct.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confusion.png", "correct.png"]


def test_names_without_letters_formulas_and_marks_are_drawn_without_a_warning(
    tmp_path, report_data_of, epoch_of
):
    names = ["$\\frac{1}{", "猫\U0001f600\ud800\u202e", "x" * 200, "a\nb\x00"]
    nan = float("nan")
    epochs = [epoch_of(1, val_error=None, val_loss=None, train_loss=nan, lr=0.0)]
    data = report_data_of(n=4, classes=names, epochs=epochs, accuracy=0.5, filters=None)
    assert write(tmp_path, data)[:2] == ["curves.png", "confusion.png"]


def test_many_classes_are_a_heat_map_without_names(tmp_path, report_data_of):
    data = report_data_of(n=60, k=30, accuracy=1.0, epochs=[], filters=None)
    write(tmp_path, data)
    assert ink(tmp_path / "confusion.png", CORRECT) > 1000
