"""The rule of what to exclude, the lists, and what they do to a source, a pack and the cache."""

from __future__ import annotations

import logging
import unicodedata

import numpy as np
import pytest

from alexnet.data import open_source, write_skipped_csv
from alexnet.data.checks.exclusions import (
    duplicates_to_exclude,
    exclude_listed,
    read_exclusion_list,
)
from alexnet.data.packs.pack import open_pack
from alexnet.data.packs.writer import write_pack
from alexnet.errors import SourceError

NONE, TRAIN, VAL, TEST = range(4)


@pytest.mark.parametrize(
    ("labels", "splits", "out", "kept"),
    [
        ([0, 0, 0], [NONE] * 3, [1, 2], 0),
        ([0, 0, 0], [TRAIN, VAL, TEST], [0, 1], 2),
        ([0, 0], [VAL, TRAIN], [1], 0),
        ([0, 0, 0, 0], [TRAIN, TEST, TEST, VAL], [0, 2, 3], 1),
        ([0, 1], [TRAIN, TEST], [0, 1], None),
        ([2, 2, 1], [TRAIN] * 3, [0, 1, 2], None),
    ],
)
def test_the_rule_of_exclusion(labels, splits, out, kept):
    group = list(range(len(labels)))
    found = duplicates_to_exclude(group, np.array(labels), np.array(splits, dtype=np.uint8))
    assert found == (out, kept)


@pytest.mark.parametrize(
    "text",
    [
        "a/1.png\nb/2.png\n",
        "a/1.png\r\n\r\nb/2.png",
        "path,reason\na/1.png,why\nb/2.png,\n",
        'why;Path\nold;"a/1.png"\nnew;b/2.png\n',
        "path\na/1.png\nb/2.png\nb/2.png\n",
        "\ufeffa/1.png\nb/2.png\n",
    ],
)
def test_lists_and_tables_say_the_same(tmp_path, text):
    (tmp_path / "list").write_text(text, encoding="utf-8", newline="")
    assert read_exclusion_list(tmp_path / "list").entries == ("a/1.png", "b/2.png")


def test_a_spreadsheets_unicode_is_read(tmp_path):
    (tmp_path / "list.txt").write_text("path\tno\na/ü.png\t1\n", encoding="utf-16")
    assert read_exclusion_list(tmp_path / "list.txt").entries == ("a/ü.png",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "list cannot be read: no such file.* a path a line"),
        (b"\x89PNG\0\0", "list is no text: a list has a path a line"),
        (b"\xff\xfea", "list is damaged"),
    ],
)
def test_files_that_are_no_list_are_errors(tmp_path, data, words):
    if data is not None:
        (tmp_path / "list").write_bytes(data)
    with pytest.raises(SourceError, match=words):
        read_exclusion_list(tmp_path / "list")


@pytest.fixture
def source(make_folder, make_png):
    names = ["ant/1.png", "ant/2.png", "ant/=3.png", "bee/1.png", "bee/2, 3.png", "bee/ü.png"]
    return open_source(make_folder({name: make_png(i) for i, name in enumerate(names)}))


def excluded(source, tmp_path, *entries):
    (tmp_path / "list.txt").write_text("\n".join(entries), encoding="utf-8")
    return exclude_listed(source, tmp_path / "list.txt")


def test_listed_images_go_and_the_rest_stays_as_it_was(source, tmp_path, caplog):
    with caplog.at_level(logging.INFO, "alexnet"):
        left = excluded(source, tmp_path, "ant/2.png", "bee/2, 3.png", ".\\bee\\ü.png")
    assert list(left.paths) == ["ant/1.png", "ant/=3.png", "bee/1.png"]
    assert left.labels.tolist() == [0, 0, 1]
    assert left.classes == source.classes
    assert left.read(2) == source.read(3)
    assert left.excluded == ("ant/2.png", "bee/2, 3.png", "bee/ü.png")
    assert left.signature != source.signature
    assert left.stat_signature != source.stat_signature
    assert f"3 images left out ({tmp_path / 'list.txt'})." in caplog.text
    assert "no image" not in caplog.text


