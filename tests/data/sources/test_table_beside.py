from __future__ import annotations

import logging

import numpy as np
import pytest

from alexnet.data import open_source
from alexnet.data.sources.folder import list_folder
from alexnet.data.sources.nested import list_files
from alexnet.data.sources.sidecars import image_mask
from alexnet.data.sources.table_beside import (
    find_tables,
    how_to_name_table,
    read_inner_table,
    say_inner_table,
)
from alexnet.errors import SourceError

IMAGES = {f"images/{i}.png": b"%d" % i for i in range(6)}


def rows(numbers, form="images/{}.png"):
    lines = [f"{form.format(i)},{'bee' if i % 2 else 'ant'}\n" for i in numbers]
    return ("path,label\n" + "".join(lines)).encode()


def read(files):
    return read_inner_table(files, image_mask(files))


def described(files, table):
    splits = ("", "train", "val", "test")
    return {
        files.paths[i]: (splits[split], table.classes[label])
        for i, label, split in zip(
            table.indices.tolist(), table.labels.tolist(), table.splits.tolist(), strict=True
        )
    }


def test_the_only_table_gives_the_labels(make_files):
    files = list_files(make_files({**IMAGES, "labels.csv": rows(range(6))}))
    table = read(files)
    assert (table.names, table.missing, table.classes) == (("labels.csv",), (), ("ant", "bee"))
    assert described(files, table) == {
        f"images/{i}.png": ("", "bee" if i % 2 else "ant") for i in range(6)
    }


def test_tables_of_splits_are_one(make_files):
    tables = {"train.csv": rows(range(4)), "val_labels.csv": rows([4]), "test.csv": rows([5])}
    files = list_files(make_files({**IMAGES, **tables}))
    found = described(files, read(files))
    assert found["images/0.png"] == ("train", "ant")
    assert found["images/4.png"] == ("val", "ant")
    assert found["images/5.png"] == ("test", "bee")
    assert len(found) == 6


def test_classes_of_several_tables_are_numbered_together(make_folder):
    tables = {"train.csv": b"path,label\nimages/0.png,bee\n", "test.csv": rows([2, 3])}
    files = list_folder(make_folder({**IMAGES, **tables}))
    assert described(files, read(files)) == {
        "images/0.png": ("train", "bee"),
        "images/2.png": ("test", "ant"),
        "images/3.png": ("test", "bee"),
    }


def test_lists_without_a_header_count_where_they_can_be_read(make_files):
    lines = b"".join(b"images/%d.png %d\n" % (i, i % 2) for i in range(6))
    files = list_files(make_files({**IMAGES, "train.txt": lines, "notes.txt": b"some words\n"}))
    assert len(described(files, read(files))) == 6


def test_several_tables_of_the_same_images_are_refused(make_files):
    where = make_files({**IMAGES, "a.csv": rows(range(6)), "b.csv": rows(range(3))})
    what = "Name the one" if where.is_dir() else "Unpack the archive, and name the one"
    words = f'several tables that name its images: "a.csv", "b.csv". {what} to read'
    with pytest.raises(SourceError, match=words):
        read(list_files(where))


def test_tables_to_be_filled_in_and_those_of_nothing_are_passed_over(make_folder):
    tables = {"sample_submission.csv": rows(range(6)), "empty.csv": b"", "a/b/c/d/e.csv": rows([1])}
    files = list_folder(make_folder({**IMAGES, **tables}))
    assert find_tables(files) == []
    assert read(files) is None


def test_what_is_wrong_with_the_only_table_is_said(make_folder):
    files = list_folder(make_folder({**IMAGES, "t.csv": b"width,height\n3,4\n"}))
    with pytest.raises(
        SourceError, match=r"no folders that are classes, and its table .*t\.csv has no"
    ):
        read(files)


