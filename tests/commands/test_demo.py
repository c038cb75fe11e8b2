"""The demo: its images, its verbs, its output."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from alexnet.cli.console.training import render_demo
from alexnet.commands.demo import digit_files, write_digits
from alexnet.errors import RunError, SourceError
from alexnet.evaluation import compute_metrics
from alexnet.records import DemoReport, Prediction, Predictions, TrainReport


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    folder = tmp_path_factory.mktemp("demo") / "digits"
    write_digits(folder)
    return folder


def test_every_digit_is_a_file_in_the_folder_of_its_class(digits):
    from sklearn.datasets import load_digits

    known = load_digits()
    train, test = (digit_files(digits, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (1442, 355)
    numbers = [int(path.stem) for path in (*train, *test)]
    assert sorted(numbers) == list(range(1797))
    assert all(int(path.parent.name) == known.target[int(path.stem)] for path in (*train, *test))
    for path in test[::50]:
        with Image.open(path) as image:
            assert (image.format, image.size, image.mode) == ("PNG", (32, 32), "L")
            counted = np.asarray(image, dtype=float).reshape(8, 4, 8, 4).mean(axis=(1, 3))
        ink = 16 - counted * (16 / 255)
        assert np.corrcoef(ink.ravel(), known.images[int(path.stem)].ravel())[0, 1] > 0.97


def test_a_fifth_of_each_class_is_held_out(digits):
    held_out = Counter(path.parent.name for path in digit_files(digits, "test"))
    trained = Counter(path.parent.name for path in digit_files(digits, "train"))
    assert all(4 <= trained[name] / held_out[name] < 4.2 for name in map(str, range(10)))


def test_digits_that_are_there_are_left_alone(digits):
    first = digit_files(digits, "train")[0]
    before = first.stat().st_mtime_ns
    write_digits(digits)
    assert first.stat().st_mtime_ns == before
    assert [path.name for path in digits.parent.iterdir()] == ["digits"]


def test_a_folder_of_something_else_is_not_touched(tmp_path):
    (tmp_path / "digits" / "train" / "cat").mkdir(parents=True)
    with pytest.raises(RunError, match=r"digits exists and does not hold the digits of"):
        write_digits(tmp_path / "digits")
    assert [path.name for path in tmp_path.rglob("*")] == ["digits", "train", "cat"]


def test_writing_that_fails_leaves_nothing(tmp_path, monkeypatch):
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(RunError, match=r"digits: the disk is full\. Free some space"):
        write_digits(tmp_path / "digits")
    assert list(tmp_path.iterdir()) == []


def test_without_scikit_learn_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(SourceError, match=r'not installed: pip install "alexnet\[learn\]"\.$'):
        write_digits(tmp_path / "digits")
    assert list(tmp_path.iterdir()) == []


def test_demo(digits, tmp_path, monkeypatch):
    """On a hundred of the digits, for two epochs."""
    from alexnet import Recipe, demo
    from alexnet import recipes as named

    few = tmp_path / "place" / "digits"
    for split, count in (("train", 8), ("test", 2)):
        for digit in map(str, range(10)):
            (few / split / digit).mkdir(parents=True)
            for path in sorted((digits / split / digit).iterdir())[:count]:
                (few / split / digit / path.name).write_bytes(path.read_bytes())
    small = dataclasses.replace(named.RECIPES["digits"](), epochs=2, batch_size=16)
    monkeypatch.setattr(named, "RECIPES", {"digits": lambda: small})
    monkeypatch.setattr("alexnet.reporting.run.write.write_figures", lambda *_: [])
    report = demo(folder=tmp_path / "place")
    assert isinstance(small, Recipe)
    assert report.splits == {"train": 80, "test": 20}
    assert report.train.split == "test"
    assert report.results.images == 20
    assert report.results.confusion == report.train.results.confusion
    named_files = [Path(each.path) for each in report.predictions.predictions]
    assert [path.parent.name for path in named_files] == list(map(str, range(10)))
    assert all(few in path.parents and path.is_file() for path in named_files)
    assert Path(report.train.report).is_file()
    json.dumps(report.to_json(), allow_nan=False)
    again = demo(folder=str(tmp_path / "place"))
    assert again.train.already_finished
    assert again.results == report.results


@pytest.mark.slow
def test_accuracy_of_the_demo(tmp_path):
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    from alexnet import demo

    report = demo(folder=tmp_path)
    assert report.results.images == 355
    assert report.results.top1 >= 0.97


NAMES = [str(digit) for digit in range(10)]
RIGHT = np.eye(10)[np.arange(100) % 10]
RESULTS = compute_metrics(
    np.roll(RIGHT, 1, axis=0) * 0.4 + RIGHT * 0.6, np.arange(100) % 10, NAMES, crops=1
)
REPORT = DemoReport(
    images="my runs/demo/digits",
    splits={"train": 1442, "test": 355},
    model="cifar_26pct",
    train=TrainReport(
        run_dir="my runs/demo/run",
        weights="my runs/demo/run/weights.safetensors",
        report="my runs/demo/run/report/index.html",
        continued=False,
        already_finished=False,
        stop_reason="30 epochs are done",
        split="test",
        results=RESULTS,
        epochs=30,
        best_epoch=17,
        seconds=12.3,
        images_per_s=4400.0,
        peak_memory_mb=340.0,
        skipped=0,
    ),
    results=RESULTS,
    predictions=Predictions(
        predictions=[
            Prediction(path=f"digits/test/{k}/0001.png", classes=[str(k or 6)], probabilities=[0.9])
            for k in range(10)
        ],
        crops=1,
    ),
    seconds=20.0,
)


@pytest.fixture
def printed():
    def printed(width=100, **changes):
        console = Console(width=width, color_system=None, highlight=False)
        with console.capture() as capture:
            render_demo(dataclasses.replace(REPORT, **changes), console)
        return capture.get()

    return printed


def test_summary_has_the_accuracy_and_its_interval(printed):
    text = " ".join(printed().split())
    assert "100.0% accuracy on 100 handwritten digits that the network was not trained on" in text
    assert "(95 % interval 96.3% to 100.0%)." in text
    assert (
        "cifar_26pct was trained on 1,442 others (a tenth of them for validation, which chose the "
        "best of 30 epochs) in 12 s, 4,400 images/s." in text
    )
    assert "has run before" not in text


def test_summary_has_a_prediction_for_each_digit(printed):
    rows = [line.split() for line in printed().splitlines()]
    assert ["label", *NAMES] in rows
    assert ["prediction", "6", *NAMES[1:]] in rows
    assert ["probability", *["90%"] * 10] in rows


@pytest.mark.parametrize("width", [60, 100])
def test_paths_and_commands_can_be_copied(printed, width):
    lines = printed(width=width).splitlines()
    assert "report    my runs/demo/run/report/index.html  (open it in a browser)" in lines
    commands = [line.partition("alexnet ")[2] for line in lines if "  alexnet " in line]
    assert commands == [
        "predict 'my runs/demo/run' 'my runs/demo/digits'/test/8",
        "evaluate 'my runs/demo/run' 'my runs/demo/digits' --crops 5",
        "describe cifar_26pct",
        "train FOLDER",
    ]


def test_summary_of_a_second_call(printed):
    done = dataclasses.replace(REPORT.train, already_finished=True)
    text = printed(train=done)
    assert text.startswith(
        "This demo has run before; its results are shown. Again: alexnet demo --fo"
    )


def test_summary_without_report(printed):
    assert "open it in a browser" not in printed(
        train=dataclasses.replace(REPORT.train, report=None)
    )
