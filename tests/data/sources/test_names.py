from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.data.sources.names import (
    SPLITS,
    alike_groups,
    alike_key,
    decorated_split_code,
    describe_suffixes,
    differ_in_number_alone,
    is_annotation,
    is_generic,
    is_hidden,
    is_image_folder,
    join_alike,
    looks_like_image,
    natural_key,
    normalize_name,
    safe_path,
    split_code,
    words_without_split,
)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("TRAIN", "train"),
        ("Training", "train"),
        ("val", "val"),
        ("valid", "val"),
        ("Validation", "val"),
        (" test ", "test"),
        ("Testing", "test"),
    ],
)
def test_splits_are_known_by_their_usual_names(name, split):
    assert SPLITS[split_code(name)] == split


@pytest.mark.parametrize("name", ["", "trains", "eval", "holdout", "ant"])
def test_other_names_are_no_splits(name):
    assert split_code(name) is None


@pytest.mark.parametrize(
    "path",
    [
        ".git/x.png",
        "ant/.DS_Store",
        "ant/._1.png",
        "ant/Thumbs.db",
        "__MACOSX/ant/1.png",
        "ant/Desktop.INI",
        "ant/@eaDir/1.png",
    ],
)
def test_hidden_and_system_files_are_passed_over(path):
    assert is_hidden(path)


def test_names_with_points_inside_are_not_hidden():
    assert not is_hidden("v1.2/ant...bee/1.png")


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a", "a.dat", "readme.png", "notice.jpg"])
def test_what_may_be_an_image_is_left_to_its_content(name):
    assert looks_like_image(f"ant/{name}")


@pytest.mark.parametrize("name", ["README.txt", "LICENSE", "labels.CSV", "a.json", "notes.md"])
def test_texts_and_tables_are_no_images(name):
    assert not looks_like_image(f"ant/{name}")


def test_numbers_sort_as_numbers():
    names = ["10", "2", "1", "img10b", "img9", "img10a", "02", "ant", "Ant", "é", "-1", ""]
    expected = ["", "1", "02", "2", "10", "-1", "Ant", "ant", "img9", "img10a", "img10b", "é"]
    assert sorted(names, key=natural_key) == expected
    assert natural_key("9" * 5000) < natural_key("1" + "0" * 5000)


@given(st.lists(st.text(max_size=6), max_size=6))
def test_order_is_one_of_all_texts(names):
    ordered = sorted(names, key=natural_key)
    turned = names[::-1]
    turned.sort(key=natural_key)
    assert turned == ordered


@given(st.lists(st.integers(0, 10**12), max_size=8))
def test_whole_numbers_sort_by_value(numbers):
    names = sorted(map(str, numbers), key=natural_key)
    assert [int(name) for name in names] == sorted(numbers)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x.png", "a/../../x.png", "C:\\x.png", "c:/x", "a\0b.png", ".."]
)
def test_names_that_leave_the_archive_are_refused(name):
    assert safe_path(name) is None


@pytest.mark.parametrize(
    ("name", "path"),
    [("./ant//1.png", "ant/1.png"), ("ant/", "ant"), ("./", ""), ("ant/..b/1", "ant/..b/1")],
)
def test_names_that_mean_nothing_more_are_simplified(name, path):
    assert safe_path(name) == path


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(("training_set", "train"), ("Train Data", "train"), ("seg_train", "train")),
        *(
            ("TrainImages", "train"),
            ("trainset", "train"),
            ("imgtrain", "train"),
            ("2-TRAIN", "train"),
        ),
        *(("train2017", "train"), ("valset", "val"), ("dev", "val"), ("Evaluation Data", "val")),
        *(
            ("XRayTest", "test"),
            ("test1", "test"),
            ("TESTING SET", "test"),
            ("my-test-images", "test"),
        ),
    ],
)
def test_a_split_is_one_of_the_words_of_a_name(name, split):
    assert SPLITS[decorated_split_code(name)] == split


@pytest.mark.parametrize(
    "name",
    ["", "2019", "trains", "contest", "latest", "validity", "strain", "train_val", "traintest"],
)
def test_parts_of_words_and_two_splits_name_none(name):
    assert decorated_split_code(name) is None


