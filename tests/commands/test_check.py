"""The verb: what it writes and never touches, and how train, pack and evaluate take its list."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet import check, evaluate, pack, train
from alexnet.errors import RecipeError, RunError, SourceError


def write_scene(path: Path, seed: int) -> None:
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(small).resize((30, 24), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two classes of five; one image twice within its class, one in both, one broken."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    for k, name in enumerate(("ant", "bee")):
        for i in range(5):
            write_scene(tmp_path / "photos" / name / f"{i}.png", 10 * k + i)
    write_scene(tmp_path / "photos" / "ant" / "again.png", 0)
    write_scene(tmp_path / "photos" / "bee" / "both.png", 1)
    (tmp_path / "photos" / "bee" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path / "photos"


OUT = ["ant/1.png", "ant/again.png", "bee/both.png", "bee/torn.jpg"]


def test_findings_are_no_error_and_lie_where_they_are_looked_for(alexnet, photos):
    said = alexnet("check", "photos", "--exclude-to", "out.csv")
    assert said.code == 0
    assert "duplicates: 2 groups of 4 images, 1 across classes" in said.out
    assert "cannot be read: 1 image\n  bee/torn.jpg: it is cut off" in said.out
    assert "next      alexnet train photos --exclude out.csv" in said.out
    assert "or        alexnet finetune photos --exclude out.csv" in said.out
    rows = Path("out.csv").read_text().splitlines()
    assert rows[0] == "path,reason"
    assert [row.partition(",")[0] for row in rows[1:]] == OUT
    kept = json.loads(Path("checks/photos/check.json").read_text())
    assert [path for path, _ in kept["exclude"]] == OUT
    assert Path("checks/photos/index.html").read_text().startswith("<!doctype html>")
    assert "checks/photos/index.html" in said.out


def test_json_is_the_record_and_the_same_as_the_file(alexnet, photos):
    said = alexnet("check", "photos", "--report", "page", "--json")
    assert json.loads(said.out) == json.loads(Path("page/check.json").read_text())


def test_a_second_check_replaces_the_first(photos):
    first = check("photos")
    (photos / "bee" / "torn.jpg").unlink()
    second = check("photos")
    assert (first.images, second.images) == (13, 12)
    assert json.loads(Path("checks/photos/check.json").read_text())["images"] == 12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"exclude_to": "photos/out.csv"}, r"photos/out\.csv lies in the source photos"),
        ({"report": "photos/ant"}, "photos/ant lies in the source photos"),
        ({"report": "photos"}, "photos lies in the source photos"),
    ],
)
def test_nothing_is_written_into_the_source(photos, options, words):
    before = sorted(photos.rglob("*"))
    with pytest.raises(SourceError, match=words):
        check("photos", **options)
    assert sorted(photos.rglob("*")) == before


def test_a_table_and_its_images_are_not_written_over(photos):
    table = Path("table.csv")
    table.write_text("path,label\nphotos/ant/0.png,a\nphotos/bee/0.png,b\n")
    for place in ("table.csv", "photos/ant/0.png"):
        with pytest.raises(SourceError, match="lies in the source|is an image of"):
            check("table.csv", exclude_to=place)
    assert check("table.csv", exclude_to="photos/out.csv").readable == 2


def test_what_cannot_be_checked_is_refused(photos):
    with pytest.raises(SourceError, match="There is no file or folder phots"):
        check("phots")
    with pytest.raises(RecipeError, match="workers must be at least 1; got 0"):
        check("photos", workers=0)
    Path("full").mkdir()
    Path("full/thesis.txt").touch()
    with pytest.raises(RunError, match="full holds something else than a check"):
        check("photos", report="full")
    pack("photos", "packed", image_px=8, quarantine="aside")
    with pytest.raises(SourceError, match="packed is a pack: .* Check what it was made of, photos"):
        check("packed")


def test_classes_that_a_split_lacks_are_findings_here_and_an_error_in_training(photos):
    for split, name, seed in (("train", "ant", 1), ("train", "bee", 2), ("val", "wasp", 3)):
        write_scene(Path("split") / split / name / "1.png", seed)
    found = check("split")
    assert ("train", "wasp") in [(each.split, each.name) for each in found.missing]
    with pytest.raises(SourceError, match="train has no such class"):
        train("split")


SMALL = {"model": "mlp", "image_px": 16, "crop_px": 16, "activation": "relu", "epochs": 1}


def test_training_packing_and_measuring_take_the_list(photos):
    check("photos", exclude_to="out.csv")
    whole = pack("photos", "whole", image_px=16, quarantine="aside")
    clean = pack("photos", "clean", image_px=16, exclude="out.csv")
    assert (whole.images, len(whole.unreadable)) == (12, 1)
    assert (clean.images, len(clean.unreadable)) == (9, 0)

    options = {**SMALL, "precision": "fp32", "threads": 1, "batch_size": 4, "val_fraction": 0.3}
    report = train("photos", run_dir="run", exclude="out.csv", **options)
    assert report.skipped == 0
    rows = Path("run/split.csv").read_text().splitlines()[1:]
    assert len(rows) == 9
    assert {row.split(",")[0] for row in rows}.isdisjoint(OUT)
    fingerprint = json.loads(Path("run/run.json").read_text())["fingerprint"]
    assert fingerprint == clean.fingerprint != whole.fingerprint
    with pytest.raises(RunError, match="run holds another run. It differs in fingerprint"):
        train("whole", run_dir="run", **options)
    assert train("clean", run_dir="run", **options).already_finished
    assert train("whole", run_dir="run", exclude="out.csv", **options).already_finished

    measured = evaluate("run", "photos", split="all", exclude="out.csv")
    assert (measured.images, measured.unreadable) == (9, [])


def test_what_train_refuses_is_said(alexnet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(4):
        write_scene(tmp_path / "photos" / "images" / f"{i}.png", i)
    said = alexnet("check", "photos")
    assert said.code == 0
    assert "train and finetune refuse this source: photos has images of one class only" in said.out
    assert alexnet("train", "photos").code == 2


def test_classes_that_look_alike_are_said_and_joined(alexnet, photos):
    (photos / "bee").rename(photos / "Ant")
    said = alexnet("check", "photos")
    assert 'the classes "Ant", "ant" look alike. If they are one, join them: --join' in said.out
    joined = alexnet("check", "photos", "--join-classes", "--json")
    assert [each["name"] for each in json.loads(joined.out)["classes"]] == ["Ant"]
