"""Folders with every issue, and what is reported of each."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image, ImageFilter

from alexnet.data import check_source, open_source


def scene(seed: int, width: int = 80, height: int = 60) -> Image.Image:
    """Soft blots: as far from noise as photographs are."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def near(image: Image.Image) -> bytes:
    """The same image once more: smaller, and compressed."""
    return saved(image.resize((64, 48), Image.Resampling.BICUBIC), "JPEG", quality=60)


def usual(first: int, count: int, folder: str) -> dict[str, bytes]:
    return {f"{folder}/{i}.png": saved(scene(i)) for i in range(first, first + count)}


@pytest.fixture
def checked(make_folder):
    """Check some files as a folder; the findings hold together whatever they are."""

    def checked(files, **options):
        report = check_source(open_source(make_folder(files), as_found=True), **options)
        json.dumps(report.to_json(), allow_nan=False)
        paths = list(files)
        assert report.images == len(paths)
        assert {path for path, _ in report.exclude} <= set(paths)
        return report

    return checked


def paths(groups):
    return [[each.path for each in group.images] for group in groups]


def issues_of(report):
    return {kind: [each.path for each in found] for kind, found in report.issues.items()}


def test_a_clean_source_has_no_findings(checked):
    report = checked({**usual(0, 5, "ant"), **usual(10, 5, "bee")})
    assert (report.readable, report.issues, report.duplicates, report.near_duplicates) == (
        10,
        {},
        [],
        [],
    )
    assert (report.exclude, report.missing, report.splits) == ([], [], {})
    assert report.formats == {"PNG": 10}
    assert [(each.name, each.images) for each in report.classes] == [("ant", 5), ("bee", 5)]
    assert report.imbalance == 1
    assert report.sizes.smallest == report.sizes.median == report.sizes.largest == [80, 60]
    assert report.sizes.center_crop_loss == pytest.approx(0.25)


def test_duplicates_are_told_by_pixels_not_by_names_or_files(checked):
    files = {**usual(0, 4, "ant"), **usual(10, 4, "bee")}
    files["ant/again.webp"] = saved(scene(0), "WEBP", lossless=True)
    files["ant/dressed.png"] = saved(scene(1), "PNG", compress_level=0)
    report = checked(files)
    assert paths(report.duplicates) == [
        ["ant/0.png", "ant/again.webp"],
        ["ant/1.png", "ant/dressed.png"],
    ]
    assert report.near_duplicates == []
    assert report.exclude == [
        ("ant/again.webp", "duplicate of ant/0.png"),
        ("ant/dressed.png", "duplicate of ant/1.png"),
    ]


def test_near_duplicates_are_found_and_hold_exact_ones_too(checked):
    files = {**usual(0, 4, "ant"), **usual(10, 4, "bee")}
    files["ant/0 near.jpg"] = near(scene(0))
    files["ant/0 same.png"] = files["ant/0.png"]
    report = checked(files)
    assert paths(report.duplicates) == [["ant/0 same.png", "ant/0.png"]]
    assert paths(report.near_duplicates) == [["ant/0 near.jpg", "ant/0 same.png", "ant/0.png"]]
    details = [each.detail for each in report.near_duplicates[0].images]
    assert details[1:] == ["1.00 alike"] * 2
    assert [path for path, _ in report.exclude] == ["ant/0 same.png", "ant/0.png"]
    assert report.exclude[0][1] == "near duplicate of ant/0 near.jpg"


