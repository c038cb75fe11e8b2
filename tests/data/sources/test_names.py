from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.data.sources.names import (
    SPLITS,
    is_hidden,
    looks_like_image,
    natural_key,
    safe_path,
    split_code,
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
