"""What cells mean: labels alike from CSV and Parquet, and splits by columns of other names."""

from __future__ import annotations

import logging

import pytest

from alexnet.data.sources.names import SPLITS
from alexnet.data.sources.table import read_table
from alexnet.data.sources.table_labels import clean_labels, whole_number
from alexnet.errors import SourceError


@pytest.fixture
def table(make_folder):
    """Makes a table of some columns, as CSV."""
    folder = make_folder({f"{i}.jpg": b"x" for i in range(6)})

    def make(**columns):
        count = len(next(iter(columns.values())))
        names = {"path": [f"{i}.jpg" for i in range(count)], **columns}
        lines = [
            ",".join(names),
            *(",".join(map(str, row)) for row in zip(*names.values(), strict=True)),
        ]
        (folder / "t.csv").write_text("\n".join(lines), encoding="utf-8")
        return read_table(folder / "t.csv", parquet=False)

    return make


def splits(table):
    return [SPLITS[code] for code in table.splits]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("3.0", "3"), ("3.", "3"), ("-0.0", "0"), ("1e2", "100"), ("+2.0", "2"), ("3", "3")),
        *(("007", "007"), ("0.5", "0.5"), ("1e999999999", "1e999999999"), ("cat", "cat")),
        *(("1_0.0", "1_0.0"), ("inf", "inf"), ("٣", "٣")),
    ],
)
def test_whole_numbers_lose_their_point(text, number):
    assert whole_number(text) == number


@pytest.mark.parametrize(
    ("texts", "classes"),
    [
        (["0.0", "1.0"], ["0", "1"]),
        (["0.5", "1.0"], ["0.5", "1"]),
        (["1", "1.0", "2.0"], ["1", "1.0", "2.0"]),  # joined by the flag for look-alikes alone
        (["1.0", "cat"], ["1.0", "cat"]),
        (["TRUE", "FALSE"], ["True", "False"]),
        (["true", "True"], ["true", "True"]),
        (["true", "maybe"], ["true", "maybe"]),
        (["cafe\u0301", "caf\u00e9"], ["caf\u00e9", "caf\u00e9"]),
        (["['ant']", '["bee"]', "[3]"], ["ant", "bee", "3"]),
        (["[ant", "bee]"], ["[ant", "bee]"]),
        (["Cat", "cat"], ["Cat", "cat"]),
    ],
)
def test_labels_have_one_spelling(texts, classes):
    assert list(clean_labels("t.csv", texts).values()) == classes


@pytest.mark.parametrize(
    "label", ["['ant', 'bee']", "[]", "['ant' 'bee']", "[['ant']]", "{'a': 1}"]
)
def test_lists_and_dictionaries_are_no_classes(label):
    with pytest.raises(
        SourceError, match=r"t\.csv: labels are written as a (list|dictionary), such"
    ):
        clean_labels("t.csv", [label])


@pytest.mark.parametrize("nothing", ["nan", "NaN", "NULL", "<NA>", "None"])
def test_no_number_among_numbers_is_an_empty_cell(nothing, caplog):
    with pytest.raises(SourceError, match=f'the label is "{nothing}" in some rows and a number in'):
        clean_labels("t.csv", ["1.0", nothing])
    assert clean_labels("t.csv", ["cat", nothing])[nothing] == nothing
    assert "is taken for a class, and programs write it for an empty cell" in caplog.text


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("is_valid", ["True", "False", "true"], ["val", "train", "val"]),
        ("is_valid", [1, 0, 0], ["val", "train", "train"]),
        ("is_valid", ["0.0", "1.0", "0.0"], ["train", "val", "train"]),
        ("Validation", ["yes", "no", "no"], ["val", "train", "train"]),
        ("is_test", ["FALSE", "TRUE", "FALSE"], ["train", "test", "train"]),
        ("is_training_image", [1, 0, 1], ["train", "test", "train"]),
        ("set", ["train", "valid", "test"], ["train", "val", "test"]),
        ("data set", ["TRAIN", "TEST", "VAL"], ["train", "test", "val"]),
        ("Usage", ["Training", "PublicTest", "PrivateTest"], ["train", "val", "test"]),
        ("phase", ["train", "train", "validation"], ["train", "train", "val"]),
        ("subset", ["training", "testing", "val"], ["train", "test", "val"]),
        ("fold", ["train", "val", "test"], ["train", "val", "test"]),
    ],
)
def test_columns_of_other_names_tell_the_split(table, name, cells, expected, caplog):
    with caplog.at_level(logging.INFO):
        found = table(label=["a", "b", "a"], **{name: cells})
    assert splits(found) == expected
    assert f'the column "{name}" is read as the split' in caplog.text


@pytest.mark.parametrize(
    ("name", "cells"),
    [("set", ["A", "B", "A"]), ("partition", [0, 1, 2]), ("is_valid", ["True", "", "True"])],
)
def test_columns_that_cannot_be_read_are_told(table, name, cells, caplog):
    assert splits(table(label=["a", "b", "a"], **{name: cells})) == ["", "", ""]
    assert f'the column "{name}" ("{cells[0]}", ' in caplog.text
    assert "names no splits and is passed over. If it tells which images are for what, write" in (
        caplog.text
    )


@pytest.mark.parametrize("name", ["fold", "kfold", "Fold_ID"])
def test_folds_are_asked_for(table, name):
    with pytest.raises(
        SourceError, match=f'column "{name}" .*which of its folds is held out is not'
    ):
        table(label=["a", "b", "a"], **{name: [0, 1, 2]})
    found = table(label=["a", "b", "a"], split=["train", "val", "train"], **{name: [0, 1, 2]})
    assert splits(found) == ["train", "val", "train"]


def test_flags_add_up_and_must_not_contradict(table):
    found = table(label=["a", "b", "a"], is_valid=[1, 0, 0], is_test=[0, 1, 0])
    assert splits(found) == ["val", "test", "train"]
    with pytest.raises(
        SourceError, match=r'row 2 is of two splits by its columns "is_valid", "is_t'
    ):
        table(label=["a", "b", "a"], is_valid=[0, 1, 0], is_test=[0, 1, 0])


def test_a_second_column_of_splits_is_passed_over_aloud(table, caplog):
    found = table(label=["a", "b"], set=["train", "val"], phase=["val", "train"])
    assert splits(found) == ["train", "val"]
    assert 'the column "phase" is passed over' in caplog.text
