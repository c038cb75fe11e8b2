"""The whole report: what lies in the folder, drawn again from what was kept, bounded in size."""

import logging
import sys

import numpy as np
import pytest

from alexnet.errors import RunError
from alexnet.reporting import redraw_report, write_report
from alexnet.reporting.run.examples import choose_cases
from alexnet.reporting.run.saved import load_evidence

TABLES = {"curves.csv", "confusion.csv", "per_class.csv", "predictions.csv"}
FIGURES = {"curves.png", "confusion.png", "filters.png", "wrong.png", "right.png"}


@pytest.fixture
def without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_page_figures_tables_and_evidence_lie_in_the_report_folder(tmp_path, evidence_of):
    pytest.importorskip("matplotlib", reason="the figures need matplotlib")
    page = write_report(tmp_path / "run", evidence_of(n=8))
    assert page == tmp_path / "run" / "report" / "index.html"
    assert names(page.parent) == {"index.html", "evidence.npz"} | TABLES | FIGURES
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert all(f'href="{name}"' in text for name in TABLES | FIGURES)


def test_without_matplotlib_the_page_is_whole_and_says_how_to_get_the_figures(
    tmp_path, evidence_of, without_matplotlib, caplog
):
    with caplog.at_level(logging.WARNING):
        page = write_report(tmp_path, evidence_of())
    sentence = 'Figures as PNG need matplotlib: pip install "alexnet[plots]". '
    assert caplog.messages == [sentence + "The page and its tables are whole without them."]
    assert names(page.parent) == {"index.html", "evidence.npz"} | TABLES
    text = page.read_text(encoding="utf-8")
    assert ".png" not in text.split("</main>")[0].split("Beside this page")[1]


def test_drawing_again_gives_the_same_page(
    tmp_path, evidence_of, epoch_of, without_matplotlib, monkeypatch
):
    nan = float("nan")
    evidence = evidence_of(
        n=120,
        classes=["<b>", "猫", "n01", "d\ud800"],
        class_words={"n01": "goldfish, Carassius"},
        epochs=[epoch_of(1), epoch_of(2, train_loss=nan, val_error=None, best=False)],
    )
    page = write_report(tmp_path, evidence)
    first = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    for name in first.keys() - {"evidence.npz"}:
        (page.parent / name).unlink()
    assert redraw_report(tmp_path) == page
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == first


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RunError, match=r"There is no run folder .*nowhere\. Name the folder that"):
        redraw_report(tmp_path / "nowhere")


def test_ten_thousand_pictures_of_two_hundred_classes_stay_small(
    tmp_path, evidence_of, without_matplotlib
):
    evidence = evidence_of(n=10_000, k=200, right=0.5, side=64, epochs=[])
    page = write_report(tmp_path, evidence)
    assert page.stat().st_size < 2_000_000
    assert len((page.parent / "predictions.csv").read_text().splitlines()) == 10_001


def test_noisy_large_pictures_stay_in_their_budget(tmp_path, evidence_of, without_matplotlib):
    noise = np.random.default_rng(0).integers(0, 256, (300, 256, 256, 3), dtype=np.uint8)
    evidence = evidence_of(n=300, k=10, right=0.3, picture=lambda i: noise[i], epochs=[])
    page = write_report(tmp_path, evidence)
    assert page.stat().st_size < 3_500_000
    assert len(load_evidence(page.parent)[1].encoded) < len(choose_cases(evidence).items())
