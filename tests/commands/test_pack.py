from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from alexnet.commands.pack import pack
from alexnet.data import open_pack, open_source
from alexnet.errors import SourceError
from alexnet.records import PackReport


@pytest.fixture
def folder(tmp_path):
    """Three training images and one for validation of each of two classes."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 1)):
        for name in ("ant", "bee"):
            place = tmp_path / "images" / split / name
            place.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{i}.png")
    return tmp_path / "images"


def test_pack_reports_what_it_made(folder, tmp_path):
    report = pack(folder, tmp_path / "pack", image_px=8, workers=1)
    made = open_pack(tmp_path / "pack")
    assert isinstance(report, PackReport)
    assert (report.images, report.classes, report.shards) == (8, ["ant", "bee"], 1)
    assert report.splits == {"train": 6, "val": 2}
    assert (report.image_px, report.resize_mode, report.bytes) == (8, "crop", 8 * 192)
    assert (report.fingerprint, report.unreadable) == (made.fingerprint, [])
    assert json.loads(json.dumps(report.to_json()))["images"] == 8


def test_unreadable_images_are_reported_and_copied(folder, tmp_path):
    (folder / "train" / "ant" / "0.png").write_text("no image")
    with pytest.raises(SourceError, match="1 of 8 images cannot be read, more than 5%"):
        pack(folder, tmp_path / "pack", image_px=8)
    report = pack(folder, tmp_path / "pack", image_px=8, quarantine=tmp_path / "aside")
    assert [path for path, _ in report.unreadable] == ["train/ant/0.png"]
    assert report.quarantine == str(tmp_path / "aside")
    assert (tmp_path / "aside" / "train" / "ant" / "0.png").read_text() == "no image"


def test_the_same_call_again_changes_nothing(folder, tmp_path):
    first = pack(folder, tmp_path / "pack", image_px=8)
    before = (tmp_path / "pack" / "pack.json").stat().st_mtime_ns
    assert pack(folder, tmp_path / "pack", image_px=8).fingerprint == first.fingerprint
    assert (tmp_path / "pack" / "pack.json").stat().st_mtime_ns == before


def test_a_pack_is_a_source(folder, tmp_path):
    pack(folder, tmp_path / "pack", image_px=8)
    source = open_source(tmp_path / "pack")
    assert tuple(source.classes) == ("ant", "bee")
    assert len(source.labels) == 8


@pytest.fixture
def years(folder, tmp_path):
    """Two years of the same two classes, one of them written in two ways."""
    ant, bee = folder / "train" / "ant", folder / "train" / "bee"
    for year, names in (("2019", ("ant", "bee")), ("2020", ("Ant", "bee"))):
        for name, place in zip(names, (ant, bee), strict=True):
            shutil.copytree(place, tmp_path / "years" / year / name)
    return tmp_path / "years"


def test_what_folders_mean_may_be_said(years, tmp_path):
    with pytest.raises(SourceError, match="--class-depth 2"):
        pack(years, tmp_path / "pack", image_px=8)
    report = pack(years, tmp_path / "pack", image_px=8, class_depth=2)
    assert report.classes == ["Ant", "ant", "bee"]
    joined = pack(years, tmp_path / "joined", image_px=8, class_depth=2, join_classes=True)
    assert (len(joined.classes), joined.images) == (2, 12)


def test_the_encoding_of_names_may_be_said(folder, tmp_path):
    image = (folder / "train" / "ant" / "0.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for k, name in enumerate(("XX", "YY")):
            for i in range(2):
                archive.writestr(f"{name}/{i}.png", image + bytes([k, i]))
    data = (tmp_path / "a.zip").read_bytes()
    for stand_in, word in (("XX", "猫"), ("YY", "狗")):
        data = data.replace(f"{stand_in}/".encode(), word.encode("gbk") + b"/")
    (tmp_path / "a.zip").write_bytes(data)
    assert pack(tmp_path / "a.zip", tmp_path / "p", image_px=8, name_encoding="gbk").classes == [
        *("狗", "猫"),
    ]
    with pytest.raises(SourceError, match='no encoding "gbkk"'):
        pack(tmp_path / "a.zip", tmp_path / "q", image_px=8, name_encoding="gbkk")