def test_where_the_labels_are_from_and_what_has_no_partner_is_said(make_folder, caplog):
    files = list_folder(make_folder({**IMAGES, "t.csv": rows([0, 1, 2, 77])}))
    table = read(files)
    assert caplog.records == [] or "77" not in caplog.text
    with caplog.at_level(logging.INFO):
        say_inner_table(files, image_mask(files), table)
    assert 'the labels of 3 images are from "t.csv"; 3 images that it does not name' in caplog.text
    assert '1 row of "t.csv" name no file: "images/77.png"' in caplog.text


def test_how_a_table_becomes_the_source_depends_on_where_it_lies(make_files):
    files = list_files(make_files(IMAGES))
    expected = "Name t.csv" if files.where.is_dir() else "Unpack the archive, and name t.csv"
    assert how_to_name_table(files, "t.csv") == f"{expected} as the source."


def test_indices_are_of_the_listing(make_folder):
    files = list_folder(make_folder({**IMAGES, "t.csv": rows([5, 0])}))
    chosen = files.take(read(files).indices)
    assert [chosen.read(i) for i in range(2)] == [b"5", b"0"]
    assert np.array_equal(read(files).labels, [1, 0])


@pytest.mark.parametrize("name", ["metadata.csv", "_classes.csv"])
def test_a_table_in_each_split_is_read(make_files, name):
    tables = {
        f"{split}/{name}": b"file_name,label\n0.png,ant\n1.png,bee\n" for split in ("train", "test")
    }
    images = {f"{split}/{i}.png": b"x" for split in ("train", "test") for i in range(2)}
    files = list_files(make_files({**images, **tables}))
    assert described(files, read(files)) == {
        f"{split}/{i}.png": (split, ("ant", "bee")[i])
        for split in ("train", "test")
        for i in (0, 1)
    }


def test_parts_of_one_split_are_one_and_tables_that_overlap_are_not(make_files):
    parts = {"train-1.csv": rows(range(3)), "train-2.csv": rows(range(3, 6))}
    files = list_files(make_files({**IMAGES, **parts}))
    assert len(described(files, read(files))) == 6
    overlap = {"train_a.csv": rows(range(3)), "train_b.csv": rows(range(2, 6))}
    with pytest.raises(SourceError, match="several tables that name its images"):
        read(list_files(make_files({**IMAGES, **overlap})))


def test_a_name_that_both_splits_have_is_that_of_the_tables_split(make_files):
    images = {f"{split}/{i}.png": b"x" for split in ("train", "test") for i in (1, 2)}
    files = list_files(make_files({**images, "trainLabels.csv": b"id,label\n1,ant\n2,bee\n"}))
    assert described(files, read(files)) == {
        "train/1.png": ("train", "ant"),
        "train/2.png": ("train", "bee"),
    }


def test_absolute_paths_into_the_folder_and_words_of_numbers(make_folder):
    folder = make_folder({**IMAGES, "labels.txt": b"ant\nbee\n"})
    lines = [f"{folder.resolve()}/images/{i}.png {i % 2}\n" for i in range(6)]
    (folder / "train.txt").write_text("".join(lines))
    files = list_folder(folder)
    table = read(files)
    assert len(described(files, table)) == 6
    assert table.words == {"0": "ant", "1": "bee"}


def test_tables_that_are_not_used_say_nothing(make_folder, caplog):
    moved = b"path,label,is_valid\n0.png,x,0\n1.png,y,1\n"
    files = list_folder(make_folder({**IMAGES, "a.csv": moved}))
    with caplog.at_level(logging.INFO):
        assert read_inner_table(files, image_mask(files), say=False) is not None
    assert not caplog.text


def test_lists_of_other_splits_beside_a_named_one_are_said(make_folder, caplog):
    lists = {f"{name}.txt": b"0.png 0\n1.png 1\n" for name in ("train", "val", "notes_test")}
    folder = make_folder({"0.png": b"x", "1.png": b"y", **lists})
    with caplog.at_level(logging.INFO):
        open_source(folder / "train.txt")
    assert 'train.txt: "val.txt" is not read, though it lies beside it. To use each' in caplog.text
