from __future__ import annotations

import logging
from pathlib import Path

import pytest

from alexnet.data.sources.levels import find_levels, require_class_depth
from alexnet.data.sources.names import SPLITS
from alexnet.errors import SourceError

WHERE = Path("images")


def grid(tops, inner=("cat", "dog"), between=""):
    return [f"{top}/{between}{name}" for top in tops for name in inner]


def read(*folders, **options):
    """Folder -> (split, class), for folders that all hold images."""
    levels = find_levels(WHERE, folders, **options)
    meanings = {folder: levels.class_and_split(folder) for folder in folders}
    return {
        folder: meaning and (SPLITS[meaning[1]], meaning[0]) for folder, meaning in meanings.items()
    }


DECORATED = [
    ({"training_set": "train", "test_set": "test"}),
    ({"Train Data": "train", "Test Data": "test", "Valid Data": "val"}),
    ({"TrainImages": "train", "ValidationImages": "val"}),
    ({"train2017": "train", "val2017": "val"}),
    ({"1_TRAIN": "train", "2_val": "val", "3-Test": "test"}),
    ({"trainset": "train", "testset": "test"}),
    ({"imagenet_train": "train", "imagenet_val": "val"}),
    ({"(new) Training": "train", "(new) Testing": "test"}),
    ({"train": "train", "dev": "val"}),
    ({"train": "train", "eval": "val"}),
    ({"train": "train", "val_set": "val", "eval_set": "test"}),
    ({"train_part1": "train", "train_part2": "train", "test": "test"}),
]


@pytest.mark.parametrize("splits", DECORATED, ids=" ".join)
@pytest.mark.parametrize("wrapper", ["", "wrap/"])
def test_folders_with_the_same_folders_are_the_splits_that_their_names_hold(splits, wrapper):
    folders = grid([wrapper + top for top in splits])
    assert read(*folders) == {
        f"{wrapper}{top}/{name}": (split, name)
        for top, split in splits.items()
        for name in ("cat", "dog")
    }


def test_decorated_splits_are_said(caplog):
    with caplog.at_level(logging.INFO):
        read(*grid(["training_set", "test_set"]))
    assert 'images: read "training_set" as train, "test_set" as test.' in caplog.text


def test_usual_names_of_splits_are_not_worth_a_word(caplog):
    with caplog.at_level(logging.INFO):
        read(*grid(["Training", "Testing"]))
    assert caplog.text == ""


def test_a_class_may_be_missing_in_a_split():
    found = read("A_train/x", "A_train/y", "A_train/z", "A_test/x")
    assert found["A_test/x"] == ("test", "x")
    assert found["A_train/z"] == ("train", "z")


@pytest.mark.parametrize(
    ("top", "inner"), [("seg_train", "seg_train"), ("train", "images"), ("Train Data", "train")]
)
def test_folders_that_a_split_holds_once_more_are_gone_through(top, inner):
    test = top.replace("train", "test").replace("Train", "Test")
    again = inner.replace("train", "test")
    folders = [*grid([f"{top}/{inner}", f"{test}/{again}"]), "seg_pred/seg_pred"]
    found = read(*folders)
    assert found.pop("seg_pred/seg_pred") is None
    assert set(found.values()) == {(s, c) for s in ("train", "test") for c in ("cat", "dog")}


def test_a_split_without_class_folders_stays_one():
    found = read(*grid(["training_set"]), "test_set")
    assert found["test_set"] is None
    assert found["training_set/cat"] == ("train", "cat")


YEARS = [
    ("2019", "2020"),
    ("subject1", "subject2", "subject3"),
    ("fold1", "fold2"),
    ("left", "right"),
]


@pytest.mark.parametrize("tops", YEARS)
@pytest.mark.parametrize(("between", "depth"), [("", 2), ("images/", 3)])
def test_other_folders_with_the_same_folders_are_refused_with_both_readings(tops, between, depth):
    words = (
        rf'"{tops[0]}", "{tops[1]}".* hold folders of the same names \("cat", "dog"\).* If the '
        rf'classes are "cat", "dog".* --class-depth {depth}, or rename .* to train, val, test .* '
        rf'If the classes are "{tops[0]}", .*: --class-depth 1\.'
    )
    folders = grid(tops, between=between)
    with pytest.raises(SourceError, match=words):
        read(*folders)
    assert {c for _, c in read(*folders, class_depth=depth).values()} == {"cat", "dog"}
    assert {c for _, c in read(*folders, class_depth=1).values()} == set(tops)


