"""The page of a check: whole, safe with hostile names, and drawn in a real browser."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.data import check_source, open_source
from alexnet.errors import RunError
from alexnet.records import CheckReport, ClassCount, DuplicateGroup, FlaggedImage, MissingClass
from alexnet.reporting import write_check_report
from alexnet.reporting.check import draw_check, shown_images

HOSTILE = '"><img src=x onerror=alert(1)></bdi><script>1</script>\u202e'


class Outline(HTMLParser):
    """Tags and their attributes; fails where tags are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"br", "img", "meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def image(path, label="ant", split="train", detail=""):
    return FlaggedImage(path=path, label=label, split=split, detail=detail)


def make_report(groups=3, name="class", **changes) -> CheckReport:
    copies = [
        DuplicateGroup(
            images=[image(f"{name} {i}/a.png", name), image(f"{name} {i}/b.png", "b", "val")],
            across_splits=i == 0,
            across_classes=i < 2,
        )
        for i in range(groups)
    ]
    values = {
        "source": "photos",
        "images": 100,
        "readable": 99,
        "classes": [ClassCount(name=name, words="", images=99, splits={"train": 90, "val": 9})],
        "splits": {"train": 90, "val": 9},
        "missing": [MissingClass(split="val", name=name)],
        "imbalance": 1.0,
        "formats": {"JPEG": 99},
        "sizes": None,
        "gray": 0,
        "issues": {"unreadable": [image("torn.jpg", detail="it is cut off")]},
        "duplicates": copies,
        "near_duplicates": copies[:1],
        "min_similarity": 0.9,
        "exclude": [("torn.jpg", "cannot be read")],
        "report": "checks/photos/index.html",
    }
    return CheckReport(**(values | changes))


def test_counts_rule_and_commands_stand_in_the_page():
    page = draw_check(make_report(), {}, side_px=0)
    Outline(page)
    for words in (
        "of 100 images are better left out.",
        "3 groups, 1 across splits, 2 across classes",
        "across classes and splits",
        "val has no image of class.",
        "Cannot be read<small>1 image</small>",
        "Not found: can be read, though the end of the file is missing; ",
        "<code>alexnet check photos --exclude-to exclude.csv</code>",
        "<code>alexnet train photos --exclude exclude.csv</code>",
        "before val, before train",
        'href="check.json"',
    ):
        assert words in page, words
    clean = make_report(0, near_duplicates=[], issues={}, exclude=[], missing=[])
    page = draw_check(clean, {}, side_px=0)
    for words in ("No two images have equal pixels.", "Here that is none.", ">none</p>"):
        assert words in page


def test_hostile_names_bring_neither_tags_nor_scripts():
    report = make_report(
        name=HOSTILE,
        source=HOSTILE,
        exclude_to=HOSTILE,
        notes=[HOSTILE],
        formats={HOSTILE: 1},
        issues={"wrong_extension": [image(HOSTILE, HOSTILE, HOSTILE, HOSTILE)]},
    )
    page = draw_check(report, {}, side_px=0)
    tags = [tag for tag, _ in Outline(page).tags]
    assert tags.count("script") == 1
    assert "img" not in tags
    assert not any(name.startswith("on") for _, attrs in Outline(page).tags for name in attrs)
    assert "\u202e" not in page
    rules = [attrs["content"] for _, attrs in Outline(page).tags if "http-equiv" in attrs]
    assert rules[0].startswith("default-src 'none'; ")


def test_codes_are_shown_by_their_words():
    sizes = [ClassCount(name="n01", words="goldfish, Carassius", images=9, splits={"train": 9})]
    report = make_report(classes=sizes, issues={"gray": [image("n01/1.png", "n01")]})
    page = draw_check(report, {}, side_px=0)
    assert re.search(r'class="name"><bdi>goldfish</bdi>', page)
    assert "goldfish, Carassius" in page


def test_a_page_stays_small_and_lists_the_rest():
    many = [image(f"gray/{i}.png") for i in range(5000)]
    report = make_report(200, issues={"gray": many})
    wanted = shown_images(report)
    assert len(wanted) == len(set(wanted)) == 2 * 48 + 24
    page = draw_check(report, {}, side_px=0)
    assert page.count('<figure class="card') == 2 * 48 + 2 + 24
    assert "All 200 groups" in page
    assert "class 199/b.png" in page
    assert "All 5,000 images" in page
    assert "gray/1999.png" in page
    assert "... and 3,000 images more in check.json." in page


def write_scene(path: Path, seed: int) -> None:
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(small).resize((160, 120), Image.Resampling.BICUBIC).save(path)


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A page that was drawn of a real folder with two copies, a broken file and a gray one."""
    where = tmp_path_factory.mktemp("photos")
    for k, name in enumerate(("ant", "<b>bee</b>")):
        for i in range(4):
            write_scene(where / "train" / name.replace("/", "\u2215") / f"{i}.png", 10 * k + i)
    write_scene(where / "val" / "ant" / "copy.png", 1)
    (where / "train" / "ant" / "torn.png").write_bytes(b"\x89PNG")
    source = open_source(where, as_found=True)
    folder = tmp_path_factory.mktemp("check")
    report = check_source(source)
    return write_check_report(folder, report, source), report


def test_what_was_found_lies_beside_the_page(checked):
    page, report = checked
    kept = json.loads((page.parent / "check.json").read_bytes())
    assert kept == report.to_json()
    assert page.read_text("utf-8").count("data:image/") == 6  # the pair, and four of the odd folder


def test_names_that_are_no_text_are_written_too(tmp_path, checked):
    _, report = checked
    odd = dataclasses.replace(
        report, issues={"non_ascii_names": [image("ant/\udcff.png")]}, duplicates=[]
    )
    source = open_source(Path(report.source), as_found=True)
    page = write_check_report(tmp_path, odd, source)
    kept = json.loads((tmp_path / "check.json").read_bytes())
    assert kept["issues"]["non_ascii_names"][0]["path"] == "ant/\udcff.png"
    assert "ant/\\udcff.png" in page.read_text("utf-8")


def test_another_folder_is_not_written_over(tmp_path, checked):
    _, report = checked
    source = open_source(Path(report.source), as_found=True)
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(RunError, match="holds something else than a check. Name a new or an empty"):
        write_check_report(tmp_path, report, source)
    with pytest.raises(RunError, match="holds something else than a check"):
        write_check_report(tmp_path / "index.html", report, source)
    assert (tmp_path / "index.html").read_text() == "mine"


@pytest.mark.parametrize("width", [340, 1200])
def test_it_opens_whole_in_a_browser_and_requests_nothing(browser, checked, width):
    browser.open(checked[0], width=width)
    assert browser.evaluate("document.title").endswith("alexnet check")
    assert browser.evaluate("[...document.images].every(i => i.complete && i.naturalWidth)")
    assert browser.evaluate("document.images.length") == 6
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.messages == []
