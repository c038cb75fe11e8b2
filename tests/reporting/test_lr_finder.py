"""The page of a learning-rate range test."""

import numpy as np
import pytest

from alexnet.records import TuneReport
from alexnet.reporting import write_lr_finder_report


@pytest.fixture
def report() -> TuneReport:
    lrs = np.geomspace(1e-6, 1, 60)
    losses = 2.3 - 1.5 / (1 + 3e-3 / lrs) + 20 * np.maximum(lrs - 0.1, 0)
    return TuneReport(
        lr=0.01,
        reason="The loss falls <fastest> there.",
        lrs=lrs.tolist(),
        losses=losses.tolist(),
        smoothed_losses=losses.tolist(),
        fall_start_lr=2e-4,
        fall_end_lr=8e-2,
        diverged_at_lr=None,
        model="alexnet",
        batch_size=64,
        seconds=3.0,
    )


def test_the_page_says_rate_reason_and_command(tmp_path, report):
    command = "alexnet train '<b>' --lr 0.01"
    page = write_lr_finder_report(tmp_path / "lr.html", report, "<b>ants</b>", command)
    text = page.read_text("utf-8")
    assert "<span>0.01</span>" in text
    assert "The loss falls &lt;fastest&gt; there." in text
    assert "alexnet train &#39;&lt;b&gt;&#39; --lr 0.01" in text
    assert "<b>" not in text
    assert text.count("<svg") == 2  # for wide and for small screens


def test_it_opens_in_a_browser(browser, tmp_path, report):
    browser.open(write_lr_finder_report(tmp_path / "lr.html", report, "ants", "train"), width=390)
    assert browser.evaluate("document.title") == "ants · learning rate"
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
    assert browser.messages == []


def test_one_of_the_two_drawings_is_shown_and_it_fits(browser, tmp_path, report):
    page = write_lr_finder_report(tmp_path / "lr.html", report, "ants", "train")
    shown = (
        "[...document.querySelectorAll('.chart')].filter(e => e.checkVisibility())"
        ".map(e => [e.className,"
        " e.querySelector('svg').getBoundingClientRect().right < innerWidth])"
    )
    for width, name in ((390, "chart narrow"), (768, "chart wide"), (1280, "chart wide")):
        browser.open(page, width=width)
        assert browser.evaluate(shown) == [[name, True]]
