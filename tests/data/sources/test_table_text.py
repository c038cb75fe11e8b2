"""Text of every form is the same table: delimiters, byte order marks, lists without names."""

from __future__ import annotations

import pytest

from alexnet.data.sources.names import SPLITS
from alexnet.data.sources.table import parse_table, read_table
from alexnet.errors import SourceError

FILES = ["my images/a b.jpg", "my images/c.jpg", "d.JPEG"]
LABELS = ["3", "0", "3"]


@pytest.fixture
def folder(make_folder):
    return make_folder(dict.fromkeys(FILES, b"x"))


def write(folder, text, name="train.txt", encoding="utf-8"):
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def rows(table):
    return [
        (path, table.classes[label])
        for path, label in zip(table.files.paths, table.labels, strict=True)
    ]


PLAIN = "".join(f"{path} {label}\n" for path, label in zip(FILES, LABELS, strict=True))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: "\n\n" + text.replace("\n", "\n\n"),
        lambda text: "# made by hand\n" + text,
        lambda text: "path label\n" + text,
        lambda text: "Filename Class\n" + text,
        *(
            lambda text, mark=mark: text.replace(" 3\n", f"{mark}3\n").replace(" 0\n", f"{mark}0\n")
            for mark in ("\t", ";", "|", ",", "  ", "\t ")
        ),
        lambda text: text.replace("my images/a b.jpg", '"my images/a b.jpg"'),
        lambda text: text.replace("/", "\\"),
        lambda text: text.replace(".jpg", "").replace(".JPEG", ""),
    ],
)
def test_a_list_without_names_is_read(folder, change, encoding):
    path = write(folder, change(PLAIN), encoding=encoding)
    assert rows(read_table(path, parquet=False)) == list(zip(FILES, LABELS, strict=True))


def test_labels_of_several_words_begin_behind_the_suffix(folder):
    text = "my images/a b.jpg golden retriever\nmy images/c.jpg cat\nd.JPEG cat\n"
    assert [label for _, label in rows(read_table(write(folder, text), parquet=False))] == [
        *("golden retriever", "cat", "cat")
    ]


def test_rows_without_names_may_have_the_label_first_and_a_split(folder):
    text = "3,my images/a b.jpg,train\n0,my images/c.jpg,val\n3,d.JPEG,test\n"
    table = read_table(write(folder, text, "list.csv"), parquet=False)
    assert rows(table) == list(zip(FILES, LABELS, strict=True))
    assert [SPLITS[code] for code in table.splits] == ["train", "val", "test"]


def test_a_list_is_read_inside_an_archive_too():
    found = parse_table(PLAIN.encode(), name="t.zip/train.txt", folder="", files=["x", *FILES])
    assert found.indices.tolist() == [1, 2, 3]
    assert found.classes == ("0", "3")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "d.JPEG\nmy images/c.jpg\n",
            r"has no column names, and its first line, d\.JPEG, has no l",
        ),
        ("d.JPEG 0 1 1\nmy images/c.jpg 1 0 0\n", 'several numbers behind a path, "0 1 1", and an'),
        (
            "d.JPEG,cat,5\nmy images/c.jpg,dog,6\n",
            "its first line is a row of 3 cells, and which of",
        ),
        ("d.JPEG,my images/c.jpg\n", "has no column names, and two columns of files"),
        ("d.JPEG 1\nmy images/c.jpg\n", r"line 2: the label is empty"),
        (
            "gone/1.jpg 1\ngone/2.jpg 2\n",
            r"not one of its 2 files is there; the first is .*gone/1\.",
        ),
    ],
)
def test_lists_that_cannot_be_read_say_why(folder, text, words):
    with pytest.raises(SourceError, match=words):
        read_table(write(folder, text), parquet=False)


@pytest.mark.parametrize(
    "label", ["\ufeffpath,label", "path;label", "label\tpath", "image|species"]
)
def test_names_are_found_in_any_form(folder, label):
    mark = next(mark for mark in ",;\t|" if mark in label)
    cells = ["d.JPEG", "ant"] if not label.startswith("label") else ["ant", "d.JPEG"]
    table = read_table(write(folder, f"{label}\n{mark.join(cells)}\n", "t.csv"), parquet=False)
    assert rows(table) == [("d.JPEG", "ant")]


def test_a_label_of_several_words_begins_behind_an_id(make_folder):
    folder = make_folder({"images/0001.jpg": b"x", "images/0002.jpg": b"y"})
    text = "0001 Boeing 717\n0002 707-320\n"
    assert rows(read_table(write(folder, text), parquet=False)) == [
        ("images/0001.jpg", "Boeing 717"),
        ("images/0002.jpg", "707-320"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "path,label," + "x" * 200_000 + "\nd.JPEG,ant,1\n",
        "path,label,note\nd.JPEG,ant," + "x" * 200_000 + "\n",
        'path,label\nd.JPEG,"ant\n' + "x.jpg,bee\n" * 20_000,
    ],
)
def test_a_cell_too_long_for_a_table_is_a_sentence(folder, text):
    with pytest.raises(SourceError, match=r"a cell of more than 131,072 letters; a quotation mark"):
        read_table(write(folder, text, "t.csv"), parquet=False)


def test_numbers_that_are_files_by_chance_are_no_paths(make_folder):
    folder = make_folder({"img/0.png": b"x", "img/1.png": b"y"})
    text = "/jobs/1/0.png 0\n/jobs/1/1.png 1\n"
    with pytest.raises(
        SourceError, match=r"is there; the first is /jobs/1/0\.png\. That is an abs"
    ):
        read_table(write(folder, text), parquet=False)
