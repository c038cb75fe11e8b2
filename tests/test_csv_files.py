"""CSV files: no cell is a formula, and every text can be had back."""

from __future__ import annotations

import csv
import errno
import io
import math
import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alexnet.errors import RunError
from alexnet.files import guarded, unguarded, write_csv, write_rows

FORMULAS = "=+-@\t\r\n"
"""First letters that OWASP's page on CSV injection names."""


@given(st.text() | st.sampled_from(FORMULAS + "'").flatmap(lambda first: st.just(first + "1+1")))
@example("'=1")
@example("")
def test_a_guarded_text_is_no_formula_and_comes_back(text):
    cell = guarded(text)
    assert cell[:1] not in set(FORMULAS)
    assert unguarded(cell) == text
    assert cell in (text, f"'{text}")


@pytest.mark.parametrize("text", ["cat", "1-1", "a=b", "été", "5"])
def test_other_texts_are_left_as_they_are(text):
    assert guarded(text) == text


ROWS = [["path", "share"], ["=1+1", 0.1], ["-cmd|x", -1.5], ["", None], ['say "a",b', 7]]


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2),
        min_size=1,
    )
)
def test_rows_come_back_through_any_reader_of_csv(rows):
    file = io.BytesIO()
    write_rows(file, rows)
    text = file.getvalue().decode("utf-8")
    found = [[unguarded(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]
    assert found == rows


def test_numbers_are_not_guarded_and_read_back_equal(tmp_path):
    write_csv(tmp_path / "t.csv", [["n"], [-0.1], [1 / 3], [-math.pi], [10**20]])
    with (tmp_path / "t.csv").open(newline="") as file:
        found = [float(row[0]) for row in list(csv.reader(file))[1:]]
    assert found == [-0.1, 1 / 3, -math.pi, 10**20]


def test_a_file_has_the_rows_in_order_and_empty_cells_for_nothing(tmp_path):
    write_csv(tmp_path / "t.csv", iter(ROWS))
    lines = (tmp_path / "t.csv").read_bytes().split(b"\r\n")
    assert lines == [b"path,share", b"'=1+1,0.1", b"'-cmd|x,-1.5", b",", b'"say ""a"",b",7', b""]


def test_names_that_are_no_text_keep_their_bytes_or_get_backslashes(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    write_csv(tmp_path / "bytes.csv", [[name]])
    assert (tmp_path / "bytes.csv").read_bytes() == b"caf\xe9.png\r\n"
    write_csv(tmp_path / "plain.csv", [[name]], odd="backslashreplace")
    assert (tmp_path / "plain.csv").read_bytes() == b"caf\\udce9.png\r\n"


def test_rows_that_fail_leave_the_old_file(tmp_path):
    (tmp_path / "t.csv").write_text("old")

    def rows():
        yield ["path"]
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RunError, match=r"t\.csv: the disk is full"):
        write_csv(tmp_path / "t.csv", rows())
    assert (tmp_path / "t.csv").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]


def test_an_open_file_stays_open():
    file = io.BytesIO()
    write_rows(file, [["a"]])
    write_rows(file, [["b"]])
    assert file.getvalue() == b"a\r\nb\r\n"
