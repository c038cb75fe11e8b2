from __future__ import annotations

import dataclasses

import pytest
from rich.console import Console

from alexnet.cli.console.data import render_cache, render_check, render_pack
from alexnet.records import (
    ISSUES,
    CachedPack,
    CacheReport,
    CheckReport,
    ClassCount,
    DuplicateGroup,
    FlaggedImage,
    ImageSizes,
    MissingClass,
    PackReport,
)

PACKED = PackReport(
    source="cats",
    folder="packs/cats",
    images=1200,
    classes=["cat", "tiger"],
    splits={"train": 1000, "val": 200},
    image_px=256,
    resize_mode="crop",
    store="pixels",
    bytes=235_929_600,
    shards=4,
    fingerprint="ab" * 16,
    seconds=3.21,
)
CACHED = CachedPack(
    name="0123-256-crop-v1",
    folder="cache/packs/0123-256-crop-v1",
    source="cats [old]",
    images=1200,
    image_px=256,
    resize_mode="crop",
    bytes=236_000_000,
    last_used=1_790_000_000.0,
    complete=True,
)


@pytest.fixture
def printed():
    def printed(record, render):
        console = Console(width=120, color_system=None)
        with console.capture() as capture:
            render(record, console)
        return capture.get()

    return printed


def test_pack(printed):
    text = printed(PACKED, render_pack)
    assert (
        "1,200 images (1,000 train, 200 val) of 2 classes, 256 pixels (crop), 236 MB in 4 "
        "shards, 3.2 s." in text.replace("\n", " ")
    )
    assert "alexnet train packs/cats" in text


def test_pack_with_unreadable_images(printed):
    files = [(f"train/cat/{i}.jpg", "it is cut off") for i in range(12)]
    report = dataclasses.replace(PACKED, unreadable=files, quarantine="aside")
    text = printed(report, render_pack)
    assert "12 images could not be read, copied to aside:" in text
    assert "train/cat/9.jpg: it is cut off" in text
    assert "train/cat/10.jpg" not in text
    assert "and 2 more, listed in packs/cats/pack.json" in text
    one = printed(dataclasses.replace(PACKED, unreadable=files[:1]), render_pack)
    assert "1 image could not be read:" in one


def test_cache(printed):
    half = dataclasses.replace(CACHED, name="half", complete=False, source=None, image_px=None)
    text = printed(CacheReport(folder="cache/packs", packs=[CACHED, half]), render_cache)
    assert "cats [old]" in text  # brackets are no markup
    assert "1,200" in text
    assert "unfinished" in text
    assert "2 packs, 472 MB in cache/packs." in text
    assert "alexnet cache --clear NAME" in text


def test_empty_cache(printed):
    text = printed(CacheReport(folder="cache/packs", packs=[], removed=[CACHED]), render_cache)
    assert text == "Removed 0123-256-crop-v1 (236 MB).\nThe cache cache/packs is empty.\n"


def flagged(path, detail=""):
    return FlaggedImage(path=path, label="ant", split="train", detail=detail)


def group(*paths, splits=False, classes=False):
    images = [flagged(path) for path in paths]
    return DuplicateGroup(images=images, across_splits=splits, across_classes=classes)


CLEAN = CheckReport(
    source="my photos",
    images=1200,
    readable=1200,
    classes=[
        ClassCount(name="ant", words="", images=900, splits={"train": 900}),
        ClassCount(name="bee", words="", images=300, splits={"train": 300}),
    ],
    splits={"train": 1200},
    missing=[],
    imbalance=3.0,
    formats={"JPEG": 1199, "GIF": 1},
    sizes=ImageSizes(
        smallest=[100, 90],
        median=[500, 375],
        largest=[4000, 3000],
        center_crop_loss=0.25,
        exif_rotated=0,
    ),
    gray=0,
    issues={},
    duplicates=[],
    near_duplicates=[],
    min_similarity=0.9,
    exclude=[],
    report="checks/photos/index.html",
    seconds=61.0,
    images_per_s=19.7,
    peak_memory_mb=412.3,
    notes=["A sentence about the set."],
)


def test_check_without_issues(printed):
    text = printed(CLEAN, render_check)
    assert len(text.splitlines()) < 16
    for words in (
        "my photos: 1,200 images of 2 classes",
        "1,200 can be read (1,200 train)",
        "1 min 1 s, 20 images/s, at most 412 MB",
        "100 x 90 to 4,000 x 3,000, median 500 x 375 pixels; 1,199 JPEG, 1 GIF",
        "duplicates: none",
        "near duplicates: none",
        "classes: 300 images (bee) to 900 (ant)",
        "A sentence about the set.",
        "page      checks/photos/index.html",
        "Nothing has to be left out.",
    ):
        assert words in text


def test_check_lists_five_of_each_issue(printed):
    groups = [group(f"{i}/a.png", f"{i}/b.png", classes=i == 0, splits=i < 2) for i in range(7)]
    torn = [flagged(f"torn {i}.jpg", "it is cut off") for i in range(8)]
    text = printed(
        dataclasses.replace(CLEAN, duplicates=groups, issues={"unreadable": torn}), render_check
    )
    assert "duplicates: 7 groups of 14 images, 2 across splits, 1 across classes" in text
    assert "  4/a.png = 4/b.png\n  and 2 more\n" in text
    assert "cannot be read: 8 images\n  torn 0.jpg: it is cut off\n" in text
    assert "  torn 4.jpg: it is cut off\n  and 3 more\n" in text
    assert "torn 5" not in text
    assert text.count("cannot be read") == 1


def test_check_names_three_of_a_large_group(printed):
    text = printed(dataclasses.replace(CLEAN, near_duplicates=[group(*"abcdefg")]), render_check)
    assert "  a = b = c, and 4 more\n" in text


def test_check_names_missing_classes(printed):
    missing = [MissingClass(split="val", name=f"class {i}") for i in range(6)]
    text = printed(dataclasses.replace(CLEAN, missing=missing), render_check)
    assert "  val has no image of class 4\n  and 1 more\n" in text


def test_check_next_commands(printed):
    out = [("a.png", "blank"), ("b.png", "a copy of c.png")]
    text = printed(dataclasses.replace(CLEAN, exclude=out), render_check)
    assert "2 images are better left out" in text
    assert "alexnet check 'my photos' --exclude-to exclude.csv" in text
    text = printed(dataclasses.replace(CLEAN, exclude=out, exclude_to="out list.csv"), render_check)
    assert "excluded  out list.csv: 2 images; read it, and remove what should stay" in text
    assert "next      alexnet train 'my photos' --exclude 'out list.csv'" in text


def test_every_issue_has_title_and_advice():
    for issue in ISSUES.values():
        assert issue.title
        assert issue.advice.endswith(".")
