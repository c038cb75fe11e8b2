from __future__ import annotations

import importlib
import json

import numpy as np
import pytest

from alexnet.data.sources.names import SPLITS
from alexnet.data.sources.table import looks_like_table, read_table
from alexnet.errors import SourceError
from alexnet.images import UnreadableImage


@pytest.fixture
def images(make_folder):
    """A folder in which `img/0.png` to `img/9.png` lie."""
    return make_folder({f"img/{i}.png": bytes([i]) * (i + 1) for i in range(10)})


def write(folder, text, name="labels.csv", encoding="utf-8"):
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def rows(table):
    labels = [table.classes[label] for label in table.labels]
    splits = [SPLITS[code] for code in table.splits]
    return list(zip(table.files.paths, labels, splits, strict=True))


PLAIN = "path,label,split\nimg/3.png,bee,train\nimg/1.png,ant,val\nimg/2.png,bee,Test\n"
READ = [("img/3.png", "bee", "train"), ("img/1.png", "ant", "val"), ("img/2.png", "bee", "test")]


def test_a_table_is_read_row_by_row_in_its_order(images):
    table = read_table(write(images, PLAIN), parquet=False)
    assert rows(table) == READ
    assert table.classes == ("ant", "bee")
    assert table.files.sizes.tolist() == [4, 2, 3]
    assert table.files.read(0) == bytes([3]) * 4
    assert table.labels.dtype == np.int64
    assert table.splits.dtype == np.uint8


@pytest.mark.parametrize(
    ("change", "encoding"),
    [
        (lambda text: text, "utf-8-sig"),
        (lambda text: text, "utf-16"),
        (lambda text: text.replace(",", ";"), "utf-8"),
        (lambda text: text.replace(",", "\t"), "utf-8"),
        (lambda text: "sep=|\n" + text.replace(",", "|"), "utf-8"),
        (lambda text: "\n\n" + text.replace("\n", "\r\n"), "utf-8"),
        (lambda text: text.replace("img/", '"img/').replace(".png", '.png"'), "utf-8"),
        (lambda text: text.replace("path,label", " Path , LABEL"), "utf-8"),
        (lambda text: text.replace("img/", "img\\"), "utf-8"),
        (lambda text: text.replace("\n", ",more\n"), "utf-8"),
        (lambda text: text.replace("\n", "\n,,\n \n"), "utf-8"),
    ],
)
def test_tables_of_every_spelling_are_the_same(images, change, encoding):
    path = write(images, change(PLAIN), encoding=encoding)
    assert rows(read_table(path, parquet=False)) == READ


def test_labels_may_be_numbers_and_sort_as_such(images):
    text = "label;path\n10;img/0.png\n2;img/1.png\n"
    table = read_table(write(images, text), parquet=False)
    assert table.classes == ("2", "10")
    assert rows(table) == [("img/0.png", "10", ""), ("img/1.png", "2", "")]


def test_paths_may_be_absolute_or_lead_elsewhere(images, make_folder):
    other = make_folder({"x": b""})
    text = f"path,label\n{images / 'img' / '4.png'},ant\n../{images.name}/img/5.png,bee\n"
    table = read_table(write(other, text), parquet=False)
    assert [table.files.read(i) for i in range(2)] == [bytes([4]) * 5, bytes([5]) * 6]


def test_a_missing_file_is_a_image_that_is_gone(images):
    text = "path,label\nimg/0.png,ant\nimg/77.png,bee\nimg,bee\n"
    table = read_table(write(images, text), parquet=False)
    assert table.files.sizes.tolist() == [1, 0, 0]
    with pytest.raises(UnreadableImage, match=r"img/77\.png cannot be read: it is gone"):
        table.files.read(1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("what,label\nx,y\n", r'has no column "path"\. Its columns: "what", "label"\. The first'),
        (
            "path,lable\nx,y\n",
            r'no column "label"\. Its columns: "path", "lable"\. The first line of',
        ),
        ("no/file,ant\n", r'no column "path"\. Its columns: "no/file", "ant"'),
        ("", r'no column "path"\. Its columns: none'),
        ("path,label\n", "has no rows under its column names"),
        ("path,label\nimg/0.png,ant\nimg/1.png\n", r"labels\.csv, line 3: the label is empty"),
        ("path,label\n,ant\n", r"line 2: the path is empty"),
        (
            "path,label,split\nimg/0.png,a,train\nimg/1.png,a,tset\n",
            r'line 3: there is no split "tset"\. Did you mean "test"\? Write train, val or test in',
        ),
        ("path,label,split\nimg/0.png,a,\n", r'line 2: there is no split ""\. Write train'),
        (
            "path,label\nimg/0.png,a\nimg/1.png,a\nimg/0.png,b\n",
            r"line 4: img/0\.png is named in line 2 already\. Keep one row",
        ),
        (
            "path,label\n10.png,a\n11.png,b\n",
            r"not one of its 2 files is there; the first is .*10\.png\. Paths are relative to the",
        ),
        (
            "path,label\nimg/0.png," + "x" * 200_000 + "\n",
            "has a cell of more than 131,072 letters",
        ),
    ],
)
def test_tables_that_cannot_be_used_say_why(images, text, words):
    with pytest.raises(SourceError, match=words):
        read_table(write(images, text), parquet=False)


