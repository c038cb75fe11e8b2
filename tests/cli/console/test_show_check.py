"""How a check reads: short, with paths, and with what to do next."""

from __future__ import annotations

import dataclasses

import pytest
from rich.console import Console

from alexnet.cli.console.data import render_check
from alexnet.records import (
    FLAWS,
    CheckReport,
    ClassSize,
    CopyGroup,
    FoundPicture,
    MissingClass,
    PictureSizes,
)


def found(path, detail=""):
    return FoundPicture(path=path, label="ant", split="train", detail=detail)


def group(*paths, splits=False, classes=False):
    pictures = [found(path) for path in paths]
    return CopyGroup(pictures=pictures, across_splits=splits, across_classes=classes)


CLEAN = CheckReport(
    source="my photos",
    pictures=1200,
    readable=1200,
    classes=[
        ClassSize(name="ant", words="", pictures=900, splits={"train": 900}),
        ClassSize(name="bee", words="", pictures=300, splits={"train": 300}),
    ],
    splits={"train": 1200},
    missing=[],
    imbalance=3.0,
    formats={"JPEG": 1199, "GIF": 1},
    sizes=PictureSizes(
        smallest=[100, 90], median=[500, 375], largest=[4000, 3000], cropped=0.25, turned=0
    ),
    grey=0,
    flaws={},
    copies=[],
    near_copies=[],
    alike_from=0.9,
    exclude=[],
    report="checks/photos/index.html",
    seconds=61.0,
    images_per_s=19.7,
    peak_memory_mb=412.3,
    notes=["A sentence about the set."],
)


@pytest.fixture
def printed():
    def printed(report):
        console = Console(width=100, color_system=None)
        with console.capture() as capture:
            render_check(report, console)
        return capture.get()

    return printed


def test_a_clean_source_is_told_in_few_lines(printed):
    text = printed(CLEAN)
    assert len(text.splitlines()) < 16
    for words in (
        "my photos: 1,200 pictures of 2 classes",
        "1,200 can be read (1,200 train)",
        "1 min 1 s, 20 images/s, at most 412 MB",
        "100 x 90 to 4,000 x 3,000, median 500 x 375 pixels; 1,199 JPEG, 1 GIF",
        "copies of equal pixels: none",
        "copies nearly the same: none",
        "classes: 300 pictures (bee) to 900 (ant)",
        "A sentence about the set.",
        "page      checks/photos/index.html",
        "Nothing has to be left out.",
    ):
        assert words in text


def test_the_worst_five_of_each_kind_are_named_with_the_number_of_the_rest(printed):
    groups = [group(f"{i}/a.png", f"{i}/b.png", classes=i == 0, splits=i < 2) for i in range(7)]
    torn = [found(f"torn {i}.jpg", "it is cut off") for i in range(8)]
    text = printed(dataclasses.replace(CLEAN, copies=groups, flaws={"unreadable": torn}))
    assert (
        "copies of equal pixels: 7 groups of 14 pictures, 2 across splits, 1 across classes" in text
    )
    assert "  4/a.png = 4/b.png\n  and 2 more\n" in text
    assert "cannot be read: 8 pictures\n  torn 0.jpg: it is cut off\n" in text
    assert "  torn 4.jpg: it is cut off\n  and 3 more\n" in text
    assert "torn 5" not in text
    assert text.count("cannot be read") == 1


def test_a_large_group_names_three(printed):
    text = printed(dataclasses.replace(CLEAN, near_copies=[group(*"abcdefg")]))
    assert "  a = b = c, and 4 more\n" in text


def test_missing_classes_are_named(printed):
    missing = [MissingClass(split="val", name=f"class {i}") for i in range(6)]
    text = printed(dataclasses.replace(CLEAN, missing=missing))
    assert "  val has no picture of class 4\n  and 1 more\n" in text


def test_the_next_step_can_be_copied(printed):
    out = [("a.png", "blank"), ("b.png", "a copy of c.png")]
    text = printed(dataclasses.replace(CLEAN, exclude=out))
    assert "2 pictures are better left out" in text
    assert "alexnet check 'my photos' --exclude-to exclude.csv" in text
    text = printed(dataclasses.replace(CLEAN, exclude=out, exclude_to="out list.csv"))
    assert "excluded  out list.csv: 2 pictures; read it, and strike what should stay" in text
    assert "next      alexnet train 'my photos' --exclude 'out list.csv'" in text


def test_every_flaw_has_words():
    for flaw in FLAWS.values():
        assert flaw.title
        assert flaw.advice.endswith(".")
