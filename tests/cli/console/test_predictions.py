from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from rich.console import Console

from alexnet.cli.console.predictions import render_results
from alexnet.evaluation import measure
from alexnet.records import FeaturesReport, Prediction, Predictions


@pytest.fixture
def printed():
    def printed(record):
        console = Console(width=120, color_system=None)
        with console.capture() as capture:
            render_results(record, console)
        return capture.get()

    return printed


def results(classes: int, images: int = 40, **more):
    """Answers of which every fifth is the next class instead of the true one."""
    labels = np.arange(images) % classes
    answered = np.where(np.arange(images) % 5 == 0, (labels + 1) % classes, labels)
    probabilities = np.full((images, classes), 0.1 / classes)
    probabilities[np.arange(images), answered] += 0.9
    names = [f"kind [{i}]" for i in range(classes)]
    return measure(probabilities, labels, names, **more)


def test_figures_come_with_their_intervals(printed):
    found = results(4, crops=10)
    text = printed(found)
    low, high = found.top1_interval.low, found.top1_interval.high
    assert "80.00%" in text
    assert f"95 % interval {low:.2%} to {high:.2%}" in text
    assert "mean of 10 crops" in text


def test_few_classes_are_a_whole_matrix(printed):
    text = printed(results(4))
    assert "true class (row), answered class (column, by number)" in text
    row = next(line for line in text.splitlines() if line.startswith("1 kind [0]"))
    assert row.split()[-4:] == ["8", "2", "0", "0"]


def test_many_classes_are_told_by_their_worst(printed):
    text = printed(results(40, images=400))
    assert "the 15 hardest of 40 classes" in text
    assert "most frequent mistakes" in text
    assert "true class (row)" not in text


def test_what_was_left_out_is_said(printed):
    files = [(f"ant/{i}.jpg", "it is cut off") for i in range(7)]
    text = printed(results(7, images=35, missing=["kind [6]"], unreadable=files))
    assert 'Not among these pictures, though the weights know them (1): "kind [6]".' in text
    assert "Left out because they cannot be read: 7" in text
    assert "ant/4.jpg: it is cut off" in text
    assert "and 2 more (all with --json)" in text


ANSWERS = Predictions(
    predictions=[
        Prediction(path="a [1].png", classes=["n01", "bee"], probabilities=[0.75, 0.25]),
        Prediction(path="b.png", classes=["bee"], probabilities=[0.4], rejected=True),
        Prediction(path="c.txt", error="it is not a picture"),
    ],
    crops=1,
    reject_below=0.5,
    class_words={"n01": "tench"},
)


def test_predictions_are_rows_in_order(printed):
    lines = [" ".join(line.split()) for line in printed(ANSWERS).splitlines()]
    assert lines[1:] == [
        "a [1].png n01 (tench) 75.00%",
        "bee 25.00%",
        "b.png none of these",
        "bee 40.00%",
        "c.txt it is not a picture",
        "3 pictures, centre crop; under 50.0% the answer is none of these.",
    ]
    text = printed(dataclasses.replace(ANSWERS, csv="answers.csv"))
    assert text.endswith("Written to answers.csv.\n")


def test_features_say_where_they_lie(printed):
    report = FeaturesReport(
        out="f.npz", layer="fc7", images=1200, numbers=4096, classes=["ant"], crops=1
    )
    assert printed(report) == (
        "1,200 pictures, 4,096 numbers each from fc7 (centre crop), written to f.npz.\n"
    )
