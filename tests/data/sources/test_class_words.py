from __future__ import annotations

import pytest

from alexnet.data.sources.folder import list_folder
from alexnet.data.sources.layout import words_beside, words_in

TEXT = "n01\tgoldfish, Carassius auratus\nn02\tant\nn99\telsewhere\nno tab here\nn03\t\n"
WORDS = {"n01": "goldfish, Carassius auratus", "n02": "ant"}


@pytest.mark.parametrize("name", ["classes.tsv", "words.txt"])
@pytest.mark.parametrize("base", ["", "wrap", "wrap/inner"])
@pytest.mark.parametrize("above", ["", "wrap/inner/"])
def test_words_lie_beside_the_splits_or_above(make_folder, name, base, above):
    place = above if base == "wrap/inner" else ""
    files = list_folder(make_folder({f"{place}{name}": TEXT.encode(), "wrap/inner/a/1": b""}))
    assert words_in(files, base, ["n01", "n02", "n03"]) == WORDS


def test_only_the_words_of_the_classes_are_kept(make_folder):
    files = list_folder(make_folder({"classes.tsv": b"\xef\xbb\xbfn01\tfish\tmore\r\nn02\tant"}))
    assert words_in(files, "", ["n01"]) == {"n01": "fish"}


def test_without_words_or_below_the_classes_there_are_none(make_folder):
    files = list_folder(make_folder({"a/classes.tsv": TEXT.encode()}))
    assert words_in(files, "", ["n01"]) == {}


def test_words_that_cannot_be_read_are_none(make_folder):
    where = make_folder({"classes.tsv": TEXT.encode()})
    files = list_folder(where)
    (where / "classes.tsv").unlink()
    assert words_in(files, "", ["n01"]) == {}


def test_words_lie_beside_a_table(make_folder):
    where = make_folder({"words.txt": TEXT.encode()})
    assert words_beside(where / "labels.csv", ["n01", "n02"]) == WORDS
    assert words_beside(where / "other" / "labels.csv", ["n01"]) == {}
