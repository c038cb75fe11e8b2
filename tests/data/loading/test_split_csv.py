from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alexnet.data.loading.splits import read_split_csv, write_skipped_csv, write_split_csv
from alexnet.errors import RunError


@pytest.fixture
def pack(pack_of_pixels):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 2, 2, 3), dtype=np.uint8)
    return pack_of_pixels(pixels)


def test_each_picture_has_a_row_in_the_packs_order(pack, tmp_path):
    splits = {"val": np.array([1, 2]), "train": np.array([0, 3, 5]), "test": np.array([4])}
    write_split_csv(tmp_path / "run" / "split.csv", pack, splits)
    assert (tmp_path / "run" / "split.csv").read_bytes() == (
        b"path,class,split\r\n"
        b"0.png,class 0,train\r\n1.png,class 1,val\r\n2.png,class 0,val\r\n"
        b"3.png,class 1,train\r\n4.png,class 0,test\r\n5.png,class 1,train\r\n"
    )


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)


class Named:
    """What is written of a pack."""

    def __init__(self, paths, classes):
        self.paths, self.classes = paths, classes
        self.labels = np.arange(len(paths)) % len(classes)

    def __len__(self):
        return len(self.paths)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    paths=st.lists(TEXTS | st.sampled_from(["=1+1", "'=x", "-1", "@a", "\t", "a,b\n"]), max_size=6),
    classes=st.lists(TEXTS, min_size=1, max_size=3),
)
def test_what_was_written_is_read_again_and_never_a_formula(tmp_path, paths, classes):
    named = Named(paths, classes)
    splits = {"train": np.arange(0, len(paths), 2), "val": np.arange(1, len(paths), 2)}
    write_split_csv(tmp_path / "split.csv", named, splits)
    wanted = [
        (path, classes[i % len(classes)], "val" if i % 2 else "train")
        for i, path in enumerate(paths)
    ]
    assert read_split_csv(tmp_path / "split.csv") == wanted
    with (tmp_path / "split.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


def test_names_that_are_no_unicode_keep_their_bytes(tmp_path):
    name = b"\xff.png".decode("utf-8", "surrogateescape")
    write_split_csv(tmp_path / "s.csv", Named([name], ["a"]), {"train": np.array([0])})
    assert b"\xff.png,a,train" in (tmp_path / "s.csv").read_bytes()
    assert read_split_csv(tmp_path / "s.csv") == [(name, "a", "train")]


def test_skipped_pictures_are_listed_with_their_reasons(tmp_path):
    skipped = [("a/1.png", "it is cut off"), ("=b,2.png", "why, indeed")]
    write_skipped_csv(tmp_path / "skipped.csv", skipped)
    assert (tmp_path / "skipped.csv").read_text(encoding="utf-8").splitlines() == [
        "path,reason",
        "a/1.png,it is cut off",
        '"\'=b,2.png","why, indeed"',
    ]
    write_skipped_csv(tmp_path / "skipped.csv", [])
    assert (tmp_path / "skipped.csv").read_bytes() == b"path,reason\r\n"


@pytest.mark.parametrize("data", [None, b"path,split\r\na,b\r\n", b"path,class,split\r\na\r\n"])
def test_a_damaged_list_is_refused(tmp_path, data):
    if data is not None:
        (tmp_path / "split.csv").write_bytes(data)
    with pytest.raises(RunError, match=r"split\.csv cannot be read .* it alone says .* Restore it"):
        read_split_csv(tmp_path / "split.csv")


def test_a_disk_that_refuses_leaves_the_old_list(tmp_path, monkeypatch):
    write_skipped_csv(tmp_path / "s.csv", [("a", "b")])
    before = (tmp_path / "s.csv").read_bytes()
    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(RunError, match="the disk is full"):
        write_skipped_csv(tmp_path / "s.csv", [])
    assert (tmp_path / "s.csv").read_bytes() == before


def refuse(*_):
    raise OSError(28, "No space left on device")
