"""The page of a study, from records alone: what it shows, and what where there is little."""

import csv
import html
import re

import pytest

from alexnet.recipe import Recipe
from alexnet.records import RetrainedRun, SearchReport, TrialRecord
from alexnet.reporting import write_study_report
from alexnet.studies import StudyConfig, parse_space

RECIPE = Recipe(model="mlp", epochs=3, schedule="constant")
VARY = ("lr=1e-4..1e-1:log", "momentum=0.5..0.9", "flip=yes,no")


def trial(number, state, **changes) -> TrialRecord:
    error = changes.pop("error", 0.5 - 0.01 * number)
    curve = [(1, error + 0.1), (2, error)] if error is not None else []
    return TrialRecord(
        **{
            "number": number,
            "state": state,
            "params": {"lr": 0.001 * (number + 1), "momentum": 0.6, "flip": number % 2 == 0},
            "val_error": error,
            "val_loss": 1.0,
            "curve": curve,
            "seconds": 2.0,
            "training_seconds": 1.9,
            "reason": None,
            "run_dir": f"trials/{number:04d}",
            "retry_of": None,
            **changes,
        }
    )


TRIALS = [
    *[trial(i, "complete") for i in range(7)],
    trial(7, "pruned", error=0.8),
    trial(8, "failed", error=None, reason="The loss <b>is</b> no longer finite."),
    trial(9, "running", error=None),
]


def study(vary=VARY, **changes) -> tuple[SearchReport, StudyConfig]:
    config = StudyConfig(
        recipe=RECIPE,
        space=parse_space(vary, RECIPE),
        sampler="random",
        pruner="halving",
        trials=10,
        fingerprint="f",
        classes=("ant", "bee"),
    )
    facts = {
        "folder": "runs/study",
        "source": "photos/ants & bees",
        "storage": "runs/study/study.journal",
        "sampler": "random",
        "pruner": "halving",
        "n_trials": 10,
        "space": config.space.records(RECIPE),
        "model": "mlp",
        "epochs": 3,
        "trials": TRIALS,
        "best": TRIALS[6],
        "best_recipe": "runs/study/best.json",
        "importance": {"lr": 0.9, "momentum": 0.1, "flip": 0.0},
    }
    return SearchReport(**{**facts, **changes}), config


def page_of(folder, report, config) -> str:
    layouts = config.layouts(len(report.finished) or config.n_trials)
    return write_study_report(folder, report, layouts).read_text()


@pytest.fixture
def whole(tmp_path):
    return page_of(tmp_path, *study())


def figure(page: str, title: str) -> str:
    """Return the figure of a title; of one that is drawn for two widths both agree in its marks."""
    found = re.findall(rf"<figure[^>]*><figcaption>{title}.*?</figure>", page, re.DOTALL)
    marks = [re.findall("<title>(.*?)</title>", each) for each in found]
    assert len(found) in (1, 2)
    assert marks[0] == marks[-1]
    return found[0]


def test_the_best_trial_stands_first(whole):
    assert "ants &amp; bees" in whole
    assert "44.0" in whole
    assert "lowest validation error, trial 6." in whole
    command = "alexnet train 'photos/ants & bees' --recipe runs/study/best.json"
    assert command in html.unescape(whole)


def test_every_trial_that_ended_is_a_mark_and_the_failed_one_a_cross(whole):
    best_so_far = figure(whole, "Each trial, and the lowest error so far")
    tips = re.findall("<title>(trial [0-9]+, [a-z]+):", best_so_far)
    assert len(tips) == 9
    assert tips.count("trial 8, failed") == 1
    curves = figure(whole, "A line for each trial")
    assert len(re.findall("<path[^>]*><title>trial", curves)) == 8


def test_random_and_grid_are_drawn_side_by_side(whole):
    assert "Random search: 9 trials, 9 values of lr" in whole
    drawn = figure(whole, "Grid: ")
    assert "not run" in drawn
    assert (
        len(re.findall("<title>lr [^<]+, momentum [^<]+</title>", drawn)) == 8
    )  # 2 x 2 x 2 fit into nine trials
    assert drawn.count("stroke: var(--ink)") == 2  # the marks under the axis


def test_what_decides_and_pairs(whole):
    assert re.search(r"lr</th><td>90\u202f%</td>", whole)
    assert [t for t in ("momentum over lr", "lr over momentum") if t in whole]
    assert "Error over lr" in whole


def test_reasons_are_told_and_nothing_breaks_out(whole):
    assert "The loss &lt;b&gt;is&lt;/b&gt; no longer finite." in whole
    assert "<b>is" not in whole


def test_before_the_first_trial_and_with_one_field(tmp_path):
    empty = {"trials": [], "best": None, "best_recipe": None, "importance": {}}
    text = page_of(tmp_path, *study(vary=VARY[:1], **empty))
    assert "No trial is complete yet." in text
    assert "The search space has one field, so there are no pairs." in text
    assert "There is no best recipe yet." in text


def test_when_every_trial_failed(tmp_path):
    lost = [trial(i, "failed", error=None, reason="Not finite.") for i in range(3)]
    empty = {"trials": lost, "best": None, "best_recipe": None, "importance": {}}
    assert page_of(tmp_path, *study(**empty)).count("Not finite.") >= 3


def test_trained_again(tmp_path):
    again = [
        RetrainedRun(
            seed=i, run_dir=f"retrained/seed-{i}", split="test", images=200, error=0.4 + i / 100
        )
        for i in (1, 2, 3)
    ]
    text = page_of(tmp_path, *study(retrained=again, done=True))
    assert (
        "Trained again with 3 other seeds, the best recipe has 42.00\u202f% ± 1.00\u202f% error "
        "on 200 test images." in text
    )
    assert "The study is not done" not in text


def test_the_table_beside_it_has_every_trial(tmp_path):
    page_of(tmp_path, *study())
    with (tmp_path / "report" / "trials.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == [each.state for each in TRIALS]
    assert float(rows[3]["lr"]) == TRIALS[3].params["lr"]
    assert rows[8]["reason"] == TRIALS[8].reason


def test_it_opens_in_a_browser_and_sorts(browser, tmp_path):
    report, config = study()
    browser.open(write_study_report(tmp_path, report, config.layouts(config.n_trials)))
    assert browser.evaluate("document.title") == "ants & bees · alexnet search"
    column = "[...document.querySelectorAll('#table tbody tr')].map(r => +r.cells[1].dataset.v)"
    before = browser.evaluate(column)
    browser.click("#table th:nth-child(2) button")
    after = browser.evaluate(column)
    assert sorted(after[:8]) == after[:8] != before[:8]
    wide = "[...document.querySelectorAll('svg text')].every(t => t.getBBox().x >= -1)"
    assert browser.evaluate(wide)
    assert browser.messages == []


def test_a_study_fits_a_telephone(browser, tmp_path):
    report, config = study()
    page = write_study_report(tmp_path, report, config.layouts(9))
    shown = "[...document.querySelectorAll('.chart')].filter(e => e.checkVisibility())"
    beyond = f"{shown}.filter(e => e.getBoundingClientRect().right > innerWidth).length"
    for width, hidden in ((390, "wide"), (1280, "narrow")):
        browser.open(page, width=width)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate(beyond) == 0
        assert browser.evaluate(f"{shown}.filter(e => e.matches('.{hidden}')).length") == 0
    assert browser.messages == []
