"""What a table calls an image leads to one file, or to a sentence; never to another file."""

from __future__ import annotations

import logging
import unicodedata

import pytest

from alexnet.data.sources.table import parse_table, read_table
from alexnet.data.sources.table_paths import (
    AmbiguousPath,
    ExternalPath,
    FileFinder,
    ListedFiles,
    StoredFiles,
)
from alexnet.errors import SourceError

NFC, NFD = (unicodedata.normalize(form, "café/é 1.jpg") for form in ("NFC", "NFD"))

FOUND = [
    ("img/0.jpg", "img/0.jpg", "img/0.jpg"),
    ("img\\0.jpg", "img/0.jpg", "img/0.jpg"),
    (NFC, NFD, NFD),
    (NFD, NFC, NFC),
    (NFC, f"train/{NFD}", f"train/{NFD}"),
    ("0001", "0001.jpg", "0001.jpg"),
    ("0001", "0001.PNG", "0001.PNG"),
    ("train/0001", "train/0001.webp", "train/0001.webp"),
    ("a.b", "a.b.jpg", "a.b.jpg"),
    ("0001", "train/0001.jpg", "train/0001.jpg"),
    ("0001.jpg", "train/deep/0001.jpg", "train/deep/0001.jpg"),
    ("images/0001.jpg", "images/train/0001.jpg", "images/train/0001.jpg"),
    ("images/0001.jpg", "set/images/part/0001.jpg", "set/images/part/0001.jpg"),
    ("IMG_1.JPG", "img_1.jpg", "img_1.jpg"),
    ("img_1", "IMG_1.JPG", "IMG_1.JPG"),
    ("7", "0007.jpg", "0007.jpg"),
    ("7", "train/0007.jpg", "train/0007.jpg"),
    ("0", "000.jpg", "000.jpg"),
]


def finder(*paths, folder=""):
    return FileFinder(ListedFiles(paths, folder))


@pytest.mark.parametrize(("cell", "file", "found"), FOUND)
@pytest.mark.parametrize("stored", [True, False])
def test_one_file_fits(make_folder, cell, file, found, stored):
    others = ["other/9.jpg", "0001.json", "0001.txt", "notes.md"]
    if stored:
        found_by = FileFinder(StoredFiles(make_folder(dict.fromkeys([file, *others], b"x"))))
    else:
        found_by = finder(file, *others)
    assert found_by.find(cell) == found


@pytest.mark.parametrize(
    "cell", ["5.jpg", "cat/9.jpg", "1", "000", "9.png", "../9.jpg", "/9.jpg", "g", ""]
)
def test_what_is_not_there_is_not_made_up(cell):
    found_by = finder("dog/9.jpg", "img/0002.jpg", "img.jpg", "9.csv")
    assert found_by.find(cell) is None


def test_the_closest_file_wins_over_those_that_are_only_alike():
    assert finder("1.jpg", "0001.jpg", "a/1.jpg").find("1") == "1.jpg"
    assert finder("a/x.jpg", "x.jpg").find("x.jpg") == "x.jpg"
    assert finder("A.jpg", "a.jpg").find("a.jpg") == "a.jpg"
    assert finder("A.jpg", "a.jpg").find("a") == "a.jpg"


@pytest.mark.parametrize(
    ("files", "cell"),
    [
        (("train/1.jpg", "test/1.jpg"), "1.jpg"),
        (("train/1.jpg", "test/1.jpg"), "1"),
        (("1.jpg", "1.png"), "1"),
        (("a/01.jpg", "b/001.jpg"), "1"),
        (("A.jpg", "a.jpg"), "a.JPG"),
    ],
)
def test_of_several_that_fit_none_is_taken(files, cell):
    with pytest.raises(AmbiguousPath, match=r'" may be ".*", ".*"\. Write the whole path'):
        finder(*files).find(cell)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (r"C:\data\0.jpg", "is an absolute path of Windows, and this is another system"),
        ("d:/data/0.jpg", "is an absolute path of Windows, and this is another system"),
        (r"\\server\share\0.jpg", "is a path to a shared folder of Windows"),
        ("http://example.org/0.jpg", "is an address of the network, and a table names files"),
        ("https://example.org/0.jpg", "is an address of the network"),
        ("s3://bucket/0.jpg", "is an address of the network"),
        ("gs://bucket/0.jpg", "Download the images, and write their paths relative to the folder"),
        ("hdfs://host/0.jpg", "is an address of the network"),
        ("file:///data/0.jpg", "is a file's address"),
        ("~/images/0.jpg", "begins with somebody's home folder"),
    ],
)
def test_paths_of_other_systems_are_named(cell, words):
    with pytest.raises(ExternalPath, match=words):
        finder("0.jpg", "data/0.jpg").find(cell)


