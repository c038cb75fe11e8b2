"""The PNG files: really drawn, whatever the names are."""

import numpy as np
import pytest
from PIL import Image

from alexnet.reporting.charts.png import write_figures
from alexnet.reporting.run.examples import choose_cases, make_album

pytest.importorskip("matplotlib", reason="the figures need matplotlib")

RIGHT, WRONG = (34, 108, 100), (186, 68, 28)


def write(folder, evidence):
    cases = choose_cases(evidence)
    return write_figures(folder, evidence, cases, make_album(evidence.picture, cases.items()))


def ink(path, colour):
    """Pixels of about that colour."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.array(image.convert("RGB"), dtype=int)
    return int((np.abs(pixels - colour).max(axis=2) < 24).sum())


def test_every_figure_is_drawn(tmp_path, evidence_of):
    grey = np.full((16, 16, 3), 200, np.uint8)
    names = write(tmp_path, evidence_of(n=12, picture=lambda _: grey))
    assert names == ["curves.png", "confusion.png", "filters.png", "wrong.png", "right.png"]
    for name in names:
        with Image.open(tmp_path / name) as image:
            assert min(image.size) > 100
            assert len(image.convert("RGB").getcolors(1 << 24) or ()) > 20
    assert ink(tmp_path / "curves.png", RIGHT) > 100  # the validation line
    assert ink(tmp_path / "confusion.png", RIGHT) > 1000  # the diagonal
    assert ink(tmp_path / "wrong.png", WRONG) > 20  # the words above the pictures
    assert ink(tmp_path / "wrong.png", RIGHT) == 0


def test_what_has_nothing_to_show_is_left_out(tmp_path, evidence_of):
    evidence = evidence_of(n=6, k=2, right=1.0, epochs=[], filters=None)
    assert write(tmp_path, evidence) == ["confusion.png", "right.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confusion.png", "right.png"]


def test_names_without_letters_formulas_and_marks_are_drawn_without_a_warning(
    tmp_path, evidence_of, epoch_of
):
    names = ["$\\frac{1}{", "猫\U0001f600\ud800\u202e", "x" * 200, "a\nb\x00"]
    nan = float("nan")
    epochs = [epoch_of(1, val_error=None, val_loss=None, train_loss=nan, lr=0.0)]
    evidence = evidence_of(n=4, classes=names, epochs=epochs, right=0.5, filters=None)
    assert write(tmp_path, evidence)[:2] == ["curves.png", "confusion.png"]


def test_many_classes_are_a_heat_map_without_names(tmp_path, evidence_of):
    evidence = evidence_of(n=60, k=30, right=1.0, epochs=[], filters=None)
    write(tmp_path, evidence)
    assert ink(tmp_path / "confusion.png", RIGHT) > 1000
