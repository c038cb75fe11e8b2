from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.data.sources.folder import list_folder
from alexnet.data.sources.layout import read_class_words, read_class_words_beside, read_layout
from alexnet.data.sources.listing import ListingBuilder
from alexnet.data.sources.names import SPLITS
from alexnet.errors import SourceError


def listing(*paths):
    """Files at these paths; those that end in / are empty folders."""
    finds = ListingBuilder()
    for path in paths:
        if path.endswith("/"):
            finds.folders.add(path[:-1])
        else:
            finds.add(path, 1, 1)
    return finds.build(Path("images"), reader=None)


def read(*paths):
    """Path -> (split, class) as the layout has it, in its order."""
    files = listing(*paths)
    found = read_layout(files)
    assert (found.labels >= 0).all()
    return {
        files.paths[i]: (SPLITS[split], found.classes[label])
        for i, label, split in zip(
            found.indices.tolist(), found.labels.tolist(), found.splits.tolist(), strict=True
        )
    }


def test_folders_are_classes():
    assert read("bee/1.png", "ant/2.png", "ant/1.png") == {
        "ant/1.png": ("", "ant"),
        "ant/2.png": ("", "ant"),
        "bee/1.png": ("", "bee"),
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("train", "val", "test"), ("train", "val", "test")),
        (("Train", "VALID", "Test"), ("train", "val", "test")),
        (("training", "validation", "testing"), ("train", "val", "test")),
    ],
)
def test_folders_above_are_splits(names, expected):
    paths = [f"{name}/{each}/1.png" for name in names for each in ("ant", "bee")]
    assert list(read(*paths).values()) == [
        (split, each) for split in expected for each in ("ant", "bee")
    ]


def test_images_come_split_by_split_and_class_by_class():
    found = read("test/a/1", "val/10/1", "train/10/2", "train/10/1", "train/2/9", "train/a/1")
    assert list(found) == [
        *("train/2/9", "train/10/1", "train/10/2", "train/a/1"),
        *("val/10/1", "test/a/1"),
    ]


@pytest.mark.parametrize("wrapper", ["cifar10", "data/cifar10", "train set"])
@pytest.mark.parametrize("split", ["", "train/", "test/"])
def test_wrappers_are_gone_through(wrapper, split):
    plain = [f"{split}ant/1.png", f"{split}bee/1.png"]
    wrapped = read(*(f"{wrapper}/{path}" for path in plain))
    assert list(wrapped.values()) == list(read(*plain).values())


def test_deeper_folders_belong_to_their_class():
    found = read("ant/2019/summer/1.png", "ant/2.png", "bee/test/3.png", "bee/train/4.png")
    assert [name for _, name in found.values()] == ["ant", "ant", "bee", "bee"]


@given(
    st.sets(st.sampled_from(["ant", "bee", "10", "Ähre", "a b"]), min_size=2),
    st.sets(st.sampled_from(["train", "Val", "test"])),
    st.lists(st.sampled_from(["wrap", "x"]), max_size=2, unique=True),
    st.lists(st.sampled_from(["deep", "er"]), max_size=2),
)
def test_every_image_is_found_wherever_it_lies(classes, splits, wrappers, deeper):
    expected = {
        "/".join([*wrappers, *filter(None, [split]), name, *deeper, "1.png"]): (
            split.lower(),
            name,
        )
        for split in splits or {""}
        for name in classes
    }
    assert read(*expected) == expected


def test_files_outside_the_class_folders_are_left_out_and_images_among_them_said(caplog):
    with caplog.at_level(logging.WARNING):
        found = read("ant/1.png", "bee/1.png", "README.txt", "labels.csv", "LICENSE")
    assert len(found) == 2
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING):
        found = read(
            *(f"train/{name}/1.png" for name in "ab"), *(f"test/{i}.jpg" for i in range(9))
        )
    assert len(found) == 2
    assert (
        'images: 9 files in no class folder left out: "test/0.jpg", "test/1.jpg", "test/2.jpg" '
        "and 6 more." in caplog.text
    )


def test_a_file_counts_whatever_its_suffix_unless_it_is_that_of_something_else(caplog):
    with caplog.at_level(logging.INFO):
        assert [*read("ant/1.dat", "ant/notes.txt", "bee/1")] == ["ant/1.dat", "bee/1"]
    assert "images: passed over beside the images, for they are none: 1 .txt." in caplog.text


def test_sidecars_are_counted_by_suffix_and_said_once(caplog):
    images = [f"{name}/{i}.jpg" for name in ("ant", "bee") for i in range(5)]
    beside = [path.replace(".jpg", suffix) for path in images for suffix in (".json", ".XML")]
    with caplog.at_level(logging.INFO):
        assert [*read(*images, *beside, "ant/films/1.mp4", "README.md")] == images
    assert [record.message for record in caplog.records] == [
        "images: passed over beside the images, for they are none: 10 .xml, 10 .json."
    ]


def test_what_counts_as_an_image_may_be_said():
    files = listing("ant/1.png", "ant/2.png", "bee/1.png", "cat/1.png")
    mask = np.array([True, False, True, False])
    found = read_layout(files, images=mask)
    assert [files.paths[i] for i in found.indices.tolist()] == ["ant/1.png", "bee/1.png"]
    assert found.classes == ("ant", "bee")


COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def test_composed_and_decomposed_names_are_one_class():
    found = read(f"train/{DECOMPOSED}/1", f"val/{COMPOSED}/1", "train/tea/1", "val/tea/1")
    assert found[f"train/{DECOMPOSED}/1"] == ("train", COMPOSED)
    assert found[f"val/{COMPOSED}/1"] == ("val", COMPOSED)


def test_a_name_in_one_form_alone_stays_as_it_is():
    assert read(f"{DECOMPOSED}/1", "tea/1")[f"{DECOMPOSED}/1"] == ("", DECOMPOSED)


def test_an_empty_folder_in_the_other_form_is_no_empty_class(caplog):
    with caplog.at_level(logging.WARNING):
        read(f"{DECOMPOSED}/1", "tea/1", f"{COMPOSED}/")
    assert caplog.text == ""


@pytest.mark.parametrize(("listed", "named"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_words_are_found_in_the_other_form(make_folder, listed, named):
    files = list_folder(make_folder({"classes.tsv": f"{listed}\tdrink".encode()}))
    assert read_class_words(files, "", [named]) == {named: "drink"}


def test_folders_of_texts_are_no_classes(caplog):
    with caplog.at_level(logging.WARNING):
        found = read("ant/1.png", "bee/1.png", "annotations/1.xml", "docs/README.md", "cat/")
    assert {name for _, name in found.values()} == {"ant", "bee"}
    assert '"annotations", "cat", "docs" without images passed over' in caplog.text


def test_empty_class_folders_are_said_with_splits_too(caplog):
    with caplog.at_level(logging.WARNING):
        read("train/ant/1.png", "train/bee/1.png", "train/cat/", "val/")
    assert 'images: "train/cat" without images passed over.' in caplog.text


def test_a_class_called_train_among_others_is_a_class_and_it_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        found = read("train/1.png", "car/1.png", "bus/1.png")
    assert {name for _, name in found.values()} == {"bus", "car", "train"}
    assert '"train" is taken for a class, for it lies beside "bus", "car"' in caplog.text


def test_what_may_be_a_split_or_a_class_is_refused():
    words = r'images has "train" beside "holdout", and nobody can tell .* called train, val, test'
    with pytest.raises(SourceError, match=words):
        read_layout(listing("train/ant/1.png", "train/bee/1.png", "holdout/ant/1.png"))


def test_other_folders_beside_two_splits_are_left_out_and_said(caplog):
    with caplog.at_level(logging.WARNING):
        found = read("train/ant/1.png", "val/ant/1.png", "extra/ant/1.png")
    assert list(found.values()) == [("train", "ant"), ("val", "ant")]
    assert '"extra" left out: splits have other names.' in caplog.text


@pytest.mark.parametrize(
    "paths", [[], ["1.png", "2.png"], ["train/1.png", "test/2.png"], ["README.md", "a/x.txt"]]
)
def test_without_class_folders_nothing_is_found(paths):
    assert read(*paths) == {}


def test_one_class_is_left_for_others_to_judge():
    assert list(read("ant/1.png", "ant/deep/2.png").values()) == [("", "ant")] * 2


TEXT = "n01\tgoldfish, Carassius auratus\nn02\tant\nn99\telsewhere\nno tab here\nn03\t\n"
WORDS = {"n01": "goldfish, Carassius auratus", "n02": "ant"}


@pytest.mark.parametrize("name", ["classes.tsv", "words.txt"])
@pytest.mark.parametrize("base", ["", "wrap", "wrap/inner"])
@pytest.mark.parametrize("above", ["", "wrap/inner/"])
def test_words_lie_beside_the_splits_or_above(make_folder, name, base, above):
    place = above if base == "wrap/inner" else ""
    files = list_folder(make_folder({f"{place}{name}": TEXT.encode(), "wrap/inner/a/1": b""}))
    assert read_class_words(files, base, ["n01", "n02", "n03"]) == WORDS


def test_only_the_words_of_the_classes_are_kept(make_folder):
    files = list_folder(make_folder({"classes.tsv": b"\xef\xbb\xbfn01\tfish\tmore\r\nn02\tant"}))
    assert read_class_words(files, "", ["n01"]) == {"n01": "fish"}


def test_without_words_or_below_the_classes_there_are_none(make_folder):
    files = list_folder(make_folder({"a/classes.tsv": TEXT.encode()}))
    assert read_class_words(files, "", ["n01"]) == {}


def test_words_that_cannot_be_read_are_none(make_folder):
    where = make_folder({"classes.tsv": TEXT.encode()})
    files = list_folder(where)
    (where / "classes.tsv").unlink()
    assert read_class_words(files, "", ["n01"]) == {}


def test_words_lie_beside_a_table(make_folder):
    where = make_folder({"words.txt": TEXT.encode()})
    assert read_class_words_beside(where / "labels.csv", ["n01", "n02"]) == WORDS
    assert read_class_words_beside(where / "other" / "labels.csv", ["n01"]) == {}
