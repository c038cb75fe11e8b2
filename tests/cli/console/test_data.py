from __future__ import annotations

import dataclasses

import pytest
from rich.console import Console

from alexnet.cli.console.data import render_pack
from alexnet.records import CachedPack, CacheReport, PackReport

PACKED = PackReport(
    source="cats",
    folder="packs/cats",
    pictures=1200,
    classes=["cat", "tiger"],
    splits={"train": 1000, "val": 200},
    image_px=256,
    fit="crop",
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
    pictures=1200,
    image_px=256,
    fit="crop",
    bytes=236_000_000,
    last_used=1_790_000_000.0,
    whole=True,
)


@pytest.fixture
def printed():
    def printed(record):
        console = Console(width=120, color_system=None)
        with console.capture() as capture:
            render_pack(record, console)
        return capture.get()

    return printed


def test_a_pack_is_told_in_a_sentence_with_the_next_step(printed):
    text = printed(PACKED)
    assert (
        "1,200 pictures (1,000 train, 200 val) of 2 classes, 256 pixels (crop), 236 MB in 4 "
        "shards, 3.2 s." in text.replace("\n", " ")
    )
    assert "alexnet train packs/cats" in text


def test_unreadable_files_are_named_some_of_them(printed):
    files = [(f"train/cat/{i}.jpg", "it is cut off") for i in range(12)]
    report = dataclasses.replace(PACKED, unreadable=files, quarantine="aside")
    text = printed(report)
    assert "12 pictures could not be read, copied to aside:" in text
    assert "train/cat/9.jpg: it is cut off" in text
    assert "train/cat/10.jpg" not in text
    assert "and 2 more, listed in packs/cats/pack.json" in text
    one = printed(dataclasses.replace(PACKED, unreadable=files[:1]))
    assert "1 picture could not be read:" in one


def test_the_cache_is_a_table_with_its_sum(printed):
    half = dataclasses.replace(CACHED, name="half", whole=False, source=None, image_px=None)
    text = printed(CacheReport(folder="cache/packs", packs=[CACHED, half]))
    assert "cats [old]" in text  # brackets are no markup
    assert "1,200" in text
    assert "unfinished" in text
    assert "2 packs, 472 MB in cache/packs." in text
    assert "alexnet cache --clear NAME" in text


def test_an_empty_cache_says_so_after_what_was_removed(printed):
    text = printed(CacheReport(folder="cache/packs", packs=[], removed=[CACHED]))
    assert text == "Removed 0123-256-crop-v1 (236 MB).\nThe cache cache/packs is empty.\n"