def test_entries_that_match_nothing_are_said(source, tmp_path, caplog):
    left = excluded(source, tmp_path, "ant/2.png", "cat/1.png")
    assert len(left) == 5
    assert f'list.txt: 1 entry matches no image of {source.where}: "cat/1.png".' in caplog.text
    caplog.clear()
    assert excluded(source, tmp_path, "1.png", "2.png") is source
    assert "not one of its 2 entries matches an image of" in caplog.text
    assert "relative to the source, as in ant/1.png." in caplog.text


def test_no_list_and_an_empty_one_leave_all(source, tmp_path, caplog):
    assert exclude_listed(source, None) is source
    assert excluded(source, tmp_path, "") is source
    assert excluded(source, tmp_path, "path,reason") is source
    assert caplog.text == ""


def test_nothing_left_is_an_error(source, tmp_path):
    with pytest.raises(SourceError, match=r"list\.txt excludes every image of"):
        excluded(source, tmp_path, *source.paths)


def test_written_lists_are_read_back(source, tmp_path):
    write_skipped_csv(tmp_path / "list.csv", [(path, "why") for path in source.paths[:5]])
    left = exclude_listed(source, tmp_path / "list.csv")
    assert list(left.paths) == list(source.paths)[5:]


def test_names_that_are_no_unicode_match(make_folder, make_png, tmp_path):
    names = ["ant/\udcff.png", "ant/1.png", "bee/1.png"]
    source = open_source(make_folder({name: make_png(i) for i, name in enumerate(names)}))
    write_skipped_csv(tmp_path / "list.csv", [(names[0], "why")])
    assert list(exclude_listed(source, tmp_path / "list.csv").paths) == names[1:]


def test_a_pack_loses_the_same_images(source, tmp_path):
    whole = write_pack(source, tmp_path / "whole", image_px=8)
    left = excluded(whole, tmp_path, "ant/2.png", "bee/1.png")
    expected = write_pack(
        excluded(source, tmp_path, "ant/2.png", "bee/1.png"), tmp_path / "b", image_px=8
    )
    assert list(left.paths) == list(expected.paths)
    assert left.fingerprint == expected.fingerprint != whole.fingerprint
    every = np.arange(len(left))
    assert np.array_equal(left.read(every), expected.read(every))
    assert np.array_equal(left.read(every[::-1][:2]), expected.read(every[::-1][:2]))
    assert np.array_equal(left.digests, expected.digests)
    assert left.excluded == expected.excluded == ("ant/2.png", "bee/1.png")
    assert open_pack(tmp_path / "b").excluded == expected.excluded


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("of_list", ["NFC", "NFD"])
def test_names_match_in_composed_and_decomposed_unicode(make_folder, tmp_path, form, of_list):
    names = [f"caf\u00e9/{i}.png" for i in range(2)] + ["tee/0.png"]
    where = make_folder({unicodedata.normalize(form, name): b"x" for name in names})
    (tmp_path / "list.txt").write_text(unicodedata.normalize(of_list, names[0]) + "\n", "utf-8")
    left = exclude_listed(open_source(where), tmp_path / "list.txt")
    assert [unicodedata.normalize("NFC", path) for path in left.paths] == names[1:]


def test_of_two_files_that_differ_in_form_alone_the_one_that_is_named_goes(make_folder, tmp_path):
    composed, decomposed = "a/\u00e9.png", "a/e\u0301.png"
    where = make_folder({composed: b"1", decomposed: b"2", "b/1.png": b"3"})
    if len(open_source(where)) < 3:
        pytest.skip("this file system takes the two for one")
    for gone, stays in ((composed, decomposed), (decomposed, composed)):
        (tmp_path / "list.txt").write_text(f"{gone}\n", "utf-8")
        left = exclude_listed(open_source(where), tmp_path / "list.txt")
        assert list(left.paths) == [stays, "b/1.png"]