def test_generic_names_say_nothing_of_images():
    generic = ["images", "Train Data", "all", "dataset_v2", "test_set_1", "my photos", "JPEGImages"]
    assert all(map(is_generic, generic))
    assert not any(map(is_generic, ["", "2019", "old", "cats", "train_cats", "image of a cat"]))


def test_composed_and_decomposed_names_are_the_same():
    assert normalize_name("cafe\u0301") == normalize_name("caf\u00e9") == "caf\u00e9"
    assert normalize_name("\udcff") == "\udcff"  # bytes that are no Unicode stay as they are


ALIKE = [
    ["Cat", "cat", "cat ", "CAT", " cat"],
    ["1", "1.0", "01", "1.", "+1"],
    ["-2", "-2.00"],
    ["0", "0.0", "00"],
    ["1.5", "1.50"],
    ["golden retriever", "golden_retriever", "Golden  Retriever"],
    ["caf\u00e9", "cafe\u0301", "CAF\u00c9"],
    ["\uff21\uff22", "ab"],  # full width
    ["Stra\u00dfe", "STRASSE"],
]


@pytest.mark.parametrize("names", ALIKE, ids=lambda names: names[0])
def test_names_look_alike(names):
    assert len({alike_key(name) for name in names}) == 1


@given(st.lists(st.sampled_from([name for names in ALIKE for name in names]), unique=True))
def test_groups_hold_what_looks_alike_and_nothing_else(names):
    for group in alike_groups(names):
        assert any({*group} <= {*each} for each in ALIKE)
        assert len(group) > 1
    alone = {*names} - {name for group in alike_groups(names) for name in group}
    assert len({alike_key(name) for name in alone}) == len(alone)


@pytest.mark.parametrize(
    ("one", "other"), [("1", "10"), ("cat", "cats"), ("1", "-1"), ("a b", "ab")]
)
def test_other_names_do_not(one, other):
    assert alike_key(one) != alike_key(other)


def test_a_number_of_any_length_has_a_key():
    assert alike_key("1" * 250) == alike_key("0" + "1" * 250 + ".0")
    assert alike_key("9" * 100_000)


def test_classes_are_joined_under_the_name_with_most_images():
    classes, labels = join_alike(("Cat", "bee", "cat"), np.array([0, 1, 2, 2, 1]))
    assert (classes, labels.tolist()) == (("bee", "cat"), [1, 0, 1, 1, 0])
    classes, labels = join_alike(("Cat ", "cat"), np.array([0, 1]))
    assert classes == ("cat",)  # of two the one without a blank
    same = np.array([1, 0])
    assert join_alike(("a", "b"), same)[1].tolist() == same.tolist()


def test_suffixes_are_counted():
    paths = ["1.JSON", "2.json", "3.xml", "4", "a.b/5"]
    assert describe_suffixes(paths) == "2 .json, 2 no suffix, 1 .xml"
    assert describe_suffixes(paths, most=1) == "2 .json, 3 others"
    assert describe_suffixes([]) == ""


@pytest.mark.parametrize(
    "name", ["masks", "trimaps", "SegmentationClass", "gt_images", "Annotations"]
)
def test_folders_of_what_was_drawn_are_known(name):
    assert is_annotation(name)


def test_other_folders_hold_no_annotations():
    assert not any(map(is_annotation, ["with_mask", "images", "masked_owl", "class_1"]))


def test_folders_of_images_alone_are_known():
    assert all(map(is_image_folder, ["images", "JPEGImages", "jpg"]))
    assert not any(map(is_image_folder, ["class_1", "cat", "images_1", "set"]))


def test_parts_of_one_set_differ_in_their_number_alone():
    assert differ_in_number_alone(["HAM_images_part_1", "HAM_images_part_2"])
    assert not differ_in_number_alone(["class_1", "class_2"])
    assert not differ_in_number_alone(["images"])
    assert words_without_split("pets_train") == words_without_split("pets-test") == ["pets"]
