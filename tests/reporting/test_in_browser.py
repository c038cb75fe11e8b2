"""The page in a real browser, opened from disk."""

import json

import pytest

from alexnet.reporting import write_report

OPEN = "[...document.querySelectorAll('.behind')].filter(e => e.checkVisibility()).map(e => e.id)"


@pytest.fixture(scope="module")
def report(tmp_path_factory, evidence_of):
    """Ten classes, some hundred answers, two names that try to break out."""
    names = ["<img src=x onerror=document.title='broken'>", "\u202ebee", *map(str, range(8))]
    evidence = evidence_of(n=300, classes=names, right=0.7, filters=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "matplotlib", None)
        return write_report(tmp_path_factory.mktemp("run"), evidence), evidence


@pytest.fixture
def opened(browser, report):
    browser.open(report[0])
    return browser


def test_it_opens_whole_and_asks_nobody(opened):
    assert opened.ask("document.title") == "ants and bees · alexnet report"
    assert opened.ask("[...document.images].every(i => i.complete && i.naturalWidth)")
    assert opened.ask("document.images.length") > 20
    assert opened.messages == []


def test_a_click_on_a_cell_shows_the_pictures_behind_it_and_another_hides_them(opened, report):
    evidence = report[1]
    assert opened.ask(OPEN) == []
    true, answered = 2, next(a for a in range(10) if a != 2 and evidence.confusion[2, a])
    cell = f"cell-{true}-{answered}"
    opened.click(f'a[href="#{cell}"]')
    assert opened.ask(OPEN) == [cell]
    shown = opened.ask(f"[...document.querySelectorAll('#{cell} img')].map(i => i.alt)")
    behind = {
        evidence.paths[i]
        for i in range(300)
        if (evidence.labels[i], evidence.answered[i]) == (true, answered)
    }
    assert len(shown) == evidence.confusion[true, answered]
    assert set(shown) == behind
    assert opened.ask("location.hash") == f"#{cell}"
    opened.click(f'a[href="#{cell}"]')
    assert opened.ask(OPEN) == []
    assert opened.messages == []


def test_opening_another_cell_closes_the_first(opened):
    opened.click('a[href="#cell-3-3"]')
    opened.click('a[href="#cell-4-4"]')
    assert opened.ask(OPEN) == ["cell-4-4"]
    assert opened.ask("document.querySelectorAll('[aria-current]').length") >= 1


def test_without_its_script_the_page_still_opens_cells(browser, report):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report[0])
        browser.click('a[href="#cell-3-3"]')
        assert browser.ask(OPEN) == ["cell-3-3"]
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_heading_sorts_the_classes(opened):
    column = "[...document.querySelectorAll('.classes tbody tr')].map(r => +r.cells[1].dataset.v)"
    before = opened.ask(column)
    assert before == sorted(before)
    opened.click(".classes th:nth-child(2) button")
    opened.click(".classes th:nth-child(2) button")
    assert opened.ask(column) == sorted(before, reverse=True)
    assert opened.ask("document.querySelectorAll('[aria-sort=descending]').length") == 1


def test_the_pointer_on_a_chart_reads_an_epoch(opened, report):
    opened.ask("document.querySelector('.chart').scrollIntoView({behavior: 'instant'})")
    box = opened.ask(
        "(({x, y, width, height}) => ({x: x + 1, y: y + height / 2}))"
        "(document.querySelector('.chart svg').getBoundingClientRect())"
    )
    kept = opened.ask("document.querySelector('.readout').textContent")
    opened.call("Input.dispatchMouseEvent", type="mouseMoved", **box)
    assert opened.ask("document.querySelector('.which').textContent") == "Epoch 1"
    assert "2.1" in opened.ask("document.querySelector('.readout').textContent")
    opened.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    assert opened.ask("document.querySelector('.readout').textContent") == kept


@pytest.mark.parametrize("width", [340, 760, 1400])
def test_no_window_is_too_narrow(browser, report, width):
    browser.open(report[0], width=width)
    assert browser.ask("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_paper(browser, report, scheme):
    """Contrast of text, soft text and both inks against the paper, as WCAG counts it."""
    browser.open(report[0], scheme=scheme)
    script = """
      (() => {
        const light = (rgb) => {
          const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
          const [r, g, b] = rgb.map((c) => linear(c / 255));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const colour = (what, name) => {
          const found = getComputedStyle(document.querySelector(what))[name];
          return found.match(/[\\d.]+/g).slice(0, 3).map(Number);
        };
        const paper = light(colour("body", "backgroundColor"));
        return ["body", ".about p", ".wrong .answer .name", ".right .answer .name"].map((what) => {
          const [a, b] = [light(colour(what, "color")), paper].sort((x, y) => y - x);
          return (a + 0.05) / (b + 0.05);
        });
      })()
    """
    text, soft, wrong, right = browser.ask(script)
    assert text > 12
    assert min(soft, wrong, right) > 4.5, json.dumps([soft, wrong, right])
