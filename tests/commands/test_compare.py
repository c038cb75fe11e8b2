"""`alexnet compare` on run folders made of nothing, and on images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from alexnet import compare
from alexnet.errors import RecipeError, RunError
from alexnet.evaluation import compute_metrics
from alexnet.recipe import Recipe
from alexnet.records import Epoch
from alexnet.reporting import ReportData
from alexnet.reporting.run.saved import save_report_data
from alexnet.reporting.thumbnails import Thumbnails

CLASSES = ["ants", "bees"]


@pytest.fixture
def run_of(tmp_path):
    """Makes a finished run that got some images right."""

    def make(name: str, right: str, *, paths=None, labels=None, fingerprint="f", **fields) -> Path:
        folder = tmp_path / name
        correct = np.array([letter == "+" for letter in right])
        truth = np.arange(len(right)) % 2 if labels is None else np.array(labels)
        predicted = np.where(correct, truth, 1 - truth)
        probabilities = np.full((len(right), 2), 0.1, dtype=np.float32)
        probabilities[np.arange(len(right)), predicted] = 0.9
        epoch = Epoch(
            epoch=1, step=1, lr=0.1, train_loss=0.5, train_error=0.2, val_loss=0.6, val_error=0.3,
            val_top5_error=0.0, images_per_s=10.0, seconds=1.0, best=True,
        )  # fmt: skip
        data = ReportData(
            title="photos",
            command="alexnet train photos",
            split="val",
            recipe={**Recipe().to_json(), **fields},
            epochs=[epoch],
            results=compute_metrics(probabilities, truth, CLASSES, crops=1),
            paths=paths or [f"{number}.png" for number in range(len(right))],
            labels=truth,
            probabilities=probabilities,
            classes=CLASSES,
            image=lambda item: None,
        )
        (folder / "report").mkdir(parents=True)
        save_report_data(folder / "report", data, Thumbnails({}))
        config = {"source": "data/photos", "fingerprint": fingerprint, "start": None}
        (folder / "run.json").write_text(json.dumps(config))
        (folder / "results.json").write_text(json.dumps({"seconds": 3.0}))
        return folder

    return make


def test_the_better_one_is_named_where_it_was_no_chance(run_of, tmp_path):
    runs = run_of("a", "+" * 10 + "-" * 30), run_of("b", "+" * 35 + "-" * 5, lr=0.5)
    report = compare(*runs, out=tmp_path / "page.html")
    (difference,) = report.differences
    assert (difference.only_first, difference.only_second) == (0, 25)
    assert difference.better == str(runs[1])
    assert difference.difference == pytest.approx(25 / 40)
    assert report.settings == {"lr": [Recipe().lr, 0.5]}
    assert [each.top1 for each in report.classifiers] == [0.25, 0.875]
    page = (tmp_path / "page.html").read_text("utf-8")
    assert f"{runs[1]} is better than {runs[0]}: 62.5 points" in page
    assert (tmp_path / "page.csv").read_text("utf-8").count("\n") == 3


def test_a_few_images_may_be_chance(run_of):
    report = compare(run_of("a", "++++----"), run_of("b", "++++++--"))
    assert report.differences[0].better is None
    assert report.settings == {}


def test_the_order_of_images_does_not_matter(run_of):
    first = run_of("a", "++--+")
    turned = [f"{number}.png" for number in (4, 3, 2, 1, 0)]
    second = run_of("b", "+--++", paths=turned, labels=[0, 1, 0, 1, 0])
    (difference,) = compare(first, second).differences
    assert (difference.only_first, difference.only_second, difference.p) == (0, 0, 1.0)


def test_pairs_are_corrected_for_their_number(run_of):
    runs = [run_of(str(shift), "+" * (20 + shift) + "-" * (20 - shift)) for shift in (0, 6, 12)]
    report = compare(*runs)
    assert len(report.differences) == 3
    assert all(each.p_corrected >= each.p for each in report.differences)
    by_p = sorted(report.differences, key=lambda each: each.p)
    assert by_p[0].p_corrected == pytest.approx(3 * by_p[0].p)
    assert by_p[-1].p_corrected == max(each.p_corrected for each in by_p)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"paths": ["0.png", "1.png", "x.png"]}, "of which 2 are the same"),
        ({"labels": [1, 1, 0]}, "different labels for 1 image"),
        ({"fingerprint": "g"}, "the same names and other pixels"),
    ],
)
def test_other_images_are_refused_with_what_differs(run_of, changes, words):
    first, second = run_of("a", "+-+"), run_of("b", "+-+", **changes)
    with pytest.raises(RunError, match=words):
        compare(first, second)


def test_what_is_no_finished_run_is_refused(run_of, tmp_path):
    run = run_of("a", "+-+")
    with pytest.raises(RecipeError, match="2 to 20 runs; got 1"):
        compare(run)
    with pytest.raises(RunError, match="is no run folder"):
        compare(run, tmp_path)
    (run / "results.json").unlink()
    with pytest.raises(RunError, match="is not finished"):
        compare(run, run_of("b", "+-+"))
    with pytest.raises(RecipeError, match="--on SOURCE"):
        compare(run, run, crops=10)


def test_weights_predict_images_that_are_named(trained, alexnet):
    said = alexnet("compare", trained.run, trained.run, "--on", trained.images, "--split", "all")
    assert said.code == 0, said.err
    assert "are equally accurate" in said.out