def test_years_in_splits_are_refused_as_they_are_without():
    folders = grid([f"{split}/{year}" for split in ("train", "test") for year in ("2019", "2020")])
    with pytest.raises(SourceError, match=r"--class-depth 3.*2020\": --class-depth 2\."):
        read(*folders)
    assert read(*folders, class_depth=3)["test/2020/dog"] == ("test", "dog")
    assert read(*folders, class_depth=2)["test/2020/dog"] == ("test", "2020")


def test_dates_in_classes_are_no_classes():
    assert read(*grid(["cat", "dog"], ["2019", "2020-05"]))["cat/2019"] == ("", "cat")


def test_a_folder_in_one_class_alone_or_the_same_single_one_in_all_says_nothing():
    assert read("cat/kittens", "cat/old", "dog/puppies")["cat/old"] == ("", "cat")
    assert read("cat/deep", "dog/deep", "emu/deep")["dog/deep"] == ("", "dog")
    assert read("cat", "cat/a", "cat/b", "dog", "dog/a", "dog/b")["dog/b"] == ("", "dog")


@pytest.mark.parametrize("names", [("train", "test"), ("training_set", "val_set")])
def test_splits_in_the_classes_are_splits(names, caplog):
    with caplog.at_level(logging.INFO):
        found = read(*grid(["cat", "dog"], names))
    assert found[f"cat/{names[0]}"] == ("train", "cat")
    assert {split for split, _ in found.values()} == {"train", "test" if "test" in names else "val"}
    assert "in each class folder read" in caplog.text


def test_a_word_of_a_split_in_a_class_makes_none():
    found = read("train_station", "train_station/old", "bus_stop", "test tube")
    assert set(found.values()) == {("", "train_station"), ("", "bus_stop"), ("", "test tube")}


def test_split_and_class_in_one_name_are_refused_and_may_be_meant():
    folders = ["trainA", "trainB", "testA", "testB"]
    with pytest.raises(
        SourceError, match=r"train/cat, test/cat\).* each of them .* --class-depth 1"
    ):
        read(*folders)
    assert read(*folders, class_depth=1)["testA"] == ("", "testA")


def test_a_decorated_split_beside_loose_classes_is_refused():
    with pytest.raises(SourceError, match='has "training_set" beside "cat", "dog", and nobody'):
        read(*grid(["training_set"]), "cat", "dog")


def test_folders_of_plain_names_give_way_to_the_one_with_class_folders(caplog):
    with caplog.at_level(logging.WARNING):
        found = read("all", "set/ant", "set/bee")
    assert found == {"all": None, "set/ant": ("", "ant"), "set/bee": ("", "bee")}
    assert 'images: "all" left out: the class folders lie in "set".' in caplog.text


def test_class_folders_beside_a_class_of_images_are_said(caplog):
    with caplog.at_level(logging.WARNING):
        assert read(*grid(["images"]), "masks")["images/cat"] == ("", "images")
    assert '"images" is taken for one class' in caplog.text
    assert "--class-depth 2" in caplog.text


def test_splits_in_all_forms_of_letters_hold_the_same_classes():
    found = read("train_set/caf\u00e9", "train_set/tea", "test_set/cafe\u0301", "test_set/TEA")
    assert {split for split, _ in found.values()} == {"train", "test"}


@pytest.mark.parametrize("depth", [0, -1, 21])
def test_a_depth_without_folders_is_refused(depth):
    with pytest.raises(SourceError, match=f"class_depth must be between 1 .* got {depth}"):
        require_class_depth(depth)


def test_a_split_without_class_folders_is_told_by_its_partner():
    train = grid(["pets_train/pets_train"])
    found = read(*train, "pets_test/pets_test")
    assert found == {
        **{folder: ("train", folder.rpartition("/")[2]) for folder in train},
        "pets_test/pets_test": None,
    }


def test_images_of_a_split_that_lie_in_no_class_are_no_class():
    train = grid(["train"])
    assert read(*train, "val/images")["val/images"] is None
    assert read(*train, "val/cat")["val/cat"] == ("val", "cat")


def test_a_folder_that_holds_all_beside_it_once_more_is_left_out(caplog):
    found = read("cells/sick", "cells/well", "cells/cells/sick", "cells/cells/well")
    assert found["cells/sick"] == ("", "sick")
    assert found["cells/cells/sick"] is None
    assert '"cells" left out: it holds the folders beside it once more.' in caplog.text


def test_classes_with_folders_of_other_names_are_said(caplog):
    with caplog.at_level(logging.INFO):
        found = read("a/abbey", "a/attic", "b/bakery", "b/barn")
    assert found["a/abbey"] == ("", "a")
    assert '"a", "b" are taken for the classes. If their folders ("abbey", "attic"' in caplog.text
    assert "--class-depth 2" in caplog.text
