"""Numbers of a list get the names that a file beside it has for them."""

from __future__ import annotations

import pytest

from alexnet.data import open_source
from alexnet.data.sources.list_words import number_words, read_number_words_beside


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ant\nbee\n", {"0": "ant", "1": "bee"}),
        ("\ufeffant\r\nbee\r\n\r\n", {"0": "ant", "1": "bee"}),
        (
            "n01440764 tench, Tinca tinca\nn01443537 goldfish\n",
            {"0": "tench, Tinca tinca", "1": "goldfish"},
        ),
        ("1 bee\n0 ant\n", {"0": "ant", "1": "bee"}),
        ("0: ant\n1: golden bee\n", {"0": "ant", "1": "golden bee"}),
        ("ant\nbee\ncat\n", {"0": "ant", "1": "bee"}),
        ("ant\n", {}),
        ("0.jpg 1\n1.jpg 0\n", {}),
        ("", {}),
    ],
)
def test_names_of_numbers_are_read(text, words):
    assert number_words(text.encode(), ["0", "1"]) == words


def test_the_first_line_is_1_where_numbers_go_from_1_to_the_last_line():
    assert number_words(b"ant\nbee\n", ["1", "2"]) == {"1": "ant", "2": "bee"}
    assert number_words(b"ant\nbee\ncat\n", ["1", "2"]) == {"1": "bee", "2": "cat"}


def test_names_need_no_names():
    assert number_words(b"a\nb\n", ["ant", "bee"]) == {}


def test_the_table_itself_is_no_file_of_names(make_folder):
    folder = make_folder({"labels.txt": b"0\n1\n", "names.txt": b"ant\nbee\n"})
    assert read_number_words_beside(folder / "labels.txt", ["0", "1"]) == {"0": "ant", "1": "bee"}


def test_a_list_of_numbers_has_class_words(make_folder):
    files = {
        "train.txt": b"a.jpg 0\nb.jpg 1\n",
        "labels.txt": b"ant\nbee\n",
        "a.jpg": b"x",
        "b.jpg": b"y",
    }
    source = open_source(make_folder(files) / "train.txt")
    assert source.classes == ("0", "1")
    assert dict(source.class_words) == {"0": "ant", "1": "bee"}
