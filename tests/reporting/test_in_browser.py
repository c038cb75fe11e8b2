"""The page in a real browser, opened from disk."""

import json

import pytest

from alexnet.reporting import write_report
from alexnet.reporting.run import write

OPEN = "[...document.querySelectorAll('.behind')].filter(e => e.checkVisibility()).map(e => e.id)"


@pytest.fixture(scope="module")
def report(tmp_path_factory, report_data_of):
    """Ten classes, some hundred predictions, two names that try to break out."""
    names = ["<img src=x onerror=document.title='broken'>", "\u202ebee", *map(str, range(8))]
    data = report_data_of(n=300, classes=names, accuracy=0.7, filters=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "write_figures", lambda *_: [])
        return write_report(tmp_path_factory.mktemp("run"), data), data


@pytest.fixture
def opened(browser, report):
    browser.open(report[0])
    return browser


def test_it_opens_whole_and_requests_nothing(opened):
    assert opened.evaluate("document.title") == "ants and bees · alexnet report"
    assert opened.evaluate("[...document.images].every(i => i.complete && i.naturalWidth)")
    assert opened.evaluate("document.images.length") > 20
    assert opened.messages == []


def test_a_click_on_a_cell_shows_the_images_behind_it_and_another_hides_them(opened, report):
    data = report[1]
    assert opened.evaluate(OPEN) == []
    true, predicted = 2, next(p for p in range(10) if p != 2 and data.confusion[2, p])
    cell = f"cell-{true}-{predicted}"
    opened.click(f'a[href="#{cell}"]')
    assert opened.evaluate(OPEN) == [cell]
    shown = opened.evaluate(f"[...document.querySelectorAll('#{cell} img')].map(i => i.alt)")
    behind = {
        data.paths[i]
        for i in range(300)
        if (data.labels[i], data.predicted[i]) == (true, predicted)
    }
    assert len(shown) == data.confusion[true, predicted]
    assert set(shown) == behind
    assert opened.evaluate("location.hash") == f"#{cell}"
    opened.click(f'a[href="#{cell}"]')
    assert opened.evaluate(OPEN) == []
    assert opened.messages == []


def test_opening_another_cell_closes_the_first(opened):
    opened.click('a[href="#cell-3-3"]')
    opened.click('a[href="#cell-4-4"]')
    assert opened.evaluate(OPEN) == ["cell-4-4"]
    assert opened.evaluate("document.querySelectorAll('[aria-current]').length") >= 1


def test_without_its_script_the_page_still_opens_cells(browser, report):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report[0])
        browser.click('a[href="#cell-3-3"]')
        assert browser.evaluate(OPEN) == ["cell-3-3"]
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_heading_sorts_the_classes(opened):
    column = "[...document.querySelectorAll('.classes tbody tr')].map(r => +r.cells[1].dataset.v)"
    before = opened.evaluate(column)
    assert before == sorted(before)
    opened.click(".classes th:nth-child(2) button")
    opened.click(".classes th:nth-child(2) button")
    assert opened.evaluate(column) == sorted(before, reverse=True)
    assert opened.evaluate("document.querySelectorAll('[aria-sort=descending]').length") == 1


def test_the_pointer_on_a_chart_reads_an_epoch(opened, report):
    opened.evaluate("document.querySelector('.chart').scrollIntoView({behavior: 'instant'})")
    box = opened.evaluate(
        "(({x, y, width, height}) => ({x: x + 1, y: y + height / 2}))"
        "(document.querySelector('.chart svg').getBoundingClientRect())"
    )
    saved = opened.evaluate("document.querySelector('.readout').textContent")
    opened.call("Input.dispatchMouseEvent", type="mouseMoved", **box)
    assert opened.evaluate("document.querySelector('.which').textContent") == "Epoch 1"
    assert "2.1" in opened.evaluate("document.querySelector('.readout').textContent")
    opened.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    assert opened.evaluate("document.querySelector('.readout').textContent") == saved


@pytest.mark.parametrize("width", [340, 760, 1400])
def test_no_window_is_too_narrow(browser, report, width):
    browser.open(report[0], width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


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
        const color = (what, name) => {
          const found = getComputedStyle(document.querySelector(what))[name];
          return found.match(/[\\d.]+/g).slice(0, 3).map(Number);
        };
        const paper = light(color("body", "backgroundColor"));
        const names = [".wrong .prediction .name", ".correct .prediction .name"];
        return ["body", ".about p", ...names].map((what) => {
          const [a, b] = [light(color(what, "color")), paper].sort((x, y) => y - x);
          return (a + 0.05) / (b + 0.05);
        });
      })()
    """
    text, soft, wrong, correct = browser.evaluate(script)
    assert text > 12
    assert min(soft, wrong, correct) > 4.5, json.dumps([soft, wrong, correct])


LONG = [
    "a quite long name of a class of things",
    "Northern-cardinal_female_juvenile_plumage",
    "supercalifragilisticexpialidocious",
]
CUT = """
  ['.card .name', '.pairs .names', '.classes th span', '.confusion tbody th span']
    .flatMap(what => [...document.querySelectorAll(what)])
    .filter(e => e.checkVisibility() && !e.closest('.unseen'))
    .filter(e => e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)
    .map(e => e.textContent.trim())
"""


@pytest.mark.parametrize("classes", [2, 10, 30])
def test_long_names_are_read_in_full_on_every_screen(browser, report_data_of, tmp_path, classes):
    names = [f"{LONG[i % 3]} {i}" for i in range(classes)]
    page = write_report(tmp_path, report_data_of(n=60, classes=names, side=64))
    for width in (390, 768, 1280):
        browser.open(page, width=width)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        cut = browser.evaluate(CUT)
        matrix = [name for name in cut if width == 390 and name.startswith(LONG[1])]
        assert set(cut) <= set(matrix)  # the title has it: three lines are enough beside a matrix


def test_a_matrix_of_ten_classes_fits_a_telephone(browser, report_data_of, tmp_path):
    names = [f"{LONG[i % 3]} {i}" for i in range(10)]
    browser.open(write_report(tmp_path, report_data_of(n=60, classes=names)), width=390)
    frame = "document.querySelector('.matrix .scroll')"
    assert browser.evaluate(f"{frame}.scrollWidth - {frame}.clientWidth") <= 4
    left = "document.querySelector('.confusion tbody th').getBoundingClientRect().left"
    before = browser.evaluate(left)
    browser.evaluate(f"{frame}.scrollLeft = 100")
    assert abs(browser.evaluate(left) - before) < 8  # names stay beside their row
