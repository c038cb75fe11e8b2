from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from alexnet.errors import RunError, SourceError
from alexnet.evaluation.held_out import class_indices, held_out_images

PATHS = ["ant/1.png", "ant/2.png", "bee/=1.png", "bee/2.png"]


def source(*splits: str, paths=PATHS):
    codes = [("", "train", "val", "test").index(split) for split in splits or [""] * len(paths)]
    return SimpleNamespace(
        paths=paths,
        classes=("ant", "bee"),
        labels=np.array([path.startswith("bee") for path in paths], dtype=np.int64),
        splits=np.array(codes, dtype=np.uint8),
    )


@pytest.fixture
def run(tmp_path):
    """Make run folders that put the four images into splits: `run("a", "train", "val", ...)`."""

    def make(name: str, *splits: str):
        folder = tmp_path / name
        folder.mkdir()
        rows = zip(PATHS, ("ant", "ant", "bee", "bee"), splits, strict=True)
        lines = ["path,class,split", *(",".join(row) for row in rows)]
        (folder / "split.csv").write_text("\r\n".join(lines))
        (folder / "weights.safetensors").touch()
        return folder

    return make


def chosen(*arguments, **more):
    name, indices = held_out_images(*arguments, where="photos", **more)
    return name, indices.tolist()


def test_held_out_images_of_the_source_come_first(run):
    runs = [run("a", "val", "train", "train", "train")]
    assert chosen(source("train", "val", "test", "train"), None, runs) == ("test", [2])
    assert chosen(source("train", "val", "train", "train"), None, runs) == ("val", [1])


def test_else_what_the_run_held_out(run):
    folder = run("a", "train", "val", "val", "train")
    wanted = (f"held out by {folder}", [1, 2])
    assert chosen(source(), None, [folder]) == wanted
    assert chosen(source(), None, [folder / "weights.safetensors"]) == wanted
    assert chosen(source(*["train"] * 4), None, [folder]) == wanted


def test_a_test_of_the_run_is_taken_before_its_val(run):
    assert chosen(source(), None, [run("a", "train", "val", "test", "train")])[1] == [2]


def test_an_image_that_changed_its_class_is_another(run):
    folder = run("a", "train", "val", "val", "train")
    (folder / "run.json").write_text('{"source": "photos"}')
    moved = [path.replace("bee/=", "ant/=") for path in PATHS]
    assert chosen(source(paths=moved), None, [folder])[1] == [1]


@pytest.mark.parametrize("paths", [PATHS[:3], [*PATHS, "bee/3.png"]])
def test_images_of_the_same_names_elsewhere_are_not_those_of_the_run(run, caplog, paths):
    folder = run("a", "train", "val", "val", "train")
    (folder / "run.json").write_text('{"source": "holiday"}')
    with caplog.at_level(logging.WARNING):
        assert chosen(source(paths=paths), None, [folder]) == ("all", [*range(len(paths))])
    assert "have the names of training images, in another place" in caplog.text
    (folder / "run.json").write_text('{"source": "./photos/"}')
    assert chosen(source(paths=paths), None, [folder])[1] == [1, 2]


def test_what_the_run_could_not_read_does_not_make_it_another_source(run):
    folder = run("a", "train", "val", "val", "train")
    assert chosen(source(paths=[*PATHS, "=torn.png"]), None, [folder])[0] == "all"
    (folder / "skipped.csv").write_text("path,reason\r\n'=torn.png,it is cut off\r\n")
    assert chosen(source(paths=[*PATHS, "=torn.png"]), None, [folder])[1] == [1, 2]


def test_what_any_run_trained_on_is_not_held_out(run):
    first = run("a", "train", "val", "val", "train")
    second = run("b", "val", "val", "train", "train")
    name, indices = chosen(source(), None, [first, second])
    assert (name, indices) == (f"held out by {first}, {second}", [1])


def test_else_all_with_a_warning_about_training_images(run, tmp_path, caplog):
    assert chosen(source(), None, [tmp_path / "loose.safetensors"]) == ("all", [0, 1, 2, 3])
    assert not caplog.records
    first = run("a", "train", "train", "val", "val")
    second = run("b", "val", "val", "train", "train")
    with caplog.at_level(logging.WARNING):
        assert chosen(source(), None, [first, second]) == ("all", [0, 1, 2, 3])
    assert caplog.messages == ["The weights were trained on 4 of these images."]


def test_a_split_that_is_named_is_taken(run):
    folder = run("a", "train", "val", "val", "train")
    assert chosen(source(), "all", [folder]) == ("all", [0, 1, 2, 3])
    with pytest.raises(SourceError, match='photos has no images in the split "val"; it has no'):
        chosen(source(), "val", [folder])


def test_a_damaged_list_is_an_error(run):
    folder = run("a", "train", "val", "val", "train")
    (folder / "split.csv").write_text("path;class\n1;2\n")
    with pytest.raises(RunError, match=r"split\.csv cannot be read"):
        chosen(source(), None, [folder])


COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def test_classes_are_found_by_name_in_composed_and_decomposed_unicode():
    for one, other in ((COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)):
        assert class_indices(("tea", one), (other, "tea"), where="p").tolist() == [1, 0]


def test_classes_that_look_alike_are_those_of_the_weights_where_they_are_joined():
    with pytest.raises(SourceError, match='classes that the weights do not know: "Tea "'):
        class_indices(("Tea ", "ant"), ("ant", "tea"), where="p")
    found = class_indices(("Tea ", "ant"), ("ant", "tea"), where="p", join_classes=True)
    assert found.tolist() == [1, 0]
    both = class_indices(("Tea", "tea"), ("tea", "Tea"), where="p", join_classes=True)
    assert both.tolist() == [1, 0]


def test_what_a_run_held_out_is_found_in_the_other_form(run):
    folder = run("a", "train", "val", "val", "train")
    text = (folder / "split.csv").read_text().replace(",bee,", f",{DECOMPOSED},")
    (folder / "split.csv").write_text(text, "utf-8")
    images = source()
    images.classes = ("ant", COMPOSED)
    assert chosen(images, None, [folder])[1] == [1, 2]