def test_mirror_images_are_near_duplicates_where_mirrored_is_set(checked):
    files = {**usual(0, 4, "ant"), **usual(10, 4, "bee")}
    files["ant/mirrored.png"] = saved(scene(2).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert checked(files).near_duplicates == []
    (group,) = checked(files, mirrored=True).near_duplicates
    assert [each.path for each in group.images] == ["ant/2.png", "ant/mirrored.png"]
    assert {each.detail for each in group.images} == {"mirrored, 1.00 alike"}


def test_duplicates_across_splits_and_classes_come_first_with_the_stated_rule(checked):
    files = {
        **usual(0, 4, "train/ant"),
        **usual(10, 4, "train/bee"),
        **usual(20, 2, "test/ant"),
        **usual(30, 2, "test/bee"),
    }
    files["test/ant/a.jpg"] = near(scene(0))  # across splits
    files["test/bee/b.png"] = files["train/ant/1.png"]  # across both
    files["train/bee/c.png"] = files["train/ant/2.png"]  # across classes
    files["train/ant/d.png"] = files["train/ant/3.png"]  # inside
    report = checked(files)
    assert paths(report.duplicates) == [
        ["train/ant/1.png", "test/bee/b.png"],
        ["train/ant/2.png", "train/bee/c.png"],
        ["train/ant/3.png", "train/ant/d.png"],
    ]
    assert [(g.across_splits, g.across_classes) for g in report.duplicates] == [
        (True, True),
        (False, True),
        (False, False),
    ]
    assert paths(report.near_duplicates) == [["train/ant/0.png", "test/ant/a.jpg"]]
    assert dict(report.exclude) == {
        "train/ant/0.png": "near duplicate of test/ant/a.jpg",
        "train/ant/1.png": "duplicate under another class",
        "train/ant/2.png": "duplicate under another class",
        "train/ant/d.png": "duplicate of train/ant/3.png",
        "train/bee/c.png": "duplicate under another class",
        "test/bee/b.png": "duplicate under another class",
    }


def test_every_issue_is_named(checked):
    whole = saved(scene(1), "JPEG")
    png = saved(scene(2))
    files = {**usual(10, 12, "ant"), **usual(30, 12, "bee")}
    files |= {
        "ant/torn.jpg": whole[: len(whole) // 2],
        "ant/text.jpg": b"no image",
        "ant/end.png": png[: png.rindex(b"IEND") - 4],
        "ant/named.jpg": saved(scene(3)),
        "ant/nameless": saved(scene(4)),
        "bee/white.png": saved(Image.new("RGB", (80, 60), "white")),
        "bee/black.png": saved(Image.new("RGB", (80, 60))),
        "bee/gray.png": saved(scene(5).convert("L")),
        "bee/icon.png": saved(scene(6, 14, 12)),
        "bee/huge.png": saved(scene(7, 400, 200)),
        "bee/strip.png": saved(scene(8, 90, 30)),
        "bee/größe.png": saved(scene(9)),
    }
    report = checked(files)
    assert issues_of(report) == {
        "unreadable": ["ant/text.jpg", "ant/torn.jpg"],
        "truncated": ["ant/end.png"],
        "wrong_extension": ["ant/named.jpg", "ant/nameless"],
        "blank": ["bee/black.png", "bee/white.png"],
        "gray": ["bee/gray.png"],
        "small": ["bee/icon.png"],
        "large": ["bee/huge.png"],
        "long": ["bee/strip.png"],
        "non_ascii_names": ["bee/größe.png"],
    }
    assert report.readable == len(files) - 2
    said = {each.path: each.detail for found in report.issues.values() for each in found}
    assert said["ant/torn.jpg"].startswith("it is cut off: ")
    assert said["ant/named.jpg"] == "PNG, called .jpg"
    assert said["ant/nameless"] == "PNG, without a suffix"
    assert said["bee/strip.png"] == "90 x 30 pixels"
    out = dict(report.exclude)
    assert sorted(out) == ["ant/text.jpg", "ant/torn.jpg", "bee/black.png", "bee/white.png"]
    assert out["ant/text.jpg"].startswith("cannot be read: it is a text and no image")
    assert out["bee/black.png"] == "blank"


def test_blank_images_are_no_duplicates(checked):
    plain = saved(Image.new("RGB", (80, 60), "white"))
    files = {**usual(0, 4, "ant"), **usual(10, 4, "bee"), "ant/a.png": plain, "bee/b.png": plain}
    report = checked(files)
    assert (report.duplicates, report.near_duplicates) == ([], [])
    assert len(report.issues["blank"]) == 2


def test_a_gray_set_is_not_gray_among_color(checked):
    files = {f"{k}/{i}.png": saved(scene(i).convert("L")) for i, k in enumerate("aabbaabb")}
    files["a/color.png"] = saved(scene(20))
    report = checked(files)
    assert report.gray == 8
    assert "gray" not in report.issues


def test_sizes_of_classes_and_what_a_split_lacks(checked):
    files = {**usual(0, 9, "train/ant"), **usual(10, 3, "train/bee"), **usual(20, 2, "val/ant")}
    files |= usual(30, 2, "val/wasp")
    report = checked(files)
    assert report.splits == {"train": 12, "val": 4}
    assert [(each.name, each.splits) for each in report.classes] == [
        ("ant", {"train": 9, "val": 2}),
        ("bee", {"train": 3, "val": 0}),
        ("wasp", {"train": 0, "val": 2}),
    ]
    assert [(each.split, each.name) for each in report.missing] == [
        ("train", "wasp"),
        ("val", "bee"),
    ]
    assert report.imbalance == 3
    assert "The largest class has 3.0 times" in report.notes[0]


def test_turned_images_and_lost_parts_are_said(checked):
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {f"a/{i}.jpg": saved(scene(i, 120, 60), "JPEG", exif=exif) for i in range(3)}
    report = checked({**files, "b/1.jpg": saved(scene(9, 120, 60), "JPEG")})
    assert report.sizes.exif_rotated == 3
    assert report.sizes.median == [60, 120]
    assert any("throws away 50%" in note for note in report.notes)
    assert any("3 images lie on their side or head by EXIF" in note for note in report.notes)


def test_a_source_without_readable_images_is_no_error(checked):
    report = checked({"ant/1.png": b"no image", "bee/1.png": b""})
    assert (report.readable, report.sizes, report.imbalance) == (0, None, None)
    assert len(report.issues["unreadable"]) == 2


def test_the_source_is_as_it_was(make_folder):
    where = make_folder(
        {**usual(0, 3, "ant"), "bee/1.png": b"no image", "bee/2.png": saved(scene(1))}
    )
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in where.rglob("*") if p.is_file()}
    check_source(open_source(where, as_found=True))
    after = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in where.rglob("*") if p.is_file()}
    assert before == after


def test_blurred_images_are_near_duplicates_and_other_scenes_are_not(checked):
    files = {**usual(0, 6, "ant"), **usual(10, 6, "bee")}
    files["ant/blurred.png"] = saved(scene(3).filter(ImageFilter.GaussianBlur(1.5)))
    assert paths(checked(files).near_duplicates) == [["ant/3.png", "ant/blurred.png"]]


def test_photographs_as_they_are_found(real_data):
    report = check_source(open_source(real_data / "hymenoptera.tar", as_found=True))
    assert (report.readable, report.splits) == (398, {"train": 245, "val": 153})
    assert report.formats == {"JPEG": 397, "GIF": 1}
    found = {
        kind: [path.rpartition("/")[2] for path in each] for kind, each in issues_of(report).items()
    }
    assert found["long"] == ["662541407_ff8db781e7.jpg"]
    assert "imageNotFound.gif" in found["gray"]
    assert len(found["gray"]) == 3
    assert report.sizes.largest == [2592, 1944]
    assert (report.duplicates, report.near_duplicates) == ([], [])
