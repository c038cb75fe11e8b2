"""The page of a comparison."""

from __future__ import annotations

import pytest

from alexnet.records import ComparedClassifier, ComparisonReport, Difference, Interval
from alexnet.reporting import describe_difference, write_comparison


@pytest.fixture
def report() -> ComparisonReport:
    rows = [
        ComparedClassifier(
            name=name,
            model="alexnet",
            top1=top1,
            top1_interval=Interval(low=top1 - 0.1, high=top1 + 0.1),
            top5=1.0,
            balanced_accuracy=top1,
            loss=0.5,
            calibration_error=None,
            epochs=3,
            seconds=None,
            report=None,
        )
        for name, top1 in (("runs/<b>a</b>", 0.6), ("runs/b", 0.7))
    ]
    return ComparisonReport(
        images=100,
        measured_on="val images of photos",
        classifiers=rows,
        differences=[difference()],
        settings={"lr": [0.1, 0.2], "mean": [None, "image"]},
        page=None,
    )


def difference(**changes) -> Difference:
    values = {
        "first": "runs/<b>a</b>",
        "second": "runs/b",
        "difference": 0.1,
        "interval": Interval(low=0.02, high=0.18),
        "only_first": 5,
        "only_second": 15,
        "p": 0.04,
        "p_corrected": 0.04,
        "better": "runs/b",
    }
    return Difference(**{**values, **changes})


def test_a_pair_is_a_sentence_whichever_is_better():
    assert describe_difference(difference()) == (
        "runs/b is better than runs/<b>a</b>: 10.0 points (95 % interval 2.0 to 18.0; 15 images "
        "right in it alone, 5 in the other alone; p = 0.04)."
    )
    turned = difference(
        difference=-0.1, interval=Interval(low=-0.18, high=0.02), only_first=15, only_second=5,
        better=None,
    )  # fmt: skip
    assert describe_difference(turned) == (
        "runs/<b>a</b> was more accurate than runs/b, which may be chance: 10.0 points (95 % "
        "interval -2.0 to 18.0; 15 images right in it alone, 5 in the other alone; p = 0.04)."
    )


def test_names_are_escaped_and_figures_lie_beside(tmp_path, report, epoch_of):
    epochs = [[epoch_of(number) for number in range(1, 4)], []]
    text = write_comparison(tmp_path / "page.html", report, epochs).read_text("utf-8")
    assert "<b>" not in text
    assert text.count("<svg") == 2  # of the one whose training is known
    rows = (tmp_path / "page.csv").read_text("utf-8").splitlines()
    assert rows[0].endswith("low,high,lr,mean")
    assert rows[2].startswith("runs/b,alexnet,0.7,")


def test_it_opens_in_a_browser_on_every_screen(browser, tmp_path, report):
    page = write_comparison(tmp_path / "page.html", report, [[], []])
    for width in (390, 1280):
        browser.open(page, width=width)
        assert browser.evaluate("document.title") == "2 classifiers · alexnet compare"
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.messages == []
