"""Columns are known by many names, and two that may be meant are told, not chosen from."""

from __future__ import annotations

import pytest

from alexnet.data.sources.table import looks_like_table, read_table
from alexnet.data.sources.table_columns import RawColumn, choose_columns, is_label_name
from alexnet.errors import SourceError

PATHS = (
    *("path", "image", "file", "filename", "file_name", "image_id", "id", "img", "image_path"),
    *("filepath", "name", "Image Name", "IMAGE_FILE", "id_code", "Img-Path", "Filename", "photo"),
)
LABELS = (
    *("label", "class", "target", "category", "species", "breed", "y", "Class Name", "ClassId"),
    *("LABEL", "labels", "diagnosis", "category_id", "dx"),
)
SAMPLE = [["0.jpg", "ant", "x"], ["1.jpg", "bee", "x"]]


def choose(names, sample=SAMPLE):
    width = len(names)
    columns = [RawColumn(name) for name in names]
    rows = [row[:width] for row in sample]
    return choose_columns("t.csv", columns, rows, lambda cell: cell.endswith(".jpg"))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("label", LABELS)
def test_usual_names_are_known(path, label, tmp_path):
    chosen = choose([f" {path} ", label, "other"])
    assert (chosen.path, chosen.labels, chosen.splits) == (0, (1,), ())
    assert looks_like_table(tmp_path / "table", f"{label};{path}\n".encode())


def test_the_column_whose_cells_are_files_is_the_path():
    sample = [["7", "0.jpg", "ant"], ["8", "1.jpg", "bee"]]
    assert choose(["id", "file_name", "label"], sample).path == 1
    assert choose(["file_name", "id", "label"], [row[1::-1] + row[2:] for row in sample]).path == 0
    assert choose(["where it lies", "x", "label"], [["0.jpg", "7", "ant"]]).path == 0


def test_exact_names_win_over_others():
    assert choose(["file", "path", "label"]).path == 1
    assert choose(["path", "class", "label"]).labels == (2,)


def test_a_number_beside_a_name_is_not_the_label():
    sample = [["0.jpg", "3", "ant"], ["1.jpg", "4", "bee"]]
    assert choose(["image", "class", "class_name"], sample).labels == (2,)
    assert choose(["image", "class_id", "class_name"], sample).labels == (2,)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["path", "label", "Label "], r'has 2 columns called "label" \("label", "Label "\)\. Keep'),
        (["path", "Path", "label"], r'has 2 columns called "path" \("path", "Path"\)'),
        (["path", "species", "breed"], r'has the columns "species" and "breed", and each of them'),
        (
            ["path", "when", "where"],
            r'has no column "label"\. Its columns: "path", "when", "where"',
        ),
    ],
)
def test_columns_that_cannot_be_told_apart_are_named(names, words):
    with pytest.raises(SourceError, match=words):
        choose(names)


def test_columns_of_0_and_1_name_the_class(make_folder):
    folder = make_folder({f"{i}.jpg": b"x" for i in range(3)})
    text = "image,age,MEL,NV,BKL\n0,30,0.0,1.0,0.0\n1,40,1.0,0.0,0.0\n2,41,0,0,1\n"
    (folder / "t.csv").write_text(text)
    table = read_table(folder / "t.csv", parquet=False)
    assert [table.classes[label] for label in table.labels] == ["NV", "MEL", "BKL"]


def test_several_classes_of_an_image_are_refused(make_folder):
    folder = make_folder({f"{i}.jpg": b"x" for i in range(200)})
    first = "image,cat,dog\n0,1,1\n1,1,0\n"
    (folder / "t.csv").write_text(first)
    with pytest.raises(
        SourceError, match=r'"cat", "dog" hold 0 and 1, and a row has 1 to 2 of the'
    ):
        read_table(folder / "t.csv", parquet=False)
    rows = "".join(f"{i},1,0\n" for i in range(199)) + "199,1,1\n"
    (folder / "t.csv").write_text("image,cat,dog\n" + rows)
    with pytest.raises(
        SourceError, match="line 201: 2 columns of 2 hold a 1, and an image has exa"
    ):
        read_table(folder / "t.csv", parquet=False)


def test_names_of_numbers_are_labels_too():
    assert is_label_name("Class-Id")
    assert not is_label_name("width")


def test_a_column_of_images_is_the_path_though_ids_are_files_too():
    columns = [RawColumn(name) for name in ("id", "image", "choice")]
    sample = [["0", "/data/upload/0.jpg", "ant"], ["1", "/data/upload/1.jpg", "bee"]]
    chosen = choose_columns("t.csv", columns, sample, str.isdecimal)
    assert (chosen.path, chosen.labels) == (1, (2,))


def test_addresses_of_images_do_not_hide_their_ids():
    columns = [RawColumn(name) for name in ("id", "image_url", "label")]
    sample = [["0", "http://a/x.jpg", "ant"]]
    assert choose_columns("t.csv", columns, sample, str.isdecimal).path == 0


def test_of_many_columns_a_few_are_named():
    with pytest.raises(SourceError, match=r'"p11" and 773 more\. The first line of a table names'):
        choose([f"p{i}" for i in range(785)], [["1"] * 785])


def test_the_label_is_said_where_others_may_be_meant(make_folder, caplog):
    folder = make_folder({"0.jpg": b"x", "1.jpg": b"y"})
    (folder / "t.csv").write_text("image,target,diagnosis\n0.jpg,0,nevus\n1.jpg,1,melanoma\n")
    with caplog.at_level("INFO"):
        assert read_table(folder / "t.csv", parquet=False).classes == ("melanoma", "nevus")
    assert 'the column "diagnosis" is read as the label, and not "target"; if' in caplog.text
