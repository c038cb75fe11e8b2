from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from rich.console import Console

from alexnet.cli.console.evaluation import render_features, render_predictions, render_results
from alexnet.evaluation import compute_metrics
from alexnet.records import FeaturesReport, Prediction, Predictions


@pytest.fixture
def printed():
    def printed(record, render=render_results):
        console = Console(width=120, color_system=None)
        with console.capture() as capture:
            render(record, console)
        return capture.get()

    return printed


def results(classes: int, images: int = 40, **more):
    """Results of predictions of which every fifth is the next class instead of the true one."""
    labels = np.arange(images) % classes
    predicted = np.where(np.arange(images) % 5 == 0, (labels + 1) % classes, labels)
    probabilities = np.full((images, classes), 0.1 / classes)
    probabilities[np.arange(images), predicted] += 0.9
    names = [f"kind [{i}]" for i in range(classes)]
    return compute_metrics(probabilities, labels, names, **more)


def test_metrics_have_intervals(printed):
    found = results(4, crops=10)
    text = printed(found)
    low, high = found.top1_interval.low, found.top1_interval.high
    assert "80.00%" in text
    assert f"95 % interval {low:.2%} to {high:.2%}" in text
    assert "mean of 10 crops" in text


def test_of_few_images_it_is_said_that_the_figure_says_little(printed):
    found = results(4, images=40)
    low, high = found.top1_interval.low, found.top1_interval.high
    text = " ".join(printed(found).split())
    assert f"from {100 * low:.0f} to {100 * high:.0f} % (95 % confidence), so the figure" in text
    assert "says little" not in printed(results(4, images=100))


def test_few_classes_have_a_confusion_matrix(printed):
    text = printed(results(4))
    assert "true class (row), predicted class (column, by number)" in text
    row = next(line for line in text.splitlines() if line.startswith("1 kind [0]"))
    assert row.split()[-4:] == ["8", "2", "0", "0"]


def test_many_classes_are_cut_to_the_worst(printed):
    text = printed(results(40, images=400))
    assert "the 15 classes of 40 with the lowest recall" in text
    assert "most frequent confusions" in text
    assert "true class (row)" not in text


def test_missing_classes_and_unreadable_images(printed):
    files = [(f"ant/{i}.jpg", "it is cut off") for i in range(7)]
    text = printed(results(7, images=35, missing=["kind [6]"], unreadable=files))
    assert 'Classes of the weights without images here (1): "kind [6]".' in text
    assert "Left out because they cannot be read: 7" in text
    assert "ant/4.jpg: it is cut off" in text
    assert "and 2 more (all with --json)" in text


PREDICTIONS = Predictions(
    predictions=[
        Prediction(path="a [1].png", classes=["n01", "bee"], probabilities=[0.75, 0.25]),
        Prediction(path="b.png", classes=["bee"], probabilities=[0.4], rejected=True),
        Prediction(path="c.txt", error="it is not an image"),
    ],
    crops=1,
    reject_below=0.5,
    class_words={"n01": "tench"},
)


def test_predictions_are_rows_in_order(printed):
    lines = [
        " ".join(line.split()) for line in printed(PREDICTIONS, render_predictions).splitlines()
    ]
    assert lines[1:] == [
        "a [1].png n01 (tench) 75.00%",
        "bee 25.00%",
        "b.png none of these",
        "bee 40.00%",
        "c.txt it is not an image",
        "3 images, center crop; none of these under 50.0%.",
    ]
    text = printed(dataclasses.replace(PREDICTIONS, csv="predictions.csv"), render_predictions)
    assert text.endswith("Written to predictions.csv.\n")


def test_features(printed):
    report = FeaturesReport(
        out="f.npz", layer="fc7", images=1200, feature_dim=4096, classes=["ant"], crops=1
    )
    assert printed(report, render_features) == (
        "1,200 images, 4,096 features each from fc7 (center crop), written to f.npz.\n"
    )
