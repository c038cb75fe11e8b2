from __future__ import annotations

import pytest

from alexnet.data import open_source
from alexnet.data.sources.advice import describe_unread, where_labels_may_lie
from alexnet.data.sources.folder import list_folder
from alexnet.errors import SourceError

FLAT = [f"train/{name}.{i}.jpg" for name in ("cat", "dog") for i in range(2)]


def advice(make_folder, *names):
    return where_labels_may_lie(list_folder(make_folder(dict.fromkeys(names, b"x"))))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (FLAT, 'File names begin with "cat", "dog": if those are the classes, move the images of'),
        ([*FLAT, "test1/1.jpg", "sampleSubmission.csv"], 'File names begin with "cat", "dog"'),
        (["0.jpg", "labels.csv"], "To take the labels from labels.csv, name that file as the sou"),
        (["0.jpg", "imagelabels.mat"], "imagelabels.mat is written in MATLAB's format, which is n"),
        (["0.jpg", "a.xml"], "If it holds the labels, write a table (CSV) with the columns path"),
        (["train-0.tfrecord"], "train-0.tfrecord is in TensorFlow's format, which is not read."),
        (["a.rar", "b.zip"], 'There are archives in it ("b.zip"): unpack them.'),
    ],
)
def test_advice_names_what_is_there(make_folder, names, words):
    assert words in advice(make_folder, *names)


def test_names_that_tell_no_classes_give_no_advice(make_folder):
    assert advice(make_folder, "1.jpg", "2.jpg") == ""
    assert advice(make_folder, "train_1.jpg", "train_2.jpg", "test_1.jpg", "test_2.jpg") == ""
    assert advice(make_folder, "cat_1.jpg", "cat_2.jpg", "dog_1.jpg") == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.rar", "is an archive of RAR, which is not read: unpack it"),
        ("a.xlsx.xls", "is written in a spreadsheet, which is not read: write a table (CSV)"),
        ("a.h5", "holds images in HDF5, which is not read: write them out as files"),
        ("a.unknown", ""),
    ],
)
def test_single_files_are_named(name, words):
    assert describe_unread(name).startswith(words)
    assert bool(describe_unread(name)) == bool(words)


def test_one_class_alone_is_refused_with_advice(make_folder):
    folder = make_folder({"jpg/0.jpg": b"x", "jpg/1.jpg": b"y", "labels.json": b"{}"})
    with pytest.raises(
        SourceError, match=r'one class only, "jpg".*labels\.json is written in JSON'
    ):
        open_source(folder)