def test_a_file_that_is_called_like_a_foreign_path_is_found():
    assert finder(r"C:\data\0.jpg").find(r"C:\data\0.jpg") == r"C:\data\0.jpg"


def test_the_table_may_lie_in_the_folder_that_its_paths_begin_with(make_folder):
    folder = make_folder({"set/train/0.jpg": b"x"}) / "set" / "train"
    assert FileFinder(StoredFiles(folder)).find("train/0.jpg") == "0.jpg"
    assert FileFinder(StoredFiles(folder)).find("set/train/0.jpg") == "0.jpg"
    assert finder("set/train/0.jpg", folder="set/train").find("train/0.jpg") == "0.jpg"


def test_paths_in_a_listing_count_from_the_table_or_from_the_top():
    files = ListedFiles(["meta/a.csv", "images/0.jpg", "meta/1.jpg"], "meta")
    found = [FileFinder(files).find(cell) for cell in ("1.jpg", "images/0.jpg", "../images/0.jpg")]
    assert [files.position(path) for path in found] == [2, 1, 1]
    assert ListedFiles(["meta/a.csv", "images/0.jpg"], "meta").listed()[1] == "images/0.jpg"


def test_leading_folders_that_are_gone_are_left_out_of_all_rows_or_of_none():
    moved = finder("all/1.jpg", "all/2.jpg")
    moved.settle(["cat/1.jpg", "dog/2.jpg"])
    assert [moved.find("cat/1.jpg"), moved.find("dog/2.jpg")] == ["all/1.jpg", "all/2.jpg"]
    partly = finder("dog/1.jpg", "dog/2.jpg")
    partly.settle(["cat/1.jpg", "dog/2.jpg"])
    assert partly.find("cat/1.jpg") is None
    twice = finder("ant/1.jpg", "bee/1.jpg", "ant/2.jpg", "bee/2.jpg")
    twice.settle(["gone/1.jpg", "gone/2.jpg"])
    assert twice.find("gone/1.jpg") is None


def write(folder, text):
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return folder / "t.csv"


def test_a_table_says_which_row_is_foreign_or_ambiguous(make_folder):
    folder = make_folder({"a/1.jpg": b"x", "b/1.jpg": b"x", "2.jpg": b"x"})
    with pytest.raises(SourceError, match=r't\.csv, line 3: "C:\\2\.jpg" is an absolute path of W'):
        read_table(write(folder, "path,label\n2.jpg,x\nC:\\2.jpg,y\n"), parquet=False)
    with pytest.raises(SourceError, match=r't\.csv, line 2: "1" may be "a/1\.jpg", "b/1\.jpg"\. W'):
        read_table(write(folder, "path,label\n1,x\n2.jpg,y\n"), parquet=False)


def test_a_table_says_that_its_absolute_paths_lead_nowhere(make_folder):
    folder = make_folder({"0.jpg": b"x"})
    with pytest.raises(
        SourceError, match=r"the first is /no/0\.jpg\. That is an absolute path, pe"
    ):
        read_table(write(folder, "path,label\n/no/0.jpg,x\n/no/1.jpg,y\n"), parquet=False)


def test_files_that_were_found_elsewhere_are_told(make_folder, caplog):
    folder = make_folder({"train/0.jpg": b"x", "train/1.jpg": b"xy"})
    with caplog.at_level(logging.INFO):
        table = read_table(write(folder, "path,label\n0.jpg,a\n1.jpg,b\n"), parquet=False)
    assert '2 images found in another folder than the table says, such as train/0.jpg for "0' in (
        caplog.text
    )
    assert list(table.files.paths) == ["train/0.jpg", "train/1.jpg"]
    assert table.files.sizes.tolist() == [1, 2]


def test_two_names_of_one_file_are_one_image_named_twice(make_folder):
    folder = make_folder({"0.jpg": b"x"})
    with pytest.raises(SourceError, match=r"line 3: 0\.jpg is named in line 2 already"):
        read_table(write(folder, "path,label\n0.jpg,a\n0,b\n"), parquet=False)


def test_a_table_of_listed_files():
    files = ["labels.csv", "img/b.jpg", "img/a.jpg", "img/c.jpg"]
    data = b"Image Name,Species\na,ant\nb,bee\nz,bee\n"
    rows = parse_table(data, name="set.zip/labels.csv", folder="", files=files, split="train")
    assert rows.indices.tolist() == [2, 1]
    assert [rows.classes[label] for label in rows.labels] == ["ant", "bee"]
    assert rows.splits.tolist() == [1, 1]
    assert rows.missing == ("z",)
    with pytest.raises(SourceError, match=r"set\.zip/labels\.csv: not one of its 1 files is there"):
        parse_table(b"path,label\nq,x\n", name="set.zip/labels.csv", folder="", files=files)