def test_another_encoding_is_refused(images):
    path = write(images, "path,label\nimg/0.png,Bär\n", encoding="cp1252")
    words = r'labels\.csv is not written in UTF-8 \(it has a byte 0xe4\)\. Save it as "CSV UTF-8"'
    with pytest.raises(SourceError, match=words):
        read_table(path, parquet=False)


@pytest.mark.parametrize(
    ("name", "start", "table"),
    [
        ("a.csv", b"x", True),
        ("a.TSV", b"x", True),
        ("a.csv", b"", False),
        ("labels", b"path;label\nx", True),
        ("labels", b"\xef\xbb\xbflabel\tpath", True),
        ("labels", b"\xff\xd8\xff\xe0", False),
        ("labels", b"", False),
        ("labels", b"\n", False),
    ],
)
def test_tables_are_known_by_name_or_columns(tmp_path, name, start, table):
    assert looks_like_table(tmp_path / name, start) is table


class TestParquet:
    @pytest.fixture
    def parquet(self, images):
        pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
        from pyarrow import parquet

        def make(**columns):
            parquet.write_table(pa.table(columns), images / "labels.parquet", row_group_size=2)
            return images / "labels.parquet"

        return make

    def test_a_table_is_read_like_csv(self, parquet):
        paths, labels, splits = (list(each) for each in zip(*READ, strict=True))
        path = parquet(other=[1.5] * 3, split=splits, path=paths, label=labels)
        assert rows(read_table(path, parquet=True)) == READ

    @pytest.mark.parametrize(
        ("labels", "classes"),
        [
            ([10, 2, 10], ("2", "10")),
            ([10.0, 2.0, 0.5], ("0.5", "2", "10")),
            ([True, False, True], ("False", "True")),
            ([b"a", b"b", b"a"], ("a", "b")),
        ],
    )
    def test_labels_of_every_type_become_text(self, parquet, labels, classes):
        path = parquet(path=[f"img/{i}.png" for i in range(3)], label=labels)
        assert read_table(path, parquet=True).classes == classes

    @pytest.mark.parametrize("label", [None, float("nan")])
    def test_an_empty_cell_is_refused(self, parquet, label):
        path = parquet(path=["img/0.png", "img/1.png", "img/2.png"], label=[1.0, 2.0, label])
        with pytest.raises(SourceError, match=r"labels\.parquet, row 3: the label is empty"):
            read_table(path, parquet=True)

    def test_a_missing_column_is_named(self, parquet):
        with pytest.raises(SourceError, match=r'has no column "label"\. Its columns: "path", "x"'):
            read_table(parquet(path=["a"], x=[1]), parquet=True)

    @pytest.mark.parametrize(
        "label", [[["a"], ["b"], ["a"]], [[1], [2], [1]], [[1.0], [2.0], [1.0]]]
    )
    def test_lists_of_one_element_are_taken_apart(self, parquet, label):
        table = read_table(
            parquet(path=[f"img/{i}.png" for i in range(3)], label=label), parquet=True
        )
        assert table.classes in (("a", "b"), ("1", "2"))

    @pytest.mark.parametrize(
        ("label", "words"),
        [
            (
                [["a"], ["a", "b"]],
                r'column "label" holds list<\S+: string>, one of them with 2 eleme',
            ),
            ([["a"], []], r'column "label" holds list<\S+: string>, one of them with no element'),
            (
                [{"a": 1}, {"a": 2}],
                r'the column "label" holds struct<a: int64>, and not one text or',
            ),
            ([[["a"]], [["b"]]], r'the column "label" holds list<.*, and not one text or number'),
        ],
    )
    def test_labels_of_several_values_name_column_and_type(self, parquet, label, words):
        with pytest.raises(SourceError, match=words):
            read_table(parquet(path=["img/0.png", "img/1.png"], label=label), parquet=True)

    def test_images_inside_the_table_are_refused_by_name(self, parquet):
        image = [{"bytes": b"x", "path": "0.png"}]
        with pytest.raises(
            SourceError, match='column "image" holds struct<bytes: binary, path: str'
        ):
            read_table(parquet(image=image, label=["a"]), parquet=True)

    def test_two_columns_of_one_name_are_refused(self, images):
        pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
        from pyarrow import parquet

        columns = [pa.array(["img/0.png"]), pa.array(["a"]), pa.array(["b"])]
        parquet.write_table(
            pa.Table.from_arrays(columns, names=["path", "label", "label"]), images / "l.parquet"
        )
        with pytest.raises(SourceError, match='has 2 columns called "label"'):
            read_table(images / "l.parquet", parquet=True)

    def test_numbers_of_a_class_label_get_the_names_that_the_file_has(self, images):
        pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
        from pyarrow import parquet

        def make(labels):
            info = {
                "info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}
            }
            table = pa.table(
                {"path": [f"img/{i}.png" for i in range(len(labels))], "label": labels}
            )
            table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
            parquet.write_table(table, images / "l.parquet")
            return images / "l.parquet"

        assert [label for _, label, _ in rows(read_table(make([1, 0, 1]), parquet=True))] == [
            *("dog", "cat", "dog")
        ]
        with pytest.raises(
            SourceError, match=r"has the label 2, and the file names 2 classes, 0 to 1"
        ):
            read_table(make([0, 2]), parquet=True)
        with pytest.raises(SourceError, match=r"row 2: the label is empty"):
            read_table(make([0, -1]), parquet=True)
        with pytest.raises(SourceError, match=r"row 2: the label is empty"):
            read_table(make([0, None]), parquet=True)

    @pytest.mark.parametrize(
        "labels",
        [[0.0, 1.0], [0.5, 1.0], [True, False], [10, 2], [-0.0, 1e20], ["a", "caf\u0065\u0301"]],
    )
    def test_csv_and_parquet_have_the_same_classes(self, parquet, images, labels):
        paths = ["img/0.png", "img/1.png"]
        by_parquet = read_table(parquet(path=paths, label=labels), parquet=True)
        text = "path,label\n" + "".join(
            f"{path},{label}\n" for path, label in zip(paths, labels, strict=True)
        )
        by_csv = read_table(write(images, text), parquet=False)
        assert by_csv.classes == by_parquet.classes
        assert by_csv.labels.tolist() == by_parquet.labels.tolist()

    def test_flags_and_columns_of_one_hot_are_read_too(self, parquet):
        paths = ["img/0.png", "img/1.png", "img/2.png"]
        path = parquet(image=paths, ant=[1, 0, 0], bee=[0, 1, 1], is_valid=[False, True, False])
        assert rows(read_table(path, parquet=True)) == [
            *(("img/0.png", "ant", "train"), ("img/1.png", "bee", "val")),
            ("img/2.png", "bee", "train"),
        ]

    def test_a_damaged_table_is_refused(self, parquet):
        path = parquet(path=["img/0.png"], label=["a"])
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(SourceError, match="is no whole Parquet table: "):
            read_table(path, parquet=True)

    def test_without_pyarrow_the_command_is_named(self, images, monkeypatch):
        def missing(name):
            raise ImportError(name)

        monkeypatch.setattr(importlib, "import_module", missing)
        with pytest.raises(SourceError, match=r'pip install "alexnet\[tables\]", or write the tab'):
            read_table(images / "x.parquet", parquet=True)


@pytest.mark.parametrize("kind", ["s", "us"])
def test_cells_that_python_cannot_hold_are_a_sentence(tmp_path, kind):
    pa = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    pq = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    times = pa.array([2**62, -(2**62)], pa.int64()).cast(
        pa.timestamp("us" if kind == "us" else "ms")
    )
    pq.write_table(pa.table({"path": ["1.png", "2.png"], "label": times}), tmp_path / "t.parquet")
    with pytest.raises(SourceError, match="is no whole Parquet table"):
        read_table(tmp_path / "t.parquet", parquet=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("image", 'the column "image" holds bytes, and not one text or number'),
        ("image_bytes", '"image_bytes" holds bytes: write images as files beside the table'),
    ],
)
def test_images_inside_of_a_parquet_table_are_named_and_not_printed(tmp_path, name, words):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({name: [b"\xff\xd8\xff\xe0\0", b"\xff\xd8\xff\xe1\0"], "label": ["a", "b"]})
    parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(SourceError, match=words):
        read_table(tmp_path / "t.parquet", parquet=True)
